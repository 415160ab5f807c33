//! `Idempotency-Key`: a request is carried out once, however often it is sent, to whichever server, and however that one ends.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};
use serde_json::{Value, json};
use tenantry_tests::{Api, Clocked, DatabaseKind, Reply, World, on_both_databases};
use tokio::{task::JoinSet, time::sleep};

/// What a server needs to be killed and asked again without much waiting.
const SHORT_TIMEOUT: u64 = 2;

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Reply {
    api.send(api.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

/// That a replay is the first answer again, to the byte, but for what names the request, the moment and the connection.
#[track_caller]
fn assert_replayed(first: &Reply, again: &Reply) {
    let headers = |reply: &Reply| {
        let mut headers = reply.headers.clone();
        let id = headers.remove("x-request-id").expect("a request id");
        headers.remove("date");
        headers.remove("connection");
        (headers, id)
    };
    let ((mut expected, first_id), (found, again_id)) = (headers(first), headers(again));
    expected.insert("idempotency-replayed", "true".parse().unwrap());
    assert_eq!((first.status, &first.text, expected), (again.status, &again.text, found));
    assert_ne!(first_id, again_id);
}

async fn count(world: &World, table: &str) -> usize {
    world.rows(&format!("SELECT 1 AS one FROM {table}")).await.len()
}

/// The API's document.
fn server_document() -> Value {
    serde_json::from_str(&tenantry_http::openapi::<tenantry_domain::memory::MemoryStore>()).unwrap()
}

/// The path of every POST in its order, and whether it takes a key.
fn posts(document: &Value) -> impl Iterator<Item = (&str, bool)> {
    let posts = document["paths"].as_object().unwrap().iter().filter_map(|(path, item)| {
        let parameters = item.get("post")?["parameters"].as_array();
        let takes_key = parameters.into_iter().flatten().any(|parameter| parameter["name"] == "Idempotency-Key");
        Some((path.as_str(), takes_key))
    });
    posts.collect::<BTreeMap<_, _>>().into_iter()
}

/// Every POST takes a key, but for those that are the same, or refused, when they are sent again, and those of nobody.
#[test]
fn every_post_that_makes_or_uses_something_up_takes_a_key() {
    let document = server_document();
    let keyless: Vec<_> = posts(&document).filter(|&(_, takes_key)| !takes_key).map(|(path, _)| path).collect();
    let mut known = [
        // Nobody is signed in: a challenge and a link are used up once by themselves.
        "/bootstrap/{token}",
        "/api/admin/auth/otp/generate",
        "/api/admin/auth/otp/verify",
        "/api/tenant/auth/otp/generate",
        "/api/tenant/auth/otp/verify",
        // These set what is so again when they are repeated.
        "/api/admin/auth/logout",
        "/api/admin/auth/refresh",
        "/api/admin/auth/sessions/revoke-all",
        "/api/tenant/auth/logout",
        "/api/tenant/auth/refresh",
        "/api/tenant/auth/sessions/revoke-all",
        "/api/admin/batches/{id}/revoke",
        "/api/admin/codes/{id}/revoke",
        "/api/admin/messages/{id}/discard",
        "/api/admin/messages/{id}/retry",
        "/api/admin/plans/{id}/archive",
        "/api/admin/plans/{id}/restore",
        "/api/admin/tenants/{id}/resume",
        "/api/admin/tenants/{id}/suspend",
        // A transition that has taken place is refused.
        "/api/tenant/projects/{id}/complete",
        "/api/tenant/projects/{id}/pause",
        "/api/tenant/projects/{id}/resume",
        // This changes nothing.
        "/api/admin/codes/check",
    ];
    known.sort_unstable();
    assert_eq!(keyless, known);
}

/// The tables that an effect shows in.
async fn counts(world: &World) -> Vec<usize> {
    let mut counts = Vec::new();
    for table in [
        "plans",
        "tenants",
        "activation_codes",
        "llm_project_config",
        "redemptions",
        "operators",
        "api_keys",
        "webhooks",
        "outbox",
        "audit_events",
    ] {
        counts.push(count(world, table).await);
    }
    counts
}

/// Sends a request with a key until it is answered, to whichever server is there.
async fn persist(api: &Api, urls: &std::sync::Mutex<Vec<String>>, path: &str, key: &str, body: &Value) -> Reply {
    for attempt in 0.. {
        let url = {
            let urls = urls.lock().unwrap();
            urls[attempt % urls.len()].clone()
        };
        let api = api.at(&url);
        let request = api.request(Method::POST, path).header("idempotency-key", key).json(body);
        match api.try_send(request).await {
            Ok(reply) if reply.status < 300 => return reply,
            Ok(reply) if reply.status == 503 || reply.body["code"] == "idempotency_in_flight" => {}
            Ok(reply) => panic!("{path} {key}: {reply:?}"),
            Err(_) => {}
        }
        assert!(attempt < 400, "{path} {key} is never answered");
        sleep(Duration::from_millis(100)).await;
    }
    unreachable!()
}

on_both_databases! {
    async fn a_repeated_request_is_answered_alike_and_carried_out_once(world: World) {
        let servers = world.servers().await;
        let other = servers.last().unwrap().url();
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let tenant_id = acme.tenant["id"].as_str().unwrap();
        world.insert_legacy_project("0190a0a0-0000-7000-8000-000000000001", "old", "Old").await;
        let [project, kept, given_back] = [acme.api.create_project("Client").await, acme.api.create_project("Kept").await, acme.api.create_project("Back").await]
            .map(|project| project["id"].as_str().unwrap().to_owned());
        for used in [&kept, &given_back] {
            acme.api.activate(used, &json!({})).await.expect(200);
        }
        let codes = admin.post(&format!("/api/admin/tenants/{tenant_id}/codes"), &json!({ "count": 2 })).await.expect(201);
        let code = |number: usize| codes.text_at(&format!("/activation_codes/{number}/id"));
        // At each door a webhook that was sent a message, which is settled.
        let hook = json!({ "url": "https://hooks.example", "events": ["tenant.suspended"] });
        let mut hooks = Vec::new();
        for (api, door) in [(&admin, "/api/admin/webhooks"), (&acme.api, "/api/tenant/webhooks")] {
            let made = api.post(door, &hook).await.expect(201).text_at("/id");
            let sent = api.post(&format!("{door}/{made}/test"), &json!({})).await.expect(202).text_at("/id");
            hooks.push((made, sent));
        }
        let give_up = "UPDATE outbox SET settled_at = created_at, outcome = 'dead' WHERE webhook_id IS NOT NULL";
        tenantry_tests::database::execute(world.database_url(), give_up).await.unwrap();
        let (of_operators, of_acme) = (&hooks[0], &hooks[1]);
        let plan_id = admin.get("/api/admin/plans").await.expect(200).text_at("/items/0/id");
        let tenant = json!({ "slug": "beta", "name": "Beta", "contact_email": "ops@beta.example", "plan_id": plan_id });
        let requests = [
            (&admin, "/api/admin/plans", String::new(), json!({ "name": "Another", "monthly_run_quota": 5 }), 201),
            (&admin, "/api/admin/tenants", String::new(), tenant, 201),
            (&admin, "/api/admin/tenants/{id}/codes", tenant_id.to_owned(), json!({ "count": 3 }), 201),
            (&admin, "/api/admin/codes/{id}/reissue", code(0), json!({}), 200),
            (&admin, "/api/admin/codes/{id}/expire", code(1), json!({}), 200),
            (&admin, "/api/admin/projects/{id}/assign", "prj_0190a0a0000070008000000000000001".to_owned(), json!({ "tenant_id": tenant_id }), 200),
            (&admin, "/api/admin/projects/{id}/return", given_back, json!({}), 200),
            (&admin, "/api/admin/operators", String::new(), json!({ "name": "Ada", "email": "ada@portal.example", "role": "viewer" }), 201),
            (&admin, "/api/admin/api-keys", String::new(), json!({ "name": "CI", "scopes": ["plans:read"] }), 201),
            (&admin, "/api/admin/webhooks", String::new(), hook.clone(), 201),
            (&admin, "/api/admin/webhooks/{id}/deliveries/{delivery}/redeliver", of_operators.0.clone(), json!({}), 202),
            (&admin, "/api/admin/webhooks/{id}/rotate-secret", of_operators.0.clone(), json!({}), 200),
            (&admin, "/api/admin/webhooks/{id}/test", of_operators.0.clone(), json!({}), 202),
            (&acme.api, "/api/tenant/webhooks", String::new(), hook, 201),
            (&acme.api, "/api/tenant/webhooks/{id}/deliveries/{delivery}/redeliver", of_acme.0.clone(), json!({}), 202),
            (&acme.api, "/api/tenant/webhooks/{id}/rotate-secret", of_acme.0.clone(), json!({}), 200),
            (&acme.api, "/api/tenant/webhooks/{id}/test", of_acme.0.clone(), json!({}), 202),
            (&acme.api, "/api/tenant/projects", String::new(), json!({ "client_name": "Keyed" }), 201),
            (&acme.api, "/api/tenant/projects/{id}/activate", project, json!({}), 200),
            (&acme.api, "/api/tenant/projects/{id}/return", kept, json!({}), 200),
        ];
        let document = server_document();
        // A file has its own test.
        let mut walked = vec!["/api/admin/tenants/{id}/codes/import"];
        walked.extend(requests.iter().map(|&(_, path, ..)| path));
        walked.sort_unstable();
        let keyed: Vec<_> = posts(&document).filter(|&(_, takes_key)| takes_key).map(|(path, _)| path).collect();
        assert_eq!(walked, keyed, "every operation that takes a key is sent again here");
        for (number, (api, path, id, body, status)) in requests.iter().enumerate() {
            let delivery = if path.starts_with("/api/admin") { &of_operators.1 } else { &of_acme.1 };
            let (key, path) = (format!("key-{number}"), &path.replace("{id}", id).replace("{delivery}", delivery));
            let first = post(api, path, &key, body).await.expect(*status);
            assert_eq!(first.header("idempotency-replayed"), None);
            let after = counts(&world).await;
            for again in [post(api, path, &key, body).await, post(&api.at(other), path, &key, body).await] {
                assert_replayed(&first, &again);
            }
            assert_eq!(counts(&world).await, after, "{path}");
        }
    }

    async fn a_key_belongs_to_one_request(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = |name: &str| json!({ "name": name, "monthly_run_quota": 5 });
        post(&admin, "/api/admin/plans", "k", &plan("One")).await.expect(201);
        for (path, body) in [
            ("/api/admin/plans", plan("Two")),
            ("/api/admin/plans?a=b", plan("One")),
        ] {
            post(&admin, path, "k", &body).await.expect_problem(422, "idempotency_mismatch");
        }
        // Bytes are compared, not what they mean.
        let reordered = r#"{"monthly_run_quota": 5, "name": "One"}"#;
        let request = admin.request(Method::POST, "/api/admin/plans").header("idempotency-key", "k");
        let reordered = admin.send(request.header("content-type", "application/json").body(reordered)).await;
        reordered.expect_problem(422, "idempotency_mismatch");
        let tenant = json!({ "slug": "acme", "name": "Acme", "contact_email": "ops@acme.example", "plan_id": "pln_0190a0a0000070008000000000000001" });
        post(&admin, "/api/admin/tenants", "k", &tenant).await.expect_problem(422, "idempotency_mismatch");
        assert_eq!((count(&world, "plans").await, count(&world, "tenants").await), (1, 0));
    }

    async fn a_key_is_its_senders_own(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (acme, beta) = (world.tenant(&server, "acme").await, world.tenant(&server, "beta").await);
        let body = json!({ "client_name": "Client" });
        let first = post(&acme.api, "/api/tenant/projects", "k", &body).await.expect(201);
        let others = post(&beta.api, "/api/tenant/projects", "k", &body).await.expect(201);
        assert_ne!(first.text_at("/id"), others.text_at("/id"));
        post(&admin, "/api/admin/plans", "k", &json!({ "name": "One", "monthly_run_quota": 5 })).await.expect(201);
        // A tenant that signed in again, as one does after a time-out, is who it was.
        let later = server.api().sign_in("acme", &acme.email, world.mail()).await;
        assert_replayed(&first, &post(&later, "/api/tenant/projects", "k", &body).await);
        // So is an operator; its API keys are others.
        let ada = world.operator(&server, "owner", "ada@portal.example").await;
        let (_, program) = ada.api.create_api_key(&["plans:write"]).await;
        let plan = |name: &str| json!({ "name": name, "monthly_run_quota": 5 });
        let adas = post(&ada.api, "/api/admin/plans", "k", &plan("Two")).await.expect(201);
        let again = server.api().sign_in_operator(&ada.email, world.mail()).await;
        assert_replayed(&adas, &post(&again, "/api/admin/plans", "k", &plan("Two")).await);
        post(&program, "/api/admin/plans", "k", &plan("Three")).await.expect(201);
        // Who isn't signed in learns nothing of a key.
        post(&server.api(), "/api/tenant/projects", "k", &body).await.expect_problem(401, "unauthenticated");
    }

    async fn of_32_racing_requests_with_one_key_one_is_carried_out(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        for round in 0..3 {
            let before = count(&world, "llm_project_config").await;
            let mut racers = JoinSet::new();
            for number in 0..32 {
                let api = acme.api.at(servers[number % servers.len()].url());
                racers.spawn(async move { post(&api, "/api/tenant/projects", &format!("key-{round}"), &json!({ "client_name": "Client" })).await });
            }
            let replies = racers.join_all().await;
            let made: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
            assert!(!made.is_empty() && made.iter().all(|reply| reply.text == made[0].text), "{replies:?}");
            assert_eq!(made.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count(), 1, "{replies:?}");
            for refused in replies.iter().filter(|reply| reply.status != 201) {
                let wait = refused.clone().expect_problem(409, "idempotency_in_flight");
                assert_eq!(wait.header("retry-after"), Some("1"));
            }
            assert_eq!(count(&world, "llm_project_config").await, before + 1);
        }
    }

    async fn a_refusal_leaves_the_key_free(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("One", 1).await;
        let (tenant, codes) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let acme = server.api().sign_in("acme", "ops@acme.example", world.mail()).await;
        let [first, second] = [acme.create_project("First").await, acme.create_project("Second").await];
        acme.activate(first["id"].as_str().unwrap(), &json!({ "code": codes[0] })).await.expect(200);
        let path = format!("/api/tenant/projects/{}/activate", second["id"].as_str().unwrap());
        for _ in 0..2 {
            let refused = post(&acme, &path, "k", &json!({})).await.expect_problem(409, "no_code_available");
            assert_eq!(refused.header("idempotency-replayed"), None);
        }
        assert_eq!(world.rows("SELECT action FROM audit_events WHERE action = 'activation.refused'").await.len(), 2, "both are audited");
        admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 1 })).await;
        post(&acme, &path, "k", &json!({})).await.expect_problem(403, "quota_exceeded");
        // A refusal before anything was claimed keeps the key free for what was meant.
        post(&acme, "/api/tenant/projects", "p", &json!({ "client_name": 7 })).await.expect_problem(422, "validation_failed");
        post(&acme, "/api/tenant/projects", "p", &json!({ "client_name": "Client" })).await.expect(201);
    }

    async fn a_key_that_is_none_is_refused(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let body = json!({ "client_name": "Client" });
        for key in ["", "two words", "tab\there", "\u{e4}", &"x".repeat(256)] {
            post(&acme.api, "/api/tenant/projects", key, &body).await.expect_problem(400, "bad_request");
        }
        let twice = acme.api.request(Method::POST, "/api/tenant/projects").header("idempotency-key", "a").header("idempotency-key", "b");
        acme.api.send(twice.json(&body)).await.expect_problem(400, "bad_request");
        assert_eq!(count(&world, "llm_project_config").await, 0);
        post(&acme.api, "/api/tenant/projects", &"x".repeat(255), &body).await.expect(201);
    }

    /// An operation heeds a key if, and only if, the document says so.
    async fn keys_are_heeded_where_the_document_says_so(world: World) {
        let server = world.server().await;
        let (admin, acme) = (world.admin(&server), world.tenant(&server, "acme").await);
        let document = server.api().get("/openapi.json").await.expect(200).body;
        let mut heeded = 0;
        let mut paths: Vec<_> = document["paths"].as_object().unwrap().iter().collect();
        // Signing out comes last.
        paths.sort_by_key(|(path, _)| path.contains("/auth/"));
        for (path, item) in paths {
            let Some(operation) = item.get("post") else { continue };
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let documented = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            let mut concrete = path.clone();
            for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
                let schema = parameter["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
                let example = document.pointer(schema).unwrap()["examples"][0].as_str().unwrap();
                concrete = concrete.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), example);
            }
            let api = if path.starts_with("/api/admin") { &admin } else { &acme.api };
            let reply = post(api, &concrete, "no key", &json!({})).await;
            let refused = reply.body["detail"].as_str().is_some_and(|detail| detail.contains("`Idempotency-Key`"));
            assert_eq!(refused, documented, "{path}: {reply:?}");
            heeded += usize::from(documented);
        }
        assert!(heeded >= 6, "{heeded}");
    }

    async fn an_answer_is_kept_for_a_day(world: World) {
        let server = Clocked::start(&world).await;
        let admin = server.admin();
        let plan = json!({ "name": "One", "monthly_run_quota": 5 });
        let first = post(&admin, "/api/admin/plans", "k", &plan).await.expect(201);
        server.clock.advance(time::Duration::DAY - time::Duration::SECOND);
        assert_replayed(&first, &post(&admin, "/api/admin/plans", "k", &plan).await);
        server.clock.advance(time::Duration::SECOND);
        // As good as new: the plan that is asked for is there.
        post(&admin, "/api/admin/plans", "k", &plan).await.expect_problem(409, "conflict");
        post(&admin, "/api/admin/plans", "k", &json!({ "name": "Two", "monthly_run_quota": 5 })).await.expect(201);
    }

    /// What is kept of an answer that showed codes is worth nothing without the key ring.
    async fn a_stolen_database_shows_no_code_of_a_kept_answer(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let path = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        let issued = post(&admin, &path, "CANARY-KEY", &json!({ "count": 20, "label": "Canary" })).await.expect(201);
        assert_replayed(&issued, &post(&admin, &path, "CANARY-KEY", &json!({ "count": 20, "label": "Canary" })).await);
        let stolen = world.stolen_database();
        assert!(stolen.contains("Canary"), "the dump is one");
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let texts: Vec<&str> = issued.body["activation_codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
        for secret in texts.into_iter().chain(["CANARY-KEY"]) {
            assert!(!stolen.contains(secret), "{secret} is in the database");
            assert!(!stolen.contains(&hex(secret)), "{secret} is in the database, in hexadecimal");
        }
    }

    /// The largest answer that there is: a tenant on the largest plan, with its 100,000 codes.
    async fn the_largest_answer_is_kept_too(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__REQUEST_TIMEOUT_SECONDS", 300).start().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Largest", 1_000_000).await;
        let tenant = json!({ "slug": "acme", "name": "Acme", "contact_email": "ops@acme.example", "plan_id": plan["id"] });
        let request = admin.request(Method::POST, "/api/admin/tenants").header("idempotency-key", "k").json(&tenant);
        let first = admin.send(request.timeout(Duration::from_secs(300))).await.expect(201);
        assert_eq!(first.body["activation_codes"].as_array().unwrap().len(), 100_000);
        assert_replayed(&first, &post(&admin, "/api/admin/tenants", "k", &tenant).await);
        assert_eq!(count(&world, "activation_codes").await, 100_000);
    }

    /// Texts are shown once: a stream of codes can't be sent again, so a repeat is told where the codes are.
    async fn an_issue_in_csv_is_begun_once_and_its_repeats_are_told_of_its_batch(world: World) {
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let path = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        let issue = async |api: &Api, key: &str, count: u32| {
            let request = api.request(Method::POST, &path).header("idempotency-key", key).header("accept", "text/csv");
            api.send(request.json(&json!({ "count": count }))).await
        };
        let issued = issue(&admin, "k", 1_500).await.expect(201);
        let batch = issued.header("x-batch-id").unwrap().to_owned();
        let texts: Vec<&str> = issued.text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
        let codes = count(&world, "activation_codes").await;
        for api in [admin.clone(), admin.at(servers.last().unwrap().url())] {
            let again = issue(&api, "k", 1_500).await.expect_problem(409, "conflict");
            assert!(again.text_at("/detail").contains(&batch), "{again:?}");
            assert!(!texts.iter().any(|text| again.text.contains(text)));
        }
        issue(&admin, "k", 1_501).await.expect_problem(422, "idempotency_mismatch");
        assert_eq!((texts.len(), count(&world, "activation_codes").await), (1_500, codes));

        // Of many at once, as many as a server works at, one begins.
        let mut racers = JoinSet::new();
        for number in 0..8 {
            let api = admin.at(servers[number % servers.len()].url());
            let request = api.request(Method::POST, &path).header("idempotency-key", "race").header("accept", "text/csv").json(&json!({ "count": 10 }));
            racers.spawn(async move { api.send(request).await });
        }
        let replies = racers.join_all().await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1, "{replies:?}");
        assert!(replies.iter().all(|reply| matches!(reply.body["code"].as_str(), None | Some("conflict" | "idempotency_in_flight"))), "{replies:?}");
        assert_eq!(count(&world, "activation_codes").await, codes + 10);

        // A refusal keeps nothing.
        let unknown = "/api/admin/tenants/ten_0190a0a0000070008000000000000001/codes";
        for _ in 0..2 {
            let request = admin.request(Method::POST, unknown).header("idempotency-key", "u").header("accept", "text/csv");
            admin.send(request.json(&json!({ "count": 1 }))).await.expect_problem(404, "not_found");
        }
    }

    /// A server that is killed leaves the key locked for a while, then whoever asks again is served; what was done is done once.
    async fn keyed_requests_are_carried_out_once_while_servers_are_killed(world: World) {
        const PROJECTS: usize = 12;
        let mut servers = Vec::new();
        for _ in 0..if world.kind() == DatabaseKind::Postgres { 2 } else { 1 } {
            servers.push(world.builder().env("TENANTRY__HTTP__REQUEST_TIMEOUT_SECONDS", SHORT_TIMEOUT).start().await);
        }
        let acme = world.tenant(&servers[0], "acme").await;
        let tenant_id = acme.tenant["id"].as_str().unwrap();
        world.admin(&servers[0]).issue_codes(tenant_id, &json!({ "count": 2 * PROJECTS })).await;
        let issued = count(&world, "activation_codes").await;
        let urls: std::sync::Arc<std::sync::Mutex<Vec<String>>> =
            std::sync::Arc::new(std::sync::Mutex::new(servers.iter().map(|server| server.url().to_owned()).collect()));
        let mut clients = JoinSet::new();
        for number in 0..PROJECTS {
            let (tenant, admin, urls) = (acme.api.clone(), world.admin(&servers[0]), std::sync::Arc::clone(&urls));
            let codes = format!("/api/admin/tenants/{tenant_id}/codes");
            clients.spawn(async move {
                let project = persist(&tenant, &urls, "/api/tenant/projects", &format!("make-{number}"), &json!({ "client_name": "Client" })).await;
                let id = project.text_at("/id");
                let activate = format!("/api/tenant/projects/{id}/activate");
                let active = persist(&tenant, &urls, &activate, &format!("activate-{number}"), &json!({})).await;
                let batch = persist(&admin, &urls, &codes, &format!("issue-{number}"), &json!({ "count": 5 })).await;
                (id, active.text_at("/activation_code_id"), batch.text_at("/batch_id"))
            });
        }
        // Killed at another moment each round: while keys are claimed, while work is done, while it is committed.
        for round in 0..5 {
            sleep(Duration::from_millis(20 + 37 * round as u64)).await;
            let victim = round % servers.len();
            servers[victim].kill9().await;
            servers[victim].restart().await;
            urls.lock().unwrap()[victim] = servers[victim].url().to_owned();
        }
        let answered = clients.join_all().await;
        let projects = world.rows("SELECT project_status AS status FROM llm_project_config").await;
        assert_eq!(projects.len(), PROJECTS, "each project was made once");
        assert!(projects.iter().all(|project| project["status"] == "active"));
        assert_eq!(count(&world, "redemptions").await, PROJECTS);
        assert_eq!(count(&world, "activation_codes").await, issued + 5 * PROJECTS, "each issue took place once");
        let api = acme.api.at(servers[0].url());
        let usage = api.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["used_this_month"], &usage["codes"]["exhausted"]), (&json!(PROJECTS), &json!(PROJECTS)));
        for (project, code, batch) in answered {
            let stored = api.get(&format!("/api/tenant/projects/{project}")).await.expect(200);
            assert_eq!(stored.text_at("/activation_code_id"), code, "an acknowledged activation was lost");
            let literal = world.uuid_literal(&batch);
            assert_eq!(count(&world, &format!("activation_codes WHERE batch_id = {literal}")).await, 5, "acknowledged codes were lost");
        }
    }
}

/// A request that is given up, by its time-out or its client, gives its key back at once: whoever asks again needn't wait for the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_given_up_gives_its_key_back() {
    let world = World::postgres().await;
    let server = world.builder().env("TENANTRY__HTTP__REQUEST_TIMEOUT_SECONDS", SHORT_TIMEOUT).start().await;
    let acme = world.tenant(&server, "acme").await;
    let project = acme.api.create_project("Client").await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/tenant/projects/{project}/activate");
    let database = Database::connect(world.database_url().as_str()).await.unwrap();
    for (key, client_leaves) in [("times-out", false), ("leaves", true)] {
        let hold = database.begin().await.unwrap();
        hold.execute_unprepared("SELECT id FROM llm_project_config FOR UPDATE").await.unwrap();
        let request = acme.api.request(Method::POST, &path).header("idempotency-key", key).json(&json!({}));
        if client_leaves {
            acme.api.try_send(request.timeout(Duration::from_millis(500))).await.unwrap_err();
        } else {
            acme.api.send(request).await.expect_problem(503, "unavailable");
        }
        hold.rollback().await.unwrap();
        // The lock would have been for the time-out and five seconds more.
        let mut again = post(&acme.api, &path, key, &json!({})).await;
        for _ in 0..30 {
            if again.status == 200 {
                break;
            }
            sleep(Duration::from_millis(50)).await;
            again = post(&acme.api, &path, key, &json!({})).await;
        }
        again.expect(200);
    }
}
