//! What every answer keeps, good or bad.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tenantry_tests::{Reply, Server, on_both_databases};

fn keeps_the_contract(reply: &Reply) {
    for (header, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        assert_eq!(reply.header(header), Some(value), "{reply:?}");
    }
    let id = reply.header("x-request-id").unwrap_or_else(|| panic!("no request id: {reply:?}"));
    assert!(id.starts_with("req_"));
    if reply.status >= 400 {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
        assert_eq!((&reply.body["status"], &reply.body["instance"]), (&json!(reply.status), &json!(id)));
        for member in ["type", "title", "detail", "code"] {
            assert!(reply.body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {reply:?}");
        }
    }
}

/// Sends bytes as they are, and gives what comes back until the server closes or two seconds pass.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

on_both_databases! {
    async fn every_error_is_a_problem_with_a_code_and_a_request_id(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let send = async |method: Method, path: &str, content_type: &str, body: String| {
            let request = admin.request(method, path).header("content-type", content_type).body(body);
            admin.send(request).await
        };
        let json_type = "application/json";
        let plans = "/api/admin/plans";
        let cases = [
            (send(Method::POST, plans, json_type, "{".into()).await, 400, "malformed_json"),
            (send(Method::POST, plans, json_type, "{} {}".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, "[]".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, " [\"Starter\", 10]".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, "{\"name\":\"a\",\"monthly_run_quota\":\"1\"}".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, "{\"name\":\"a\",\"monthly_run_quota\":0}".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, "{\"name\":\"a\",\"monthly_run_quota\":1e99}".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, "{\"name\":\"a\",\"monthly_run_quota\":1,\"x\":1}".into()).await, 422, "validation_failed"),
            (send(Method::POST, plans, json_type, format!("{{\"name\":\"{}\"}}", "a".repeat(70_000))).await, 413, "payload_too_large"),
            (send(Method::POST, plans, json_type, "[".repeat(60_000)).await, 422, "validation_failed"),
            (send(Method::POST, plans, "text/plain", "{}".into()).await, 415, "unsupported_media_type"),
            (send(Method::POST, plans, "application/x-www-form-urlencoded", "name=a".into()).await, 415, "unsupported_media_type"),
            (send(Method::DELETE, plans, json_type, String::new()).await, 405, "method_not_allowed"),
            (send(Method::from_bytes(b"BREW").unwrap(), plans, json_type, String::new()).await, 405, "method_not_allowed"),
            (send(Method::GET, "/nowhere", json_type, String::new()).await, 404, "not_found"),
            (send(Method::GET, "/api/admin/plans/pln_x", json_type, String::new()).await, 404, "not_found"),
            (send(Method::GET, "/api/admin/plans?limit=0", json_type, String::new()).await, 422, "validation_failed"),
            (send(Method::GET, "/api/admin/plans?limit=201", json_type, String::new()).await, 422, "validation_failed"),
            (send(Method::GET, "/api/admin/plans?limit=x", json_type, String::new()).await, 422, "validation_failed"),
            (send(Method::GET, "/api/admin/plans?cursor=x", json_type, String::new()).await, 422, "validation_failed"),
            (send(Method::GET, "/api/admin/plans?count=perhaps", json_type, String::new()).await, 422, "validation_failed"),
            (send(Method::GET, "/api/admin/plans?colour=red", json_type, String::new()).await, 422, "validation_failed"),
            (admin.anonymous().get(plans).await, 401, "unauthenticated"),
            (admin.anonymous().post(plans, &json!({})).await, 401, "unauthenticated"),
        ];
        for (reply, status, code) in cases {
            keeps_the_contract(&reply);
            reply.expect_problem(status, code);
        }
        keeps_the_contract(&admin.get(plans).await.expect(200));
        keeps_the_contract(&admin.get("/health/live").await.expect(200));
        let wrong = admin.delete(plans).await;
        assert_eq!(wrong.header("allow"), Some("GET, HEAD, POST"));
        assert!(!server.logs().contains("panicked"), "{}", server.logs());
    }

    async fn issuing_names_every_field_that_it_refuses(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let path = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        let bad = json!({ "count": 0, "ttl_seconds": -1, "max_uses": 0, "label": "x".repeat(101) });
        let problem = admin.post(&path, &bad).await.expect_problem(422, "validation_failed");
        let mut pointers: Vec<_> = problem.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/count", "/label", "/max_uses", "/ttl_seconds"]);
        let ttl = |seconds: i64| json!({ "count": 1, "ttl_seconds": seconds });
        let hundred_years = 3_155_760_000;
        for body in [json!({ "count": 1001 }), json!({ "count": -1 }), json!({ "count": 1, "max_uses": 1_000_001 }), ttl(0), ttl(hundred_years + 1)] {
            admin.post(&path, &body).await.expect_problem(422, "validation_failed");
        }
        admin.post(&path, &ttl(hundred_years)).await.expect(201);
        let nobody = "/api/admin/tenants/ten_018bcfe568007000800000000000000a/codes";
        admin.post(nobody, &json!({ "count": 1 })).await.expect_problem(404, "not_found");
        assert_eq!(admin.issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 1000 })).await.len(), 1000);
    }

    async fn broken_and_slow_requests_end(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__REQUEST_TIMEOUT_SECONDS", 1).start().await;
        assert!(raw(&server, b"GARBAGE\r\n\r\n").starts_with("HTTP/1.1 400"));
        let key = world.api_key();
        let head = format!("POST /api/admin/plans HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n");
        let started = Instant::now();
        let answer = raw(&server, format!("{head}content-length: 100\r\n\r\n{{\"name\":").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"code\":\"unavailable\""), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(10));
        let cut = raw(&server, format!("{head}transfer-encoding: chunked\r\n\r\nZZZ\r\n").as_bytes());
        assert!(cut.starts_with("HTTP/1.1 400"), "{cut}");
        server.api().get("/health/ready").await.expect(200);
        assert!(!server.logs().contains("panicked"), "{}", server.logs());
    }

    async fn a_full_server_says_so_at_once_and_still_answers_probes(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__MAX_IN_FLIGHT", 1).start().await;
        let admin = world.admin(&server);
        // Bodies that don't arrive hold no place.
        let address = server.url().trim_start_matches("http://");
        let head = format!("POST /api/admin/plans HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n", world.api_key());
        let slow: Vec<_> = (0..20).map(|_| {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(head.as_bytes()).unwrap();
            socket
        }).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        admin.get("/api/admin/plans").await.expect(200);

        let mut crowd = tokio::task::JoinSet::new();
        for number in 0..64 {
            let admin = admin.clone();
            crowd.spawn(async move { admin.post("/api/admin/plans", &json!({ "name": format!("Plan {number}"), "monthly_run_quota": 1 })).await });
        }
        let replies = crowd.join_all().await;
        let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
        for reply in refused {
            keeps_the_contract(&reply);
            assert!(reply.expect_problem(503, "unavailable").header("retry-after").is_some());
        }
        server.api().get("/health/ready").await.expect(200);
        assert_eq!(admin.get("/api/admin/plans?limit=200").await.expect(200).body["items"].as_array().unwrap().len(), made.len());
        drop(slow);
    }
}
