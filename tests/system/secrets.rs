//! No secret is at rest in plain text, and none reaches a log (attacks 7 and 21).

use std::time::Duration;

use serde_json::json;
use tenantry_tests::{on_both_databases, otp_in};

on_both_databases! {
    /// Attack 7, its first half: what a thief of the database finds. The other half, guessing without the key, is a test of the key ring.
    async fn a_stolen_database_holds_no_code_no_password_and_no_token(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        // A password that wasn't used, whose mail couldn't be sent: it waits in the outbox.
        world.mail().freeze().await;
        server.api().ask_for_otp("acme").await;
        let stolen = world.stolen_database();
        world.mail().thaw().await;
        let waiting = world.mail().wait_for(&acme.email, 2, Duration::from_secs(60)).await;
        let password = otp_in(&waiting[1].text).unwrap();

        let mut secrets = vec![acme.api.bearer().unwrap().to_owned(), world.api_key().to_owned()];
        secrets.extend(acme.codes.iter().cloned());
        secrets.extend(acme.codes.iter().map(|code| code.replace('-', "")));
        secrets.extend([format!("\"{password}\""), format!("'{password}'"), format!("\t{password}")]);
        assert!(stolen.contains("acme"), "the dump is one");
        for secret in secrets {
            assert!(!stolen.contains(&secret), "{secret} is in the database");
        }
        admin.get("/api/admin/plans").await.expect(200);
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
        assert!(otp_in(&logs.replace(['.', ':'], "0")).is_none_or(|found| found != password), "the password is in the logs");
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
