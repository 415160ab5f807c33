//! Attack 18: the headers of every operation of the document, in every class of errors.

use std::collections::{BTreeMap, HashSet};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, ServerBuilder, on_both_databases};

/// An operation of the document.
struct Operation {
    method: Method,
    /// With identifiers that nobody has in the place of parameters.
    path: String,
    media_type: Option<String>,
    secured: bool,
    has_parameters: bool,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let media_type = operation["requestBody"]["content"].as_object().and_then(|content| content.keys().next().cloned());
            operations.push(Operation {
                method,
                path: filled_in(path),
                media_type,
                secured: operation["security"].as_array().is_some_and(|security| !security.is_empty()),
                has_parameters: path.contains('{'),
            });
        }
    }
    operations
}

/// A path to something that isn't there.
fn filled_in(path: &str) -> String {
    let kinds = [
        ("/api/tenant/auth/sessions/", "ses"),
        ("/api/tenant/projects/", "prj"),
        ("/api/admin/auth/sessions/", "ops"),
        ("/api/admin/plans/", "pln"),
        ("/api/admin/tenants/", "ten"),
        ("/api/admin/batches/", "bat"),
        ("/api/admin/codes/", "code"),
        ("/api/admin/projects/", "prj"),
        ("/api/admin/operators/", "opr"),
        ("/api/admin/api-keys/", "key"),
        ("/api/admin/messages/", "msg"),
        ("/api/tenant/webhooks/", "whk"),
        ("/api/admin/webhooks/", "whk"),
    ];
    let kind = kinds.iter().find(|(start, _)| path.starts_with(start)).map_or("x", |(_, kind)| kind);
    let nobodys = |kind: &str| format!("{kind}_018bcfe568007000800000000000000a");
    path.replace("{id}", &nobodys(kind))
        .replace("{delivery}", &nobodys("msg"))
        .replace("{session}", &nobodys("ses"))
        .replace("{token}", "tnb_x")
}

/// What was answered, by status; every answer was looked at.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    ids: HashSet<String>,
}

impl Seen {
    #[track_caller]
    fn look_at(&mut self, place: &str, reply: &Reply) {
        // What is the same for everybody may be kept; a problem may not.
        let kept = place.starts_with("GET /.well-known/") && reply.status == 200;
        for (header, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cache-control", if kept { "public, max-age=300" } else { "no-store" }),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            let lines: Vec<_> = reply.headers.get_all(header).iter().collect();
            assert_eq!(lines, [value], "{header} of {place}: {reply:?}");
        }
        for header in ["server", "x-powered-by", "set-cookie", "access-control-allow-origin", "access-control-allow-credentials"]
        {
            assert_eq!(reply.header(header), None, "{place}: {reply:?}");
        }
        let id = reply.header("x-request-id").unwrap_or_else(|| panic!("no request id of {place}: {reply:?}"));
        assert!(id.starts_with("req_") && self.ids.insert(id.to_owned()), "{place}: {id}");
        if reply.status >= 400 {
            assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{place}: {reply:?}");
            assert_eq!((&reply.body["status"], &reply.body["instance"]), (&json!(reply.status), &json!(id)), "{place}");
        }
        let asks =
            |status: u16, header: &str| assert!(reply.status != status || reply.header(header).is_some(), "{place}: {reply:?}");
        asks(401, "www-authenticate");
        asks(405, "allow");
        asks(429, "retry-after");
        asks(503, "retry-after");
        *self.statuses.entry(reply.status).or_default() += 1;
    }
}

fn by_tls(builder: ServerBuilder) -> ServerBuilder {
    builder.env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example").env("TENANTRY__HTTP__DRAIN_SECONDS", 2)
}

/// The caller that an operation is for.
fn caller<'a>(operation: &Operation, tenant: &'a Api, admin: &'a Api) -> &'a Api {
    if operation.path.starts_with("/api/tenant/") { tenant } else { admin }
}

on_both_databases! {
    async fn every_operation_carries_all_headers_in_every_class_of_errors(world: World) {
        let mut servers = world.servers_with(by_tls).await;
        let acme = world.tenant(&servers[0], "acme").await;
        let admin = world.admin(&servers[0]);
        let (_, nobody) = admin.create_api_key(&["stats:read"]).await;
        let document = admin.get("/openapi.json").await.expect(200).body;
        let mut seen = Seen::default();
        let mut turn = 0;
        let operations = operations(&document);
        assert!(operations.len() > 60);
        for operation in &operations {
            turn += 1;
            let url = servers[turn % servers.len()].url();
            let Operation { method, path, media_type, secured, has_parameters } = operation;
            let (who, stranger, weak) = (caller(operation, &acme.api, &admin).at(url), Api::new(url), nobody.at(url));
            let place = format!("{method} {path}");
            let mut expect = |what: &str, reply: &Reply, statuses: &[u16]| {
                seen.look_at(&format!("{place}, {what}"), reply);
                assert!(statuses.is_empty() || statuses.contains(&reply.status), "{place}, {what}: {reply:?}");
            };
            expect("a method that nothing has", &who.send(who.request(Method::TRACE, path)).await, &[405]);
            expect("a query with a token", &who.send(who.request(method.clone(), &format!("{path}?access_token=x"))).await, &[422]);
            let empty = stranger.request(method.clone(), path).header("content-type", "application/json").body("{}");
            expect("nobody", &stranger.send(empty).await, if *secured { &[401] } else { &[] });
            if path.starts_with("/api/admin/") && *secured && path != "/api/admin/stats" {
                // Who only lacks a session is told so by what it finds.
                let refused: &[u16] = if path.starts_with("/api/admin/auth/") { &[] } else { &[403] };
                expect("who may not", &weak.send(weak.request(method.clone(), path).json(&json!({}))).await, refused);
            }
            if let Some(media_type) = media_type {
                let send = async |content_type: &str, body: Vec<u8>| {
                    who.send(who.request(method.clone(), path).header("content-type", content_type).body(body)).await
                };
                // A file is for a tenant that is there.
                let refused: &[u16] = if media_type == "text/csv" { &[404] } else { &[415] };
                expect("another media type", &send("text/plain", b"{}".to_vec()).await, refused);
                // A form that is sent to a bootstrap link is its page's, which has a policy of its own.
                if !path.starts_with("/bootstrap/") {
                    expect("a form", &send("application/x-www-form-urlencoded", b"a=b".to_vec()).await, refused);
                }
                if media_type == "application/json" {
                    expect("no JSON", &send(media_type, b"{".to_vec()).await, &[400]);
                    expect("an unknown field", &send(media_type, b"{\"colour\":1}".to_vec()).await, &[422]);
                    expect("a large body", &send(media_type, vec![b' '; 70_000]).await, &[413]);
                }
            }
            if *has_parameters && (media_type.is_none() || *method == Method::DELETE) && *secured && !path.contains("/auth/") {
                expect("what isn't there", &who.send(who.request(method.clone(), path)).await, &[404]);
            } else if *method == Method::GET {
                expect("who may", &who.send(who.request(method.clone(), path)).await, &[200, 403, 404]);
                expect("an unknown parameter", &who.send(who.request(method.clone(), &format!("{path}?colour=red"))).await, &[]);
            }
        }

        // What needs a little story.
        let plan = admin.create_plan("Starter", 10).await;
        let path = format!("/api/admin/plans/{}", plan["id"].as_str().unwrap());
        let stale = admin.request(Method::PATCH, &path).header("if-match", "\"x\"").json(&json!({ "name": "Other" }));
        seen.look_at("a stale edit", &admin.send(stale).await.expect_problem(412, "precondition_failed"));
        let again = admin.post("/api/admin/plans", &json!({ "name": "Starter", "monthly_run_quota": 10 })).await;
        seen.look_at("a name that is taken", &again.expect_problem(409, "conflict"));
        seen.look_at("a path that isn't there", &admin.get("/nowhere").await.expect_problem(404, "not_found"));
        seen.look_at("what was made", &admin.post("/api/admin/plans", &json!({ "name": "More", "monthly_run_quota": 10 })).await.expect(201));
        let stranger = servers[0].api();
        for _ in 0..4 {
            let reply = stranger.post("/api/tenant/auth/otp/generate", &json!({ "tenant_slug": "somebody" })).await;
            seen.look_at("a request too many", &reply);
        }
        servers[0].signal(tenantry_tests::Signal::Term);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        seen.look_at("a server that ends", &stranger.get("/health/ready").await.expect_problem(503, "unavailable"));
        for class in [200, 201, 202, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 503] {
            assert!(seen.statuses.contains_key(&class), "{class} was not seen: {:?}", seen.statuses);
        }
    }
}
