//! The audit trail over HTTP: who is shown what, how it is asked for, and that nothing changes without it.

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Clocked, Reply, SignedIn, World, on_both_databases};

/// The events of an answer, by their actions.
fn actions(reply: &Reply) -> Vec<&str> {
    reply.body["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect()
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Every item of a list, page by page.
async fn all(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}&limit=7{cursor}")).await.expect(200).body;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// A tenant with a life: a project that was activated, a refused activation, a suspension.
async fn lived_in(world: &World, server: &tenantry_tests::Server) -> (SignedIn, String) {
    let admin = world.admin(server);
    let acme = world.tenant(server, "acme").await;
    let project = id(&acme.api.create_project("Client").await);
    acme.api.activate(&project, &json!({ "code": "12RY-S55W-4MZR-KP2J" })).await.expect_problem(422, "code_unknown");
    acme.api.activate(&project, &json!({ "code": acme.codes[0] })).await.expect(200);
    let tenant_id = id(&acme.tenant);
    admin.issue_codes(&tenant_id, &json!({ "count": 3, "label": "More" })).await;
    admin.post(&format!("/api/admin/tenants/{tenant_id}/suspend"), &json!({})).await.expect(204);
    admin.post(&format!("/api/admin/tenants/{tenant_id}/resume"), &json!({})).await.expect(204);
    let api = server.api().sign_in("acme", &acme.email, world.mail()).await;
    (SignedIn { api, ..acme }, project)
}

on_both_databases! {
    async fn operators_find_events_by_whatever_they_know(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (acme, project) = lived_in(&world, &server).await;
        world.tenant(&server, "beta").await;
        let tenant_id = id(&acme.tenant);
        let find = async |query: &str| admin.get(&format!("/api/admin/events?limit=200&count=true&{query}")).await.expect(200);

        let every = find("").await;
        assert_eq!(every.body["total"], json!(actions(&every).len()));
        let its = find(&format!("tenant={tenant_id}")).await;
        assert!(actions(&its).len() < actions(&every).len());
        assert!(its.body["items"].as_array().unwrap().iter().all(|event| event["tenant_id"] == tenant_id.as_str()));

        assert_eq!(actions(&find(&format!("target={project}")).await), ["project.activated", "activation.refused", "project.created"]);
        assert_eq!(actions(&find(&format!("target={project}&action=activation.refused")).await), ["activation.refused"]);
        let projects = find(&format!("tenant={tenant_id}&action=project.")).await;
        assert_eq!(actions(&projects), ["project.activated", "project.created"]);
        let tenants = find("action=tenant.&actor=api_key").await;
        assert_eq!(actions(&tenants), ["tenant.created", "tenant.resumed", "tenant.suspended", "tenant.created"]);
        let name = tenants.text_at("/items/0/actor/id");
        assert_eq!(find(&format!("action=tenant.&actor=api_key:{name}")).await.body["items"], tenants.body["items"]);
        assert_eq!(actions(&find("actor=api_key:nobody").await), [""; 0]);
        let session = projects.text_at("/items/0/actor/session_id");
        let by_session = find(&format!("actor=tenant:{session}")).await;
        assert!(actions(&by_session).contains(&"project.created"), "{by_session:?}");
        let by_tenant = find(&format!("actor=tenant:{tenant_id}")).await;
        assert!(actions(&by_tenant).len() > actions(&by_session).len() - 1 && !actions(&by_tenant).contains(&"otp.requested"), "{by_tenant:?}");
        let request = projects.text_at("/items/0/request_id");
        assert_eq!(actions(&find(&format!("request_id={request}")).await), ["project.activated"]);
        assert_eq!(actions(&find("outcome=failure").await), ["activation.refused"]);
        assert_eq!(actions(&find("outcome=failure&action=project.").await), [""; 0]);
        let succeeded = find(&format!("outcome=success&tenant={tenant_id}")).await;
        assert_eq!(actions(&succeeded).len(), actions(&its).len() - 1);

        // A whole event.
        let refused = &find("action=activation.refused").await.body["items"][0];
        assert_eq!(refused["actor"], json!({ "kind": "tenant", "id": tenant_id, "session_id": session }));
        assert_eq!((&refused["details"]["reason"], &refused["client_ip"]), (&json!("code_unknown"), &json!("127.0.0.1")));
        assert!(refused["request_id"].as_str().unwrap().starts_with("req_"));

        // Pages make the same list as one page does.
        assert_eq!(all(&admin, &format!("/api/admin/events?tenant={tenant_id}")).await, *its.body["items"].as_array().unwrap());
        for query in [
            "tenant=acme", "actor=moon", "actor=operator:acme", "actor=system:x", "action=project", "action=moon.", "target=x'--", "target=a%00",
            "from=yesterday", "to=2026-11-25", "from=2026-11-25T09:30:00", "actor=api_key:%00", "by=me", "outcome=moon", "request_id=1",
        ] {
            admin.get(&format!("/api/admin/events?{query}")).await.expect_problem(422, "validation_failed");
        }
        acme.api.get("/api/admin/events").await.expect_problem(401, "unauthenticated");
    }

    async fn a_time_begins_inclusive_and_ends_exclusive(world: World) {
        let server = Clocked::start(&world).await;
        let admin = server.admin();
        for number in 0..4 {
            admin.create_plan(&format!("Plan {number}"), 5).await;
            server.clock.advance(time::Duration::SECOND);
        }
        let find = async |query: &str| {
            let found = admin.get(&format!("/api/admin/events?{query}")).await.expect(200).body;
            found["items"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap()[17..19].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(find("from=2026-03-01T12:00:01Z&to=2026-03-01T12:00:03Z").await, ["02", "01"]);
        assert_eq!(find("from=2026-03-01T12:00:01.000001Z").await, ["03", "02"]);
        assert_eq!(find("to=2026-03-01T14:00:01.000001%2B02:00").await, ["01", "00"]);
        assert_eq!(find("from=2026-03-01T12:00:03Z&to=2026-03-01T12:00:01Z").await, [""; 0]);
    }

    /// Its own trail has all that was done by it, in its name and to it, and nothing of who the operators are or of other tenants.
    async fn a_tenant_sees_its_own_trail_and_nothing_of_others(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (acme, _) = lived_in(&world, &server).await;
        let beta = world.tenant(&server, "beta").await;
        let project = id(&beta.api.create_project("Client").await);
        // Another's try of a code of this tenant is that tenant's event, and its code's.
        beta.api.activate(&project, &json!({ "code": acme.codes[1] })).await.expect_problem(422, "code_unknown");

        let own = acme.api.get("/api/tenant/events?limit=200&count=true").await.expect(200);
        let tenant_id = id(&acme.tenant);
        let whole = admin.get(&format!("/api/admin/events?limit=200&tenant={tenant_id}")).await.expect(200);
        assert_eq!(actions(&own), actions(&whole), "all of it");
        let mut by_operators = 0;
        for (shown, whole) in own.body["items"].as_array().unwrap().iter().zip(whole.body["items"].as_array().unwrap()) {
            if whole["actor"]["kind"] == "api_key" {
                by_operators += 1;
                assert_eq!(shown["actor"], json!({ "kind": "api_key", "id": null, "session_id": null }));
                assert_eq!((&shown["client_ip"], &shown["request_id"]), (&Value::Null, &Value::Null));
                assert_eq!((&shown["details"], &shown["at"]), (&whole["details"], &whole["at"]));
            } else {
                assert_eq!(shown, whole);
            }
        }
        assert!(by_operators >= 4, "{own:?}");
        let name = admin.get("/api/admin/events?actor=api_key").await.expect(200).text_at("/items/0/actor/id");
        for secret in [name.as_str(), beta.tenant["id"].as_str().unwrap(), project.as_str()] {
            assert!(!own.text.contains(secret), "{secret}: {own:?}");
        }
        // Nor can it ask.
        for query in [format!("actor=api_key:{name}"), "actor=operator:opr_018bcfe568007000800000000000000a".to_owned(), format!("tenant={tenant_id}")] {
            acme.api.get(&format!("/api/tenant/events?{query}")).await.expect_problem(422, "validation_failed");
        }
        assert_eq!(actions(&acme.api.get("/api/tenant/events?actor=api_key&action=tenant.").await.expect(200)), ["tenant.resumed", "tenant.suspended", "tenant.created"]);
        let foreign = acme.api.get(&format!("/api/tenant/events?target={project}")).await.expect(200);
        assert_eq!(actions(&foreign), [""; 0]);
        server.api().get("/api/tenant/events").await.expect_problem(401, "unauthenticated");
    }

    /// All that match, however many, as the pages have them.
    async fn the_trail_is_exported_whole(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        // More than two pages of the export.
        for number in 0..420 {
            acme.api.create_project(&format!("=HYPERLINK(\"{number}\")")).await;
        }
        for (api, path) in [(&admin, "/api/admin/events?action=project."), (&acme.api, "/api/tenant/events?action=project.")] {
            let csv = api.send(api.request(Method::GET, &format!("{path}&limit=1")).header("accept", "text/csv")).await.expect(200);
            assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
            let mut lines = csv.text.lines();
            assert_eq!(lines.next(), Some("id,at,tenant_id,actor_kind,actor_id,session_id,action,outcome,target,client_ip,request_id,details,trace_id"));
            let exported: Vec<_> = lines.map(|line| line.split(',').next().unwrap().to_owned()).collect();
            let listed: Vec<_> = all(api, path).await.iter().map(id).collect();
            assert_eq!((exported.len(), &exported), (420, &listed));
        }
        let refused = admin.request(Method::GET, "/api/admin/events?action=moon.").header("accept", "text/csv");
        admin.send(refused).await.expect_problem(422, "validation_failed");
    }
}
