//! What a tenant says of itself, and what it can't.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry_tests::{on_both_databases, otp_in};

const PROFILE: &str = "/api/tenant/profile";

on_both_databases! {
    async fn a_tenant_reads_and_changes_its_own_profile(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let others = beta.api.get(PROFILE).await.expect(200).body;
        let profile = acme.api.get(PROFILE).await.expect(200).body;
        assert_eq!((&profile["id"], &profile["slug"], &profile["contact_email"]), (&acme.tenant["id"], &json!("acme"), &json!(acme.email)));
        for field in ["plan_id", "subscription", "state", "monthly_run_quota", "suspended_at"] {
            assert_eq!(profile.get(field), None, "{field} is the operator's affair");
        }
        let full = json!({ "name": "Acme & Co", "logo_url": "https://acme.example/l.svg", "primary_color": "#1A2B3C", "domain": "acme.example" });
        let changed = acme.api.patch(PROFILE, &full).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["primary_color"]), (&json!("Acme & Co"), &json!("#1a2b3c")));
        let cleared = acme.api.patch(PROFILE, &json!({ "logo_url": null, "domain": null })).await.expect(200).body;
        assert_eq!((&cleared["logo_url"], &cleared["domain"], &cleared["name"]), (&Value::Null, &Value::Null, &json!("Acme & Co")));
        assert_eq!(acme.api.get(PROFILE).await.expect(200).body, cleared);
        assert_eq!(beta.api.get(PROFILE).await.expect(200).body, others);
        server.api().get(PROFILE).await.expect_problem(401, "unauthenticated");
        server.api().patch(PROFILE, &json!({ "name": "Mine" })).await.expect_problem(401, "unauthenticated");

        let audit = world.rows("SELECT actor_kind, details FROM audit_events WHERE action = 'tenant.changed' ORDER BY id").await;
        assert_eq!(audit.len(), 2);
        assert_eq!(audit[0]["actor_kind"], "tenant");
        assert!(audit[1]["details"].to_string().contains("logo_url, domain"), "{audit:?}");
    }

    /// Attack 29.
    async fn what_is_the_operators_is_refused_by_name(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let before = acme.api.get(PROFILE).await.expect(200).body;
        for (field, value) in [
            ("slug", json!("other")), ("plan_id", acme.tenant["subscription"]["plan_id"].clone()), ("monthly_run_quota", json!(1_000_000)),
            ("subscription", json!({ "state": "active" })), ("state", json!("active")), ("suspended_at", Value::Null), ("id", acme.tenant["id"].clone()),
            ("tenant_id", acme.tenant["id"].clone()), ("role", json!("owner")),
        ] {
            let problem = acme.api.patch(PROFILE, &json!({ "name": "New", field: value })).await.expect_problem(422, "validation_failed");
            assert!(problem.body["errors"][0]["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem:?}");
        }
        assert_eq!(acme.api.get(PROFILE).await.expect(200).body, before, "nothing of it was applied");
    }

    async fn a_new_address_of_its_own_ends_the_other_sessions_and_passwords(world: World) {
        let servers = world.servers().await;
        let server = &servers[0];
        let acme = world.tenant(server, "acme").await;
        let other = server.api().sign_in("acme", &acme.email, world.mail()).await.at(servers[servers.len() - 1].url());
        let challenge = server.api().ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&acme.email, 3, Duration::from_secs(30)).await;
        acme.api.patch(PROFILE, &json!({ "name": "Acme" })).await.expect(200);
        other.get(PROFILE).await.expect(200);

        let changed = acme.api.patch(PROFILE, &json!({ "contact_email": "new@acme.example" })).await.expect(200).body;
        assert_eq!(changed["contact_email"], "new@acme.example");
        other.get(PROFILE).await.expect_problem(401, "unauthenticated");
        acme.api.get(PROFILE).await.expect(200);
        server.api().verify_otp(&challenge, otp_in(&mails[2].text).unwrap()).await.expect_problem(401, "invalid_otp");
        let audit = world.rows("SELECT details FROM audit_events WHERE action = 'tenant.changed' ORDER BY id").await;
        let last = audit[1]["details"].to_string().replace('\\', "");
        for detail in ["\"changed\":\"contact_email\"", "\"challenges_ended\":\"1\"", "\"sessions_ended\":\"1\""] {
            assert!(last.contains(detail), "{detail} in {last}");
        }
        assert!(!server.logs().contains("new@acme.example"));
    }
}
