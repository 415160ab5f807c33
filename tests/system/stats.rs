//! The figures of a dashboard, and the tallies that they are read from.

use serde_json::{Value, json};
use tenantry_domain::{
    Action, AuditEvent, AuditFilter, Clock as _, CodeId, Context, Expected, PageLimit, PageRequest, SystemClock, SystemEntropy,
    TenantId,
    ports::{
        AuditReads as _, AuditWrites as _, CodeReads as _, CodeWrites as _, StatsReads as _, Store as _, TenantWrites as _,
        Transaction as _,
    },
};
use tenantry_migration::{down, status, up};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Clocked, DatabaseUrl, World, database, on_both_databases};
use time::Duration;

const TALLIES: &str = "m20261125_000005_create_tallies";

/// What each tally counts, summed over its slots.
async fn tallies(world: &World) -> Vec<Vec<Value>> {
    let mut sums = Vec::new();
    for query in [
        "SELECT CAST(sum(codes) AS bigint) AS codes, CAST(sum(revoked) AS bigint) AS revoked, CAST(sum(exhausted) AS bigint) AS exhausted
            FROM code_tallies GROUP BY tenant_id, expires_on HAVING sum(codes) <> 0 ORDER BY tenant_id, expires_on",
        "SELECT CAST(sum(codes) AS bigint) AS codes, CAST(sum(revoked) AS bigint) AS revoked, CAST(sum(exhausted) AS bigint) AS exhausted
            FROM code_expiry_tallies GROUP BY tenant_id, expires_at HAVING sum(codes) <> 0 ORDER BY tenant_id, expires_at",
        "SELECT day, CAST(sum(activations) AS bigint) AS activations, CAST(sum(returns) AS bigint) AS returns,
            CAST(sum(refusals) AS bigint) AS refusals FROM usage_days GROUP BY day ORDER BY day",
        "SELECT CAST(sum(pending) AS bigint) AS pending, CAST(sum(active) AS bigint) AS active, CAST(sum(paused) AS bigint) AS paused,
            CAST(sum(completed) AS bigint) AS completed FROM project_tallies",
        "SELECT created_on, CAST(sum(tenants) AS bigint) AS tenants, CAST(sum(suspended) AS bigint) AS suspended
            FROM tenant_tallies GROUP BY created_on HAVING sum(tenants) <> 0 ORDER BY created_on",
    ] {
        sums.push(world.rows(query).await);
    }
    sums
}

/// Takes the tallies back, and makes them anew of what there is.
async fn make_tallies_anew(url: &DatabaseUrl) {
    let steps = status(url.as_str()).await.unwrap().applied();
    let after = steps.iter().rev().position(|step| step == TALLIES).expect("the step is there") + 1;
    down(url.as_str(), u32::try_from(after).unwrap()).await.unwrap();
    up(url.as_str()).await.unwrap();
}

async fn activate(api: &tenantry_tests::Api, name: &str, request: &Value) -> tenantry_tests::Reply {
    let project = api.create_project(name).await;
    api.activate(project["id"].as_str().unwrap(), request).await
}

on_both_databases! {
    async fn figures_follow_what_happens(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let figures = async || admin.get("/api/admin/stats").await.expect(200).body;
        let empty = figures().await;
        assert_eq!(empty["days"].as_array().unwrap().len(), 90);
        assert_eq!((&empty["this_week"]["success_rate"], &empty["quota_pressure"]["highest"]), (&Value::Null, &json!([])));

        let acme = world.tenant(&server, "acme").await;
        world.tenant(&server, "globex").await;
        let globex = admin.get("/api/admin/tenants?search=globex").await.expect(200).text_at("/items/0/id");
        admin.post(&format!("/api/admin/tenants/{globex}/suspend"), &json!({})).await.expect(204);
        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "From Before").await;
        for code in &acme.codes[..3] {
            activate(&acme.api, "Client", &json!({ "code": code })).await.expect(200);
        }
        activate(&acme.api, "Late", &json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
        let projects = acme.api.get("/api/tenant/projects?status=active").await.expect(200);
        for (place, what) in [(0, "pause"), (1, "complete")] {
            let id = projects.text_at(&format!("/items/{place}/id"));
            acme.api.post(&format!("/api/tenant/projects/{id}/{what}"), &json!({})).await.expect(200);
        }

        let now = figures().await;
        assert_eq!(now["tenants"], json!({ "total": 2, "suspended": 1, "new_this_week": 2, "new_last_week": 0 }));
        assert_eq!(now["codes"], json!({ "revoked": 0, "expired": 0, "exhausted": 3, "active": 17 }));
        assert_eq!(now["projects"], json!({ "pending": 1, "active": 2, "paused": 1, "completed": 1 }));
        let week = json!({ "activations": 3, "returns": 0, "refusals": 1, "success_rate": 0.75 });
        assert_eq!(now["this_week"], week);
        // Two days, where it is midnight in between.
        let days = now["days"].as_array().unwrap();
        let sum = |what: &str| days.iter().map(|day| day[what].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("activations"), sum("returns"), sum("refusals")), (3, 0, 1));
        assert_eq!(days[89]["day"].as_str().unwrap(), &now["at"].as_str().unwrap()[..10]);
        assert_eq!(now["quota_pressure"], json!({ "from_percent": 80, "tenants": 0, "highest": [] }));
        let usage = acme.api.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!(usage["codes"], json!({ "revoked": 0, "expired": 0, "exhausted": 3, "active": 7 }));

        admin.delete(&format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap())).await.expect(204);
        let without = figures().await;
        assert_eq!(without["tenants"]["total"], 1);
        assert_eq!(without["codes"], json!({ "revoked": 0, "expired": 0, "exhausted": 0, "active": 10 }));
        assert_eq!(without["projects"], json!({ "pending": 0, "active": 1, "paused": 0, "completed": 0 }));
        assert_eq!(without["this_week"], empty["this_week"]);
        assert!(without["days"].as_array().unwrap().iter().all(|day| day["activations"] == 0 && day["refusals"] == 0));
    }

    async fn whoever_is_close_to_its_quota_is_named(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        for (slug, quota, used) in [("most", 2, 2), ("edge", 5, 4), ("below", 5, 3)] {
            let plan = admin.create_plan(slug, quota).await;
            let (tenant, _) = admin.create_tenant(slug, plan["id"].as_str().unwrap(), &format!("it@{slug}.example")).await;
            admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 9 })).await;
            let api = server.api().sign_in(slug, &format!("it@{slug}.example"), world.mail()).await;
            for _ in 0..used {
                activate(&api, "Client", &json!({})).await.expect(200);
            }
        }
        let pressure = admin.get("/api/admin/stats").await.expect(200).body["quota_pressure"].clone();
        assert_eq!(pressure["tenants"], 2);
        let named: Vec<_> = pressure["highest"].as_array().unwrap().iter()
            .map(|one| json!([one["slug"], one["used"], one["quota"], one["percent"]])).collect();
        assert_eq!(named, [json!(["most", 2, 2, 100]), json!(["edge", 4, 5, 80])]);
    }

    /// Codes expire while the day passes; days and weeks turn at midnight in UTC.
    async fn figures_change_with_time_alone(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        let admin = server.admin();
        let tenant = admin.get("/api/admin/tenants").await.expect(200).text_at("/items/0/id");
        // In an hour, at midnight, and the day after, of which it is noon now.
        for (ttl, count) in [(3_600, 1), (12 * 3_600, 2), (36 * 3_600, 4)] {
            admin.issue_codes(&tenant, &json!({ "count": count, "ttl_seconds": ttl })).await;
        }
        activate(&acme, "Client", &json!({})).await.expect(200);
        let figures = async || server.admin().get("/api/admin/stats").await.expect(200).body;
        let codes = async |wait: Duration| {
            server.clock.advance(wait);
            let codes = figures().await["codes"].clone();
            [&codes["expired"], &codes["exhausted"], &codes["active"]].map(|count| count.as_u64().unwrap())
        };
        // The next available code was the one that expires in an hour.
        assert_eq!(codes(Duration::seconds(3_599)).await, [0, 1, 7]);
        assert_eq!(codes(Duration::seconds(1)).await, [1, 0, 7]);
        assert_eq!(codes(Duration::seconds(11 * 3_600 - 1)).await, [1, 0, 7]);
        assert_eq!(figures().await["days"][89], json!({ "day": "2026-03-01", "activations": 1, "returns": 0, "refusals": 0 }));
        assert_eq!(codes(Duration::SECOND).await, [3, 0, 5]);
        assert_eq!(figures().await["days"][88], json!({ "day": "2026-03-01", "activations": 1, "returns": 0, "refusals": 0 }));
        assert_eq!(codes(Duration::DAY).await, [7, 0, 1]);
        for (days, this_week, last_week) in [(4, 1, 0), (1, 0, 1), (6, 0, 1), (1, 0, 0)] {
            server.clock.advance(Duration::days(days));
            let figures = figures().await;
            let weeks = [&figures["this_week"]["activations"], &figures["last_week"]["activations"]];
            assert_eq!(weeks, [&json!(this_week), &json!(last_week)], "{}", figures["at"]);
        }
    }

    async fn tallies_that_are_made_of_what_there_is_equal_those_that_were_kept(world: World) {
        let mut server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let globex = world.tenant(&server, "globex").await;
        let tenant = acme.tenant["id"].as_str().unwrap();
        admin.issue_codes(tenant, &json!({ "count": 3, "ttl_seconds": 86_400, "max_uses": 2 })).await;
        for _ in 0..3 {
            activate(&acme.api, "Client", &json!({})).await.expect(200);
        }
        activate(&acme.api, "Another's", &json!({ "code": globex.codes[0] })).await.expect_problem(422, "code_unknown");
        acme.api.create_project("Waiting").await;
        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "From Before").await;
        let revoke = "UPDATE activation_codes SET revoked_at = created_at WHERE expires_at IS NULL AND use_count = 0";
        assert_eq!(database::execute(world.database_url(), revoke).await.unwrap(), 20);
        let move_it = "UPDATE tenants SET created_at = '2026-03-01T23:59:59.999999+00:00', suspended_at = created_at WHERE slug = 'globex'";
        assert_eq!(database::execute(world.database_url(), move_it).await.unwrap(), 1);
        server.terminate().await;
        let kept = tallies(&world).await;
        assert!(kept.iter().all(|tally| !tally.is_empty()), "{kept:?}");
        for _ in 0..2 {
            make_tallies_anew(world.database_url()).await;
            assert_eq!(tallies(&world).await, kept);
        }
    }
}

/// What the figures cost doesn't grow with the tables that do: none of them is so much as looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_read_without_a_look_at_codes_redemptions_and_events() {
    let world = World::postgres().await;
    let mut server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    activate(&acme.api, "Client", &json!({})).await.expect(200);
    server.terminate().await;
    // A connection reports what it scanned when it ends, at the latest.
    let scans = async || {
        let query = "SELECT relname, seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables
            WHERE relname IN ('activation_codes', 'redemptions', 'audit_events', 'llm_project_config', 'code_tallies', 'usage_days')
            ORDER BY relname = 'code_tallies' OR relname = 'usage_days', relname";
        let rows = world.rows(query).await;
        rows.iter().map(|row| row["scans"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    // What a server looks at when it starts, it looks at once.
    let begun = scans().await;
    server.restart().await;
    server.terminate().await;
    let before = scans().await;
    server.restart().await;
    let admin = world.admin(&server);
    for _ in 0..3 {
        admin.get("/api/admin/stats").await.expect(200);
    }
    acme.api.at(server.url()).get("/api/tenant/usage").await.expect(200);
    server.terminate().await;
    let after = scans().await;
    let looked = |until: &[i64], since: &[i64]| (0..4).map(|table| until[table] - since[table]).collect::<Vec<_>>();
    assert_eq!(looked(&after, &before), looked(&before, &begun));
    assert!(after[4] >= before[4] + 4 && after[5] >= before[5] + 3, "the tallies were looked at: {before:?} {after:?}");
}

/// Two transactions of one tenant, both open, that count in the same place. If the second waited for the first, it could hold a code that
/// the first will want.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_tally() {
    let world = World::postgres().await;
    let server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    let tenant: TenantId = acme.tenant["id"].as_str().unwrap().parse().unwrap();
    let codes: Vec<CodeId> = acme.tenant["activation_codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code["id"].as_str().unwrap().parse().unwrap())
        .collect();
    let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
    let now = SystemClock.now();
    let (mut first, mut second) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    assert!(first.consume_code(tenant, codes[0], None, now).await.unwrap());
    assert!(second.consume_code(tenant, codes[1], None, now).await.unwrap());
    assert!(first.consume_code(tenant, codes[2], None, now).await.unwrap());
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(store.reader().count_codes(tenant, now).await.unwrap(), [0, 0, 3, 7]);
    assert_eq!(store.reader().count_codes_of_everyone(now).await.unwrap(), [0, 0, 3, 7]);
    store.close().await;
}

/// A refusal is noted while its tenant is being deleted, in either order: it is not counted afterwards, and stands in the audit trail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_beside_a_deletion_is_not_counted() {
    let world = World::postgres().await;
    let server = world.server().await;
    let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
    let now = SystemClock.now();
    for (round, refused_first) in [true, false].into_iter().enumerate() {
        let acme = world.tenant(&server, &format!("acme-{round}")).await;
        let tenant: TenantId = acme.tenant["id"].as_str().unwrap().parse().unwrap();
        let event = AuditEvent::new(&Context::system(now, &SystemEntropy), Action::ActivationRefused, Some(tenant), None);
        let refuse = async || {
            let mut tx = store.begin().await.unwrap();
            tx.append_audit(&event).await.unwrap();
            tx
        };
        let delete = async || {
            let mut tx = store.begin().await.unwrap();
            assert!(tx.delete_tenant(tenant, &Expected::Any).await.unwrap());
            tx
        };
        // The first is committed while the second, where it has to, waits for it.
        let soon = tokio::time::sleep(std::time::Duration::from_millis(300));
        if refused_first {
            let first = refuse().await;
            let (_, second) = tokio::join!(
                async {
                    soon.await;
                    first.commit().await.unwrap();
                },
                delete()
            );
            second.commit().await.unwrap();
        } else {
            let first = delete().await;
            let (_, second) = tokio::join!(
                async {
                    soon.await;
                    first.commit().await.unwrap();
                },
                refuse()
            );
            second.commit().await.unwrap();
        }
        assert_eq!(store.reader().usage_days(now.day().days_before(1), now.day().next()).await.unwrap(), []);
        let noted = store
            .reader()
            .audit_page(
                Some(tenant),
                &AuditFilter::default(),
                PageRequest { limit: PageLimit::default(), after: None, count: false },
            )
            .await
            .unwrap()
            .items;
        assert!(noted.contains(&event), "{noted:?}");
    }
    store.close().await;
}
