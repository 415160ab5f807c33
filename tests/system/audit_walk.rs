//! Every operation that changes something is carried out once, and what the audit trail says of it is held against what was done. A new
//! operation has to be walked here too, or says by a line here that it changes nothing.

mod messages;
mod people;
mod tenants;
pub mod walk;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry_domain::memory::MemoryStore;
use tenantry_tests::{Door, on_both_databases};

use self::{
    messages::{walk_messages, walk_webhooks},
    people::{sign_in, walk_a_tenants_sessions, walk_operators, walk_sessions},
    tenants::{walk_codes, walk_plans, walk_projects, walk_tenants},
    walk::{Walk, actor, event, id},
};

/// Every operation of the table whose method isn't one that only reads: `POST /api/admin/plans`.
fn changing_operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&tenantry_http::openapi::<MemoryStore>()).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods =
            item.as_object().unwrap().keys().filter(|method| ["post", "put", "patch", "delete"].contains(&method.as_str()));
        operations.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(operations.len() > 40, "the table is there");
    operations
}

on_both_databases! {
    /// Exactly the right events: who, what, to what, from where, in which request, what changed, and no secret.
    async fn every_change_is_in_the_trail_once_and_no_secret_is(world: World) {
        let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 20).start().await;
        let (api, admin) = (server.api(), world.admin(&server));
        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "CANARYCLIENT").await;
        let link = server.bootstrap_path().await;
        let mut walk = Walk { watcher: admin.clone(), walked: BTreeSet::new(), events: 0, canaries: BTreeSet::new() };
        walk.secret(world.api_key());
        walk.skip().await;
        let name = admin.get("/api/admin/auth/session").await.expect(200).text_at("/api_key/name");
        let key = actor("api_key", Some(&name), None);

        walk_operators(&world, &mut walk, &api, &link).await;
        let plan = walk_plans(&mut walk, &admin, &key).await;
        walk_tenants(&mut walk, &admin, &key, &plan).await;

        let (acme, codes) = admin.create_tenant("acme", &plan, "it@acme.example").await;
        walk.skip().await;
        let tenant = id(&acme);
        codes.iter().for_each(|code| walk.secret(code));
        for personal in ["it@acme.example", "other@acme.example"] {
            walk.secret(personal);
        }
        walk_codes(&mut walk, &admin, &key, &tenant).await;
        walk_sessions(&world, &mut walk, Door::Tenant, &api, "acme", "it@acme.example", ("tenant", &tenant)).await;
        walk_a_tenants_sessions(&world, &mut walk, (&api, &admin), &key, &tenant).await;
        let (own, itself) = sign_in(&world, &mut walk, Door::Tenant, &api, "acme", "it@acme.example", ("tenant", &tenant)).await;
        let legacy = "prj_018bcfe568007000800000000000000a";
        walk_projects(&mut walk, (&own, &itself), (&admin, &key), (&tenant, &codes[0]), legacy).await;
        let changed = own.patch("/api/tenant/profile", &json!({ "contact_email": "other@acme.example", "primary_color": "#123456" })).await;
        let details = json!({ "changed": "contact_email, primary_color", "challenges_ended": "0", "sessions_ended": "0" });
        walk.step("PATCH /api/tenant/profile", &itself, changed, &[event("tenant.changed", &tenant, details).of(&tenant)]).await;
        walk_messages(&world, &mut walk, &admin, &key).await;
        walk_webhooks(&world, &mut walk, (&admin, &key), "/api/admin/webhooks", None).await;
        walk_webhooks(&world, &mut walk, (&own, &itself), "/api/tenant/webhooks", Some(&tenant)).await;

        walk.walked.retain(|operation| !operation.starts_with("GET "));
        assert_eq!(walk.walked, changing_operations(), "every changing operation is walked");

        // What is stored, not only what is shown.
        let trail = Value::from(world.rows("SELECT details, target, actor_name, client_ip, request_id FROM audit_events").await).to_string();
        assert!(trail.contains("old_monthly_run_quota"), "the trail is there");
        for canary in &walk.canaries {
            let told = trail.split(|c: char| !c.is_ascii_alphanumeric() && !"-_@. ".contains(c)).any(|word| word == canary);
            assert!(!told && (canary.len() == 6 || !trail.contains(canary.as_str())), "{canary} is in the trail");
        }
        assert!(walk.canaries.len() > 60);
    }
}
