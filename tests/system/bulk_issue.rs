//! Many codes in one call, sent while they are written: whole, cut off by either side, stalled, revoked midway.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tenantry_tests::{Api, DatabaseKind, PostgresCluster, World, on_both_databases};

/// More than any client, server and kernel between them hold back.
const FAR_TOO_MANY: u32 = 1_000_000;

/// Asks for codes as CSV, and reads nothing of the answer but its head.
async fn ask(admin: &Api, tenant: &Value, order: &Value) -> Response {
    let path = format!("/api/admin/tenants/{}/codes", tenant["id"].as_str().unwrap());
    let request = admin.request(Method::POST, &path).header("accept", "text/csv").json(order);
    request.send().await.unwrap()
}

fn batch_of(response: &Response) -> String {
    assert_eq!(response.status(), 201);
    response.headers()["x-batch-id"].to_str().unwrap().to_owned()
}

async fn batch(admin: &Api, id: &str) -> Value {
    admin.get(&format!("/api/admin/batches/{id}")).await.expect(200).body
}

/// Waits until a batch has left `issuing`.
async fn ended(admin: &Api, id: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let batch = batch(admin, id).await;
        if batch["state"] != "issuing" {
            return batch;
        }
        assert!(Instant::now() < deadline, "still issuing: {batch}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many rows a batch has in the database.
async fn rows(world: &World, batch: &str) -> u64 {
    let query = format!("SELECT hint FROM activation_codes WHERE batch_id = {}", world.uuid_literal(batch));
    world.rows(&query).await.len() as u64
}

/// The actions that the audit trail has of a batch, each with its details, oldest first.
async fn audited(world: &World, batch: &str) -> Vec<(String, Value)> {
    let query = format!("SELECT action, details FROM audit_events WHERE target = '{batch}' ORDER BY id");
    let event = |row: &Value| {
        (row["action"].as_str().unwrap().to_owned(), serde_json::from_str(row["details"].as_str().unwrap()).unwrap())
    };
    world.rows(&query).await.iter().map(event).collect()
}

async fn tenant(admin: &Api) -> Value {
    let plan = admin.create_plan("Bulk", 100).await;
    admin.create_tenant("acme", plan["id"].as_str().unwrap(), "it@acme.example").await.0
}

/// Reads an answer until it has come to some rows, which are stored by then.
async fn read_some(response: &mut Response) -> u64 {
    let mut lines = 0;
    while lines < 100 {
        let chunk = response.chunk().await.unwrap().expect("more rows follow");
        lines += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
    lines - 1
}

on_both_databases! {
    async fn ten_thousand_codes_are_sent_as_they_are_stored(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let order = json!({ "count": 10_000, "label": "=Spring, \"2027\"", "ttl_seconds": 3600, "max_uses": 2 });
        let response = ask(&admin, &acme.tenant, &order).await;
        let id = batch_of(&response);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"codes-{id}.csv\""));
        assert_eq!(header("location"), format!("/api/admin/batches/{id}"));
        assert_eq!(header("cache-control"), "no-store");
        let text = response.text().await.unwrap();

        let made = batch(&admin, &id).await;
        assert_eq!((&made["state"], &made["source"], &made["ordered"], &made["issued"]), (&json!("complete"), &json!("issued"), &json!(10_000), &json!(10_000)));
        assert_eq!(made["codes"], json!({ "revoked": 0, "expired": 0, "exhausted": 0, "active": 10_000 }));
        assert_eq!(made["created_by"].as_str().unwrap().split(' ').next(), Some("api_key"));
        let mut lines = text.split("\r\n");
        assert_eq!(lines.next(), Some("id,code,label,expires_at,max_uses"));
        let tail = format!(",\"'=Spring, \"\"2027\"\"\",{},2", made["expires_at"].as_str().unwrap());
        let mut codes = HashSet::new();
        for line in lines.by_ref().take(10_000) {
            let (id, rest) = line.split_once(',').unwrap();
            let code = rest.strip_suffix(&tail).unwrap_or_else(|| panic!("{line}"));
            assert!(id.starts_with("code_") && codes.insert((id.to_owned(), code.to_owned())));
        }
        assert_eq!(lines.collect::<Vec<_>>(), [""], "nothing follows the last code");

        // Any of them activates, and the database holds none of their texts.
        let (code_id, code) = codes.iter().next().unwrap();
        let project = acme.api.create_project("Client").await;
        let active = acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": code })).await.expect(200);
        assert_eq!(active.body["activation_code_id"], json!(code_id));
        assert_eq!(rows(&world, &id).await, 10_000);
        assert!(!world.stolen_database().contains(code.as_str()));
        assert!(!server.logs().contains(code.as_str()));
        let expected = [
            ("codes.issue_started".to_owned(), json!({ "ordered": "10000", "max_uses": "2" })),
            ("codes.issued".to_owned(), json!({ "count": "10000", "max_uses": "2" })),
        ];
        assert_eq!(audited(&world, &id).await, expected);
    }

    async fn a_client_that_goes_away_cancels_the_issue(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin).await;
        let mut response = ask(&admin, &acme, &json!({ "count": FAR_TOO_MANY })).await;
        let id = batch_of(&response);
        let read = read_some(&mut response).await;
        drop(response);
        let cancelled = ended(&admin, &id).await;
        let issued = cancelled["issued"].as_u64().unwrap();
        assert_eq!(cancelled["state"], "cancelled");
        assert!(issued >= read && issued < u64::from(FAR_TOO_MANY), "{cancelled}");
        assert_eq!((rows(&world, &id).await, cancelled["codes"]["active"].as_u64()), (issued, Some(issued)));
        let events = audited(&world, &id).await;
        let expected = json!({ "ordered": FAR_TOO_MANY.to_string(), "issued": issued.to_string(), "reason": "client_gone" });
        assert_eq!(events[1], ("codes.issue_cancelled".to_owned(), expected));

        // The operator sees it, and takes back what nobody holds.
        assert_eq!(admin.get("/api/admin/batches").await.expect(200).body["items"][0]["id"], json!(id));
        let revoke = format!("/api/admin/batches/{id}/revoke");
        assert_eq!(admin.post(&revoke, &json!({})).await.expect(200).body, json!({ "revoked": issued }));
        assert_eq!(admin.post(&revoke, &json!({})).await.expect(200).body, json!({ "revoked": 0 }));
        assert_eq!(batch(&admin, &id).await["codes"], json!({ "revoked": issued, "expired": 0, "exhausted": 0, "active": 0 }));
        let events = audited(&world, &id).await;
        assert_eq!(events[2..], [("codes.revoked".to_owned(), json!({ "codes": issued.to_string(), "ended_issue": "false" }))]);
    }

    async fn a_server_that_is_killed_midway_leaves_a_batch_that_says_what_it_holds(world: World) {
        let mut server = world.server().await;
        let acme = tenant(&world.admin(&server)).await;
        let mut response = ask(&world.admin(&server), &acme, &json!({ "count": FAR_TOO_MANY })).await;
        let id = batch_of(&response);
        let read = read_some(&mut response).await;
        server.kill9().await;
        assert!(rest_of(response).await.is_err(), "a cut answer is told from a whole one");
        server.restart().await;
        let admin = world.admin(&server);
        let left = batch(&admin, &id).await;
        assert_eq!((&left["state"], left["issued"].as_u64()), (&json!("issuing"), Some(rows(&world, &id).await)));
        assert!(left["issued"].as_u64() >= Some(read), "what was sent was stored");
        assert_eq!(admin.post(&format!("/api/admin/batches/{id}/revoke"), &json!({})).await.expect(200).body["revoked"], left["issued"]);
        assert_eq!(batch(&admin, &id).await["state"], "cancelled");
    }

    async fn a_reader_that_stalls_holds_up_nobody_else(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__MAX_IN_FLIGHT", 1).env("TENANTRY__HTTP__REQUEST_TIMEOUT_SECONDS", 2).start().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let mut stalled = ask(&admin, &acme.tenant, &json!({ "count": FAR_TOO_MANY })).await;
        let id = batch_of(&stalled);
        // Until what lies between server and client is full.
        let mut issued = Value::Null;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let before = std::mem::replace(&mut issued, batch(&admin, &id).await["issued"].clone());
            if before == issued && issued != json!(0) {
                break;
            }
            assert!(Instant::now() < deadline, "never stalled: {issued}");
        }
        assert!(issued.as_u64().unwrap() < u64::from(FAR_TOO_MANY), "the server runs ahead of its reader");
        let project = acme.api.create_project("Client").await;
        let started = Instant::now();
        acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(200);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        // Long after the request's time-out the stream goes on where it was.
        read_some(&mut stalled).await;
        assert_eq!(batch(&admin, &id).await["state"], "issuing");
    }

    async fn a_revocation_ends_an_issue_that_is_under_way(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin).await;
        let mut response = ask(&admin, &acme, &json!({ "count": FAR_TOO_MANY })).await;
        let id = batch_of(&response);
        read_some(&mut response).await;
        let (revoked, rest) = tokio::join!(
            async { admin.post(&format!("/api/admin/batches/{id}/revoke"), &json!({})).await.expect(200).body["revoked"].clone() },
            rest_of(response),
        );
        assert!(rest.is_err(), "the answer is cut off");
        let after = ended(&admin, &id).await;
        assert_eq!((&after["state"], &after["issued"], &after["codes"]["revoked"]), (&json!("cancelled"), &revoked, &revoked));
        assert_eq!(rows(&world, &id).await, revoked.as_u64().unwrap());
        let events = audited(&world, &id).await;
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!(events[1], ("codes.revoked".to_owned(), json!({ "codes": revoked.to_string(), "ended_issue": "true" })));
    }

    async fn a_server_that_is_asked_to_end_finishes_a_short_issue(world: World) {
        let mut server = world.server().await;
        let acme = tenant(&world.admin(&server)).await;
        let response = ask(&world.admin(&server), &acme, &json!({ "count": 12_000 })).await;
        let id = batch_of(&response);
        server.signal(tenantry_tests::Signal::Term);
        let text = response.text().await.unwrap();
        assert_eq!(text.lines().count(), 12_001);
        assert_eq!(server.wait(Duration::from_secs(30)).await, 0);
        server.restart().await;
        assert_eq!(batch(&world.admin(&server), &id).await["state"], "complete");
    }

    async fn an_order_that_cannot_be_streamed_is_refused_before_its_first_row(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin).await;
        for (order, pointer) in [
            (json!({ "count": 1_000_001 }), "/count"),
            (json!({ "count": 0 }), "/count"),
            (json!({ "count": 2_000, "max_uses": 0 }), "/max_uses"),
            (json!({ "count": 2_000, "ttl_seconds": -1 }), "/ttl_seconds"),
            (json!({ "count": 2_000, "label": "a\nb" }), "/label"),
        ] {
            let refused = ask(&admin, &acme, &order).await;
            assert_eq!((refused.status().as_u16(), refused.headers()["content-type"].to_str().unwrap()), (422, "application/problem+json"));
            assert_eq!(serde_json::from_str::<Value>(&refused.text().await.unwrap()).unwrap()["errors"][0]["pointer"], pointer);
        }
        let path = format!("/api/admin/tenants/{}/codes", acme["id"].as_str().unwrap());
        let nobody = ask(&admin, &json!({ "id": "ten_018bcfe568007000800000000000000a" }), &json!({ "count": 2_000 })).await;
        assert_eq!(nobody.status(), 404);
        let many = admin.post(&path, &json!({ "count": 1_001 })).await.expect_problem(422, "validation_failed");
        assert_eq!(many.body["errors"][0]["detail"], "must be 1 to 1000; `Accept: text/csv` issues more");
        assert_eq!(admin.get("/api/admin/batches").await.expect(200).body["items"].as_array().unwrap().len(), 1, "the tenant's first codes");
    }

    async fn batches_are_listed_by_tenant_and_label_and_read_by_their_id(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Bulk", 10).await;
        let mut tenants = Vec::new();
        for slug in ["acme", "beta"] {
            let (tenant, _) = admin.create_tenant(slug, plan["id"].as_str().unwrap(), "it@acme.example").await;
            let path = format!("/api/admin/tenants/{}/codes", tenant["id"].as_str().unwrap());
            let issued = admin.post(&path, &json!({ "count": 2, "label": "Spring", "max_uses": 3 })).await.expect(201);
            assert_eq!(issued.header("x-batch-id"), issued.body["batch_id"].as_str());
            tenants.push((tenant["id"].as_str().unwrap().to_owned(), issued.text_at("/batch_id")));
        }
        let listed = async |query: &str| {
            let items = admin.get(&format!("/api/admin/batches{query}")).await.expect(200).body["items"].as_array().unwrap().clone();
            items.iter().map(|batch| batch["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let [(acme, of_acme), (_, of_beta)] = &tenants[..] else { panic!() };
        assert_eq!(listed("").await.len(), 4);
        assert_eq!(listed("?label=Spring").await, [of_beta.clone(), of_acme.clone()]);
        assert_eq!(listed(&format!("?label=Spring&tenant={acme}")).await, [of_acme.as_str()]);
        assert_eq!(listed("?label=spring").await, [""; 0]);
        assert_eq!(listed("?limit=1").await, [of_beta.as_str()]);
        let read = batch(&admin, of_acme).await;
        assert_eq!((&read["tenant_id"], &read["max_uses"], &read["codes"]["active"]), (&json!(acme), &json!(3), &json!(2)));
        admin.get("/api/admin/batches?tenant=acme").await.expect_problem(422, "validation_failed");
        for path in ["/api/admin/batches/bat_018bcfe568007000800000000000000a", "/api/admin/batches/x"] {
            admin.get(path).await.expect_problem(404, "not_found");
            admin.post(&format!("{path}/revoke"), &json!({})).await.expect_problem(404, "not_found");
        }
    }
}

/// The rest of an answer; `Err` where it is cut off.
async fn rest_of(mut response: Response) -> reqwest::Result<()> {
    while response.chunk().await?.is_some() {}
    Ok(())
}

/// Waits until no connection is left of those that the database took with it: each is found out by a request.
async fn until_back(admin: &Api) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut answered = 0;
    while answered < 20 {
        answered = if admin.get("/api/admin/plans").await.status == 200 { answered + 1 } else { 0 };
        assert!(Instant::now() < deadline, "the database is back, and requests still fail");
    }
}

/// A database that goes away cuts the answer off; the batch is cancelled once it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_cuts_the_answer_off() {
    let cluster = PostgresCluster::start().await;
    let world = World::on(&cluster).await;
    assert_eq!(world.kind(), DatabaseKind::Postgres);
    let server = world.server().await;
    let admin = world.admin(&server);
    let acme = tenant(&admin).await;
    let mut response = ask(&admin, &acme, &json!({ "count": FAR_TOO_MANY })).await;
    let id = batch_of(&response);
    read_some(&mut response).await;
    cluster.crash().await;
    assert!(rest_of(response).await.is_err());
    cluster.start_again().await;
    until_back(&admin).await;
    let cancelled = ended(&admin, &id).await;
    assert_eq!((&cancelled["state"], cancelled["issued"].as_u64()), (&json!("cancelled"), Some(rows(&world, &id).await)));
    assert_eq!(audited(&world, &id).await[1].1["reason"], "store_failed");
}
