//! No secret is at rest in plain text, and none reaches a log (attacks 7 and 21).

use std::time::Duration;

use serde_json::json;
use tenantry_tests::{DatabaseKind, Door, bootstrap_path_in, on_both_databases, otp_in};

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

on_both_databases! {
    /// Attack 7, its first half: what a thief of the database finds, as text or as hexadecimal. The other half, guessing without the key, is a
    /// test of the key ring.
    async fn a_stolen_database_holds_nothing_in_any_form(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        world.mail().freeze().await;
        // A password that wasn't used, whose mail can't be sent: it waits in the outbox.
        server.api().ask_for_otp("acme").await;
        let stolen = world.stolen_database();
        assert!(stolen.contains("acme"), "the dump is one");
        world.mail().thaw().await;
        let waiting = world.mail().wait_for(&acme.email, 2, Duration::from_secs(60)).await;
        let password = otp_in(&waiting[1].text).unwrap();
        let token = acme.api.bearer().unwrap();
        // Any sixteen characters of the token's random part, not only all of it.
        let mut secrets: Vec<String> = (4..token.len() - 16).step_by(8).map(|from| token[from..from + 16].to_owned()).collect();
        secrets.extend(acme.codes.iter().flat_map(|code| [code.clone(), code.replace('-', "")]));
        secrets.push(format!("\"otp\":\"{password}\""));
        for secret in secrets {
            assert!(!stolen.contains(&secret), "{secret} is in the database");
            assert!(!stolen.contains(&hex(&secret)), "{secret} is in the database, in hexadecimal");
        }
        if world.kind() == DatabaseKind::Postgres {
            assert!(!stolen.contains(&format!("\\\\x{}", hex(password))), "the password begins a column");
        }
    }

    /// Attack 21: canaries in every place where a secret is sent, right and wrong; then a search through all that was logged.
    async fn no_secret_reaches_a_log_and_every_change_is_audited_once(world: World) {
        let server = world.builder().env("TENANTRY__LOG__FILTER", "trace").start().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let api = server.api();
        let challenge = api.ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&acme.email, 2, Duration::from_secs(30)).await;
        let password = otp_in(&mails[1].text).unwrap().to_owned();
        api.verify_otp(&challenge, "CANARY-WRONG-PASSWORD").await.expect(401);
        let signed_in = api.verify_otp(&challenge, &password).await.expect(200);
        let token = signed_in.text_at("/session_token");
        let project = acme.api.create_project("Client").await;
        let id = project["id"].as_str().unwrap();
        acme.api.activate(id, &json!({ "code": "CANA-RYCA-NARY-CODE" })).await.expect(422);
        acme.api.activate(id, &json!({ "code": acme.codes[0] })).await.expect(200);
        acme.api.activate(id, &json!({ "code": acme.codes[1], "unknown": 1 })).await.expect(422);
        let bad = api.request(reqwest::Method::GET, "/api/tenant/projects").header("authorization", "Bearer tns_CANARYTOKEN");
        api.send(bad).await.expect(401);
        let cookie = api.request(reqwest::Method::GET, "/api/tenant/projects").header("cookie", "session=CANARYCOOKIE");
        api.send(cookie).await.expect(401);
        acme.api.post("/api/tenant/auth/logout", &json!({})).await.expect(204);

        let logs = server.logs();
        let mut canaries = vec![
            "CANARY", "CANA-RYCA", token.as_str(), acme.api.bearer().unwrap(), world.api_key(), acme.email.as_str(), "Bearer tn",
        ];
        canaries.extend(acme.codes.iter().map(String::as_str));
        assert!(logs.contains("activated project"), "the logs are there: {logs}");
        for canary in canaries {
            assert!(!logs.contains(canary), "{canary} is in the logs");
        }
        for password in mails.iter().map(|mail| otp_in(&mail.text).unwrap()) {
            let found = logs.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(|word| word == password);
            assert!(!found, "{password} is in the logs");
        }
        admin.get("/api/admin/plans").await.expect(200);

        let mut audited = std::collections::BTreeMap::new();
        for row in world.rows("SELECT action FROM audit_events").await {
            *audited.entry(row["action"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let expected = [
            ("activation.refused", 0), ("bootstrap_link.created", 1), ("codes.issued", 1), ("otp.requested", 2), ("plan.created", 1), ("project.activated", 1),
            ("project.created", 1), ("session.revoked", 1), ("sign_in.failed", 1), ("sign_in.succeeded", 2), ("tenant.created", 1),
        ];
        for (action, count) in expected {
            assert_eq!(audited.remove(action).unwrap_or(0), count, "{action}");
        }
        assert!(audited.is_empty(), "{audited:?}");
    }

    /// Attack 7 on what operators hold: a session, a key, links used and open, and a password that waits for its mail.
    async fn a_stolen_database_holds_nothing_of_an_operators(world: World) {
        let server = world.server().await;
        let link = server.bootstrap_path().await;
        let open = bootstrap_path_in(&world.builder().args(["bootstrap-link"]).run().await.stdout).unwrap();
        let made = server.api().post(&link, &json!({ "name": "Ada Lovelace", "email": "ada@portal.example" })).await.expect(201);
        let recovery = bootstrap_path_in(&world.builder().args(["bootstrap-link", "--recover"]).run().await.stdout).unwrap();
        let session = made.text_at("/session_token");
        let (key, _) = server.api().with_bearer(&session).create_api_key(&["plans:read"]).await;
        world.mail().freeze().await;
        server.api().ask_at(Door::Operator, "ada@portal.example").await.expect(202);
        let stolen = world.stolen_database();
        assert!(stolen.contains("Ada Lovelace"), "the dump is one");
        world.mail().thaw().await;
        let waiting = world.mail().wait_for("ada@portal.example", 1, Duration::from_secs(60)).await;
        let password = otp_in(&waiting[0].text).unwrap();
        let mut secrets = vec![format!("\"otp\":\"{password}\"")];
        for token in [&link, &open, &recovery, &session, key["api_key"].as_str().unwrap()] {
            let random = &token.trim_start_matches("/bootstrap/")[4..];
            secrets.extend((0..random.len() - 16).step_by(8).map(|from| random[from..from + 16].to_owned()));
        }
        for secret in secrets {
            assert!(!stolen.contains(&secret), "{secret} is in the database");
            assert!(!stolen.contains(&hex(&secret)), "{secret} is in the database, in hexadecimal");
        }
        if world.kind() == DatabaseKind::Postgres {
            assert!(!stolen.contains(&format!("\\\\x{}", hex(password))), "the password begins a column");
        }
    }

    /// Attack 21 on what operators send, right and wrong: nothing of it is in the log, and what happened is in the trail, once each.
    async fn no_secret_of_an_operator_reaches_a_log(world: World) {
        let server = world.builder().env("TENANTRY__LOG__FILTER", "trace").start().await;
        let api = server.api();
        let link = server.bootstrap_path().await;
        for _ in 0..2 {
            api.get(&link).await.expect(200);
        }
        api.get("/bootstrap/tnb_CANARYLINK").await.expect(404);
        api.post(&link, &json!({ "name": "CANARY\u{0}NAME", "email": "canary@CANARY.example" })).await.expect(422);
        let made = api.post(&link, &json!({ "name": "Ada Lovelace", "email": "ada@portal.example" })).await.expect(201);
        api.post(&link, &json!({ "name": "Ada Lovelace", "email": "ada@portal.example" })).await.expect(404);
        let session = made.text_at("/session_token");
        let owner = api.with_bearer(&session);
        owner.create_operator("grace@portal.example", "viewer").await;
        let grace = api.sign_in_operator("grace@portal.example", world.mail()).await;
        let challenge = api.ask_at(Door::Operator, "grace@portal.example").await.expect(202).text_at("/challenge_id");
        let mails = world.mail().wait_for("grace@portal.example", 2, Duration::from_secs(30)).await;
        api.answer_at(Door::Operator, &challenge, "CANARY-WRONG-PASSWORD").await.expect(401);
        let (key, program) = owner.create_api_key(&["plans:read"]).await;
        program.get("/api/admin/plans").await.expect(200);
        for header in ["Bearer tno_CANARYTOKEN", "Bearer tnk_CANARYTOKEN", "Bearer tnb_CANARYTOKEN"] {
            api.send(api.request(reqwest::Method::GET, "/api/admin/plans").header("authorization", header)).await.expect(401);
        }
        program.get(&format!("/api/admin/plans?cursor={}", key["api_key"].as_str().unwrap())).await.expect(422);
        owner.delete(&format!("/api/admin/api-keys/{}", key["id"].as_str().unwrap())).await.expect(204);
        grace.post("/api/admin/auth/logout", &json!({})).await.expect(204);

        // What the terminal is told is no log; there the link stands, and nothing else.
        let token = link.trim_start_matches("/bootstrap/");
        let (logs, terminal) = (server.logs(), server.stdout());
        assert!(logs.contains("made an owner by a bootstrap link"), "the logs are there: {logs}");
        assert_eq!((logs.matches(token).count(), terminal.matches(token).count()), (1, 1));
        for canary in [
            "CANARY", session.as_str(), grace.bearer().unwrap(), key["api_key"].as_str().unwrap(), world.api_key(), "Bearer tn",
            "portal.example", "Lovelace",
        ] {
            assert!(!logs.contains(canary), "{canary} is in the logs");
        }
        for password in mails.iter().map(|mail| otp_in(&mail.text).unwrap()) {
            let found = logs.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(|word| word == password);
            assert!(!found, "{password} is in the logs");
        }
        let mut audited = std::collections::BTreeMap::new();
        for row in world.rows("SELECT action FROM audit_events").await {
            *audited.entry(row["action"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let expected = [
            ("api_key.created", 1), ("api_key.revoked", 1), ("api_key.used", 1), ("bootstrap_link.created", 1), ("operator.bootstrapped", 1),
            ("operator.created", 1), ("otp.requested", 2), ("session.revoked", 1), ("sign_in.failed", 1), ("sign_in.succeeded", 2),
        ];
        assert_eq!(audited, expected.map(|(action, count)| (action.to_owned(), count)).into());
    }
}
