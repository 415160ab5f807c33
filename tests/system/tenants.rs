//! Tenants as operators look after them: changed, found, previewed, deleted.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry_tests::{Api, SignedIn, World, on_both_databases, otp_in};
use tokio::task::JoinSet;

fn path(tenant: &Value) -> String {
    format!("/api/admin/tenants/{}", tenant["id"].as_str().unwrap())
}

async fn found(admin: &Api, query: &str) -> Vec<String> {
    let items = admin.get(&format!("/api/admin/tenants?{query}")).await.expect(200).body["items"].as_array().unwrap().clone();
    items.iter().map(|tenant| tenant["slug"].as_str().unwrap().to_owned()).collect()
}

/// What the audit trail says of a tenant's changes.
async fn changes(world: &World) -> Vec<String> {
    let events = world.rows("SELECT details FROM audit_events WHERE action = 'tenant.changed' ORDER BY id").await;
    events.iter().map(|event| event["details"].to_string().replace('\\', "")).collect()
}

/// What a tenant has in the tables that go with it, counted past the server.
async fn counted(world: &World, acme: &SignedIn) -> Value {
    let id = world.uuid_literal(acme.tenant["id"].as_str().unwrap());
    let count = async |table: &str, condition: &str| {
        let query = format!("SELECT 1 AS one FROM {table} WHERE tenant_id = {id} AND {condition}");
        world.rows(&query).await.len()
    };
    json!({
        "projects": count("llm_project_config", "1 = 1").await,
        "codes": count("activation_codes", "1 = 1").await,
        "sessions": count("tenant_sessions", "1 = 1").await,
        "redemptions": {
            "live": count("redemptions", "returned_at IS NULL").await,
            "returned": count("redemptions", "returned_at IS NOT NULL").await,
        },
    })
}

on_both_databases! {
    async fn a_tenant_is_changed_field_by_field(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let path = path(&acme.tenant);
        let full = json!({
            "name": "Ärztehaus Süd", "logo_url": "https://acme.example/logo.svg", "primary_color": "#FF8800", "domain": "Portal.acme.example",
        });
        let changed = admin.patch(&path, &full).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["primary_color"], &changed["domain"]), (&json!("Ärztehaus Süd"), &json!("#ff8800"), &json!("portal.acme.example")));
        assert_eq!((&changed["slug"], &changed["contact_email"], &changed["subscription"]["state"]), (&json!("acme"), &json!(acme.email), &json!("active")));
        let changed = admin.patch(&path, &json!({ "logo_url": null, "primary_color": "#000000" })).await.expect(200).body;
        assert_eq!((&changed["logo_url"], &changed["primary_color"], &changed["domain"]), (&Value::Null, &json!("#000000"), &json!("portal.acme.example")));
        assert_eq!(admin.get(&path).await.expect(200).body, changed);
        assert_eq!(admin.patch(&path, &json!({})).await.expect(200).body, changed, "a change of nothing is none");
        assert_eq!(found(&admin, "search=%C3%84RZTEHAUS").await, ["acme"], "found by its new name");
        acme.api.get("/api/tenant/auth/session").await.expect(200);

        for (field, value) in [
            ("name", json!(null)), ("name", json!("")), ("contact_email", json!("nobody")), ("contact_email", json!(null)),
            ("contact_email", json!("a@b.example\r\nBcc: x@y.example")), ("logo_url", json!("http://acme.example")), ("primary_color", json!("red")), ("domain", json!("x")),
        ] {
            let reply = admin.patch(&path, &json!({ field: value })).await;
            if value.is_null() {
                // Null leaves what can't be cleared as it is.
                assert_eq!(reply.expect(200).body, changed);
            } else {
                let problem = reply.expect_problem(422, "validation_failed");
                assert_eq!(problem.body["errors"][0]["pointer"], format!("/{field}"));
            }
        }
        assert_eq!(changes(&world).await.len(), 2);
        assert!(changes(&world).await[0].contains("\"changed\":\"name, logo_url, primary_color, domain\""));
    }

    /// Attack 29.
    async fn fields_that_are_not_a_tenants_to_change_are_refused_by_name(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let before = admin.get(&path(&acme.tenant)).await.expect(200).body;
        for (field, value) in [
            ("slug", json!("other")), ("plan_id", acme.tenant["subscription"]["plan_id"].clone()), ("suspended_at", Value::Null), ("id", json!("x")),
            ("subscription", json!({ "state": "active" })), ("state", json!("active")), ("created_at", json!("2026-01-01T00:00:00Z")), ("activation_codes", json!([])),
        ] {
            let problem = admin.patch(&path(&acme.tenant), &json!({ "name": "New", field: value })).await.expect_problem(422, "validation_failed");
            assert!(problem.body["errors"][0]["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem:?}");
        }
        assert_eq!(admin.get(&path(&acme.tenant)).await.expect(200).body, before, "nothing of it was applied");
    }

    async fn an_unknown_tenant_is_missing_everywhere(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Plan", 1).await;
        for id in ["ten_018bcfe568007000800000000000000a", "ten_x", plan["id"].as_str().unwrap(), "..%2F..%2Fetc"] {
            let path = format!("/api/admin/tenants/{id}");
            let terms = json!({ "plan_id": plan["id"], "state": "active" });
            for reply in [
                admin.get(&path).await,
                admin.patch(&path, &json!({ "name": "New" })).await,
                admin.delete(&path).await,
                admin.get(&format!("{path}/deletion-preview")).await,
                admin.get(&format!("{path}/subscription")).await,
                admin.put(&format!("{path}/subscription"), &terms).await,
                admin.post(&format!("{path}/suspend"), &json!({})).await,
                admin.post(&format!("{path}/resume"), &json!({})).await,
            ] {
                reply.expect_problem(404, "not_found");
            }
        }
    }

    async fn tenants_are_found_by_name_plan_state_and_suspension(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (basic, other) = (admin.create_plan("Basic", 1).await, admin.create_plan("Other", 1).await);
        let (basic, other) = (basic["id"].as_str().unwrap(), other["id"].as_str().unwrap());
        for (slug, plan) in [("acme", basic), ("beta", basic), ("gamma", other), ("delta", other)] {
            let (tenant, _) = admin.create_tenant(slug, plan, "t@t.example").await;
            if slug == "beta" {
                admin.put(&format!("{}/subscription", path(&tenant)), &json!({ "plan_id": plan, "state": "past_due" })).await.expect(200);
            }
            if slug == "gamma" {
                admin.post(&format!("{}/suspend", path(&tenant)), &json!({})).await.expect(204);
            }
        }
        assert_eq!(found(&admin, &format!("plan_id={basic}")).await, ["beta", "acme"]);
        assert_eq!(found(&admin, "state=past_due").await, ["beta"]);
        assert_eq!(found(&admin, "state=unpaid").await, [""; 0]);
        assert_eq!(found(&admin, "suspended=true").await, ["gamma"]);
        assert_eq!(found(&admin, "suspended=false").await, ["delta", "beta", "acme"]);
        assert_eq!(found(&admin, &format!("plan_id={other}&state=active&suspended=false&search=TENANT")).await, ["delta"]);
        let first = admin.get(&format!("/api/admin/tenants?plan_id={basic}&limit=1&count=true")).await.expect(200);
        assert_eq!(first.body["total"], 2);
        assert_eq!(found(&admin, &format!("plan_id={basic}&cursor={}", first.text_at("/next_cursor"))).await, ["acme"]);
        for query in ["plan_id=x", "plan_id=ten_018bcfe568007000800000000000000a", "state=paid", "suspended=1", "slug=acme"] {
            admin.get(&format!("/api/admin/tenants?{query}")).await.expect_problem(422, "validation_failed");
        }
    }

    async fn a_preview_counts_what_the_deletion_takes(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        for number in 0..3 {
            let project = acme.api.create_project("Client").await;
            if number < 2 {
                acme.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
            }
        }
        server.api().sign_in("acme", &acme.email, world.mail()).await;
        let preview = async |tenant: &Value| admin.get(&format!("{}/deletion-preview", path(tenant))).await.expect(200).body;
        let expected = json!({ "projects": 3, "codes": 10, "sessions": 2, "redemptions": { "live": 2, "returned": 0 } });
        assert_eq!(preview(&acme.tenant).await, expected);
        assert_eq!(counted(&world, &acme).await, expected);
        let betas = json!({ "projects": 0, "codes": 10, "sessions": 1, "redemptions": { "live": 0, "returned": 0 } });
        assert_eq!(preview(&beta.tenant).await, betas);
        admin.delete(&path(&acme.tenant)).await.expect(204);
        let nothing = json!({ "projects": 0, "codes": 0, "sessions": 0, "redemptions": { "live": 0, "returned": 0 } });
        assert_eq!(counted(&world, &acme).await, nothing);
        assert_eq!(preview(&beta.tenant).await, betas, "another tenant's stay");
        admin.get(&format!("{}/deletion-preview", path(&acme.tenant))).await.expect_problem(404, "not_found");
        let audit = world.rows("SELECT action FROM audit_events WHERE action = 'project.activated'").await;
        assert_eq!(audit.len(), 2, "the audit trail stays");
    }

    async fn a_new_address_ends_the_passwords_that_are_on_their_way_to_the_old_one(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let challenge = server.api().ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&acme.email, 2, Duration::from_secs(30)).await;
        let old = otp_in(&mails[1].text).unwrap().to_owned();
        admin.patch(&path(&acme.tenant), &json!({ "contact_email": "New.Owner@acme.example" })).await.expect(200);
        server.api().verify_otp(&challenge, &old).await.expect_problem(401, "invalid_otp");
        acme.api.get("/api/tenant/auth/session").await.expect(200);
        server.api().sign_in("acme", "New.Owner@acme.example", world.mail()).await.get("/api/tenant/auth/session").await.expect(200);
        assert_eq!(world.mail().received(&acme.email).len(), 2, "nothing goes to the old address any more");

        let changes = changes(&world).await;
        assert_eq!(changes.len(), 1);
        assert!(changes[0].contains("\"changed\":\"contact_email\"") && changes[0].contains("\"challenges_ended\":\"1\""), "{changes:?}");
        let said = format!("{}{}", server.logs(), json!(world.rows("SELECT details FROM audit_events").await)).to_lowercase();
        assert!(!said.contains("new.owner") && !said.contains(&acme.email), "no address in the log or the audit trail");
    }

    /// Whoever is asked for a password while its address changes mails it to the new one, or the password is worth nothing.
    async fn passwords_that_race_a_new_address_are_worth_nothing_at_the_old_one(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let mut racers = JoinSet::new();
        for racer in 0..3 {
            let server = &servers[racer % servers.len()];
            let (api, admin, path) = (server.api(), world.admin(server), path(&acme.tenant));
            racers.spawn(async move {
                if racer == 1 {
                    admin.patch(&path, &json!({ "contact_email": "new@acme.example" })).await.expect(200);
                    return None;
                }
                Some(api.ask_for_otp("acme").await)
            });
        }
        let challenges: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
        let mut mails = Vec::new();
        for _ in 0..300 {
            mails = world.mail().all();
            if mails.len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(mails.len(), 3, "the first sign-in's, and two more");
        let old = world.mail().received(&acme.email);
        for challenge in &challenges {
            for mail in &old[1..] {
                servers[0].api().verify_otp(challenge, otp_in(&mail.text).unwrap()).await.expect_problem(401, "invalid_otp");
            }
        }
    }
}
