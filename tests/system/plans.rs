//! Plans: changed, archived, deleted, and found.

use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, on_both_databases};
use tokio::task::JoinSet;

fn path(plan: &Value) -> String {
    format!("/api/admin/plans/{}", plan["id"].as_str().unwrap())
}

async fn found(admin: &Api, query: &str) -> Vec<String> {
    let items = admin.get(&format!("/api/admin/plans?{query}")).await.expect(200).body["items"].as_array().unwrap().clone();
    items.iter().map(|plan| plan["name"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn a_plan_is_changed_archived_restored_and_deleted(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Basic", 100).await;
        let other = admin.create_plan("Other", 5).await;
        let path = path(&plan);
        let changed = admin.patch(&path, &json!({ "name": "Größe XL" })).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["monthly_run_quota"]), (&json!("Größe XL"), &json!(100)));
        let changed = admin.patch(&path, &json!({ "monthly_run_quota": 7 })).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["monthly_run_quota"]), (&json!("Größe XL"), &json!(7)));
        assert_eq!(admin.get(&path).await.expect(200).body, changed);
        assert_eq!(admin.patch(&path, &json!({})).await.expect(200).body, changed, "a change of nothing is none");
        admin.patch(&path, &json!({ "name": "Other" })).await.expect_problem(409, "conflict");
        for (field, value) in [("name", json!("")), ("name", json!("a\nb")), ("monthly_run_quota", json!(0)), ("monthly_run_quota", json!(1_000_001))] {
            let problem = admin.patch(&path, &json!({ field: value })).await.expect_problem(422, "validation_failed");
            assert_eq!(problem.body["errors"][0]["pointer"], format!("/{field}"));
        }
        assert_eq!(admin.get(&path).await.expect(200).body, changed);

        let archived = admin.post(&format!("{path}/archive"), &json!({})).await.expect(200).body;
        assert!(archived["archived_at"].is_string());
        assert_eq!(admin.post(&format!("{path}/archive"), &json!({})).await.expect(200).body, archived, "doing so again changes nothing");
        let new = json!({ "slug": "acme", "name": "Acme", "contact_email": "a@acme.example", "plan_id": plan["id"] });
        let refused = admin.post("/api/admin/tenants", &new).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.body["errors"][0]["pointer"], "/plan_id");
        let restored = admin.post(&format!("{path}/restore"), &json!({})).await.expect(200).body;
        assert_eq!(restored["archived_at"], Value::Null);
        let made = admin.post("/api/admin/tenants", &new).await.expect(201);

        admin.delete(&path).await.expect_problem(409, "conflict");
        admin.delete(made.header("location").unwrap()).await.expect(204);
        admin.delete(&path).await.expect(204);
        for reply in [
            admin.get(&path).await,
            admin.patch(&path, &json!({ "name": "New" })).await,
            admin.delete(&path).await,
            admin.post(&format!("{path}/archive"), &json!({})).await,
            admin.post(&format!("{path}/restore"), &json!({})).await,
        ] {
            reply.expect_problem(404, "not_found");
        }
        assert_eq!(admin.get("/api/admin/plans").await.expect(200).body["items"], json!([other]));

        let audit = world.rows("SELECT action, details FROM audit_events WHERE action LIKE 'plan.%' ORDER BY id").await;
        let words: Vec<_> = audit.iter().map(|event| event["action"].as_str().unwrap()).collect();
        let one_each = ["plan.created", "plan.created", "plan.changed", "plan.changed", "plan.archived", "plan.restored", "plan.deleted"];
        assert_eq!(words, one_each);
        for (place, detail) in [(2, "\"old_name\":\"Basic\""), (3, "\"new_monthly_run_quota\":\"7\""), (6, "\"name\":\"Größe XL\"")] {
            assert!(audit[place]["details"].to_string().replace('\\', "").contains(detail), "{:?}", audit[place]);
        }
    }

    async fn fields_that_are_not_a_plans_to_change_are_refused_by_name(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Basic", 100).await;
        for field in ["id", "archived_at", "created_at", "updated_at", "tenants"] {
            let problem = admin.patch(&path(&plan), &json!({ "name": "New", field: null })).await.expect_problem(422, "validation_failed");
            assert!(problem.body["errors"][0]["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem:?}");
        }
        assert_eq!(admin.get(&path(&plan)).await.expect(200).body, plan);
    }

    async fn plans_are_found_by_name_and_archiving(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        for name in ["Ärzte", "100% Bio", "1000 Bio"] {
            admin.create_plan(name, 10).await;
        }
        let old = admin.create_plan("Bio, old", 10).await;
        admin.post(&format!("{}/archive", path(&old)), &json!({})).await.expect(200);
        assert_eq!(found(&admin, "search=BIO").await, ["Bio, old", "1000 Bio", "100% Bio"]);
        assert_eq!(found(&admin, "search=bio&archived=false").await, ["1000 Bio", "100% Bio"]);
        assert_eq!(found(&admin, "archived=true").await, ["Bio, old"]);
        assert_eq!(found(&admin, "search=%C3%A4RZ").await, ["Ärzte"]);
        assert_eq!(found(&admin, "search=0%25").await, ["100% Bio"]);
        assert_eq!(found(&admin, "search=+&archived=false&limit=2").await, ["1000 Bio", "100% Bio"]);
        admin.patch(&path(&old), &json!({ "name": "Renamed" })).await.expect(200);
        assert_eq!(found(&admin, "search=renamed").await, ["Renamed"]);
        assert_eq!(admin.get("/api/admin/plans?search=bio&limit=1&count=true").await.expect(200).body["total"], 2);
        admin.get("/api/admin/plans?archived=perhaps").await.expect_problem(422, "validation_failed");
        let long = "x".repeat(201);
        admin.get(&format!("/api/admin/plans?search={long}")).await.expect_problem(422, "validation_failed");
    }

    /// The database decides: whoever wins, no tenant is on a plan that isn't there.
    async fn a_plan_that_is_deleted_while_tenants_come_is_left_or_has_none(world: World) {
        let servers = world.servers().await;
        let admins: Vec<Api> = servers.iter().map(|server| world.admin(server)).collect();
        for round in 0..4 {
            let plan = admins[0].create_plan(&format!("Plan {round}"), 1).await;
            let mut racers: JoinSet<(bool, Reply)> = JoinSet::new();
            for racer in 0..8 {
                let (admin, path, id) = (admins[racer % admins.len()].clone(), path(&plan), plan["id"].clone());
                racers.spawn(async move {
                    if racer == 3 {
                        return (false, admin.delete(&path).await);
                    }
                    let slug = format!("tenant-{round}-{racer}");
                    let new = json!({ "slug": slug, "name": "T", "contact_email": "t@t.example", "plan_id": id });
                    (true, admin.post("/api/admin/tenants", &new).await)
                });
            }
            let mut made = 0;
            let mut deleted = false;
            for (tenant, reply) in racers.join_all().await {
                match (tenant, reply.status) {
                    (true, 201) => made += 1,
                    (true, 422) => assert_eq!(reply.body["errors"][0]["code"], "unknown_plan"),
                    (false, 204) => deleted = true,
                    (false, 409) => {}
                    _ => panic!("{reply:?}"),
                }
            }
            let tenants = admins[0].get(&format!("/api/admin/tenants?plan_id={}", plan["id"].as_str().unwrap())).await.expect(200);
            assert_eq!(tenants.body["items"].as_array().unwrap().len(), made);
            assert_eq!(deleted, made == 0);
            assert_eq!(admins[0].get(&path(&plan)).await.status, if deleted { 404 } else { 200 });
        }
    }

    async fn a_lowered_quota_holds_from_the_next_activation_on(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Plan", 100).await;
        admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let acme = server.api().sign_in("acme", "ops@acme.example", world.mail()).await;
        let activate = async || {
            let project = acme.create_project("Client").await;
            acme.activate(project["id"].as_str().unwrap(), &json!({})).await
        };
        let set = async |quota: u32| drop(admin.patch(&path(&plan), &json!({ "monthly_run_quota": quota })).await.expect(200));
        for _ in 0..3 {
            activate().await.expect(200);
        }
        set(2).await;
        activate().await.expect_problem(403, "quota_exceeded");
        let usage = acme.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["monthly_run_quota"], &usage["used_this_month"]), (&json!(2), &json!(3)), "what was activated stays so");
        set(4).await;
        activate().await.expect(200);
        activate().await.expect_problem(403, "quota_exceeded");
    }
}
