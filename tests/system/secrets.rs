//! No secret is at rest in plain text, and none reaches a log (attacks 7 and 21).

use std::time::Duration;

use serde_json::json;
use tenantry_tests::{DatabaseKind, on_both_databases, otp_in};

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
            ("activation.refused", 0), ("codes.issued", 1), ("otp.requested", 2), ("plan.created", 1), ("project.activated", 1),
            ("project.created", 1), ("session.revoked", 1), ("sign_in.failed", 1), ("sign_in.succeeded", 2), ("tenant.created", 1),
        ];
        for (action, count) in expected {
            assert_eq!(audited.remove(action).unwrap_or(0), count, "{action}");
        }
        assert!(audited.is_empty(), "{audited:?}");
    }
}
