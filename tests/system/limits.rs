//! Limits that hold across servers, restarts and spellings of an address.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tenantry_auth::{ApiKeyToken, BootstrapToken, OperatorSessionToken, SessionToken};
use tenantry_domain::{PlainCode, SystemEntropy};
use tenantry_tests::{Api, PostgresCluster, Reply, Server, ServerBuilder, World, on_both_databases};
use tokio::task::JoinSet;

/// A well-formed code that nobody has.
fn nobodys_code() -> String {
    PlainCode::generate(&SystemEntropy).reveal().to_string()
}

async fn pending(api: &Api) -> String {
    api.create_project("Client").await["id"].as_str().unwrap().to_owned()
}

fn with_few_guesses(builder: ServerBuilder) -> ServerBuilder {
    builder.env("TENANTRY__ACTIVATION__UNKNOWN_CODES_BURST", 5).env("TENANTRY__ACTIVATION__UNKNOWN_CODES_INTERVAL_SECONDS", 3600)
}

/// One of ten knocks each is allowed, and then one a minute.
fn with_a_narrow_door(builder: ServerBuilder) -> ServerBuilder {
    builder
        .env("TENANTRY__HTTP__FLOOD_BURST", 10)
        .env("TENANTRY__HTTP__FLOOD_INTERVAL_MILLISECONDS", 60_000)
        .env("TENANTRY__HTTP__TRUSTED_PROXIES", "127.0.0.0/8")
}

/// A request that needs nobody signed in, whatever it answers.
async fn knock(server: &Server, number: usize, address: &str) -> Reply {
    let api = server.api();
    let otp = json!({ "challenge_id": "otp_018bcfe568007000800000000000000a", "otp_code": "000000" });
    let link = format!("/bootstrap/{}", BootstrapToken::generate(&SystemEntropy).reveal());
    let owner = json!({ "name": "Ada", "email": "ada@portal.example" });
    let (method, path, body) = match number % 6 {
        0 => (Method::POST, "/api/tenant/auth/otp/verify", Some(otp)),
        1 => (Method::POST, "/api/admin/auth/otp/verify", Some(otp)),
        2 => (Method::POST, "/api/tenant/auth/otp/generate", Some(json!({ "tenant_slug": format!("nobody-{number}") }))),
        3 => (Method::POST, "/api/admin/auth/otp/generate", Some(json!({ "email": format!("nobody-{number}@portal.example") }))),
        4 => (Method::GET, link.as_str(), None),
        _ => (Method::POST, link.as_str(), Some(owner)),
    };
    let request = api.request(method, path).header("x-forwarded-for", address);
    api.send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// A request with a token that is well-formed, and that nobody has.
async fn present(server: &Server, number: usize, address: &str) -> Reply {
    let (token, path) = match number % 3 {
        0 => (SessionToken::generate(&SystemEntropy).reveal().to_owned(), "/api/tenant/projects"),
        1 => (OperatorSessionToken::generate(&SystemEntropy).reveal().to_owned(), "/api/admin/plans"),
        _ => (ApiKeyToken::generate(&SystemEntropy).reveal().to_owned(), "/api/admin/plans"),
    };
    let api = server.api().with_bearer(&token);
    api.send(api.request(Method::GET, path).header("x-forwarded-for", address)).await
}

#[track_caller]
fn is_limited(reply: Reply, within: u64) {
    let reply = reply.expect_problem(429, "rate_limited");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=within).contains(&wait), "{wait}");
}

/// No statement is made for what a flood is refused: it is answered as fast as ever while there is no database to make one to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_refused_without_a_database() {
    let cluster = PostgresCluster::start().await;
    let world = World::on(&cluster).await;
    let server = with_a_narrow_door(world.builder()).start().await;
    for number in 0..10 {
        assert_ne!(knock(&server, number, "203.0.113.1").await.status, 429);
        present(&server, number, "203.0.113.1").await.expect_problem(401, "unauthenticated");
    }
    cluster.crash().await;
    let started = Instant::now();
    for number in 0..60 {
        is_limited(knock(&server, number, "203.0.113.1").await, 60);
        is_limited(present(&server, number, "203.0.113.1").await, 60);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "120 refusals took {:?}", started.elapsed());
    // Others are still asked about.
    for number in 0..6 {
        knock(&server, number, "203.0.113.2").await.expect_problem(503, "unavailable");
    }
    present(&server, 0, "203.0.113.2").await.expect_problem(503, "unavailable");
}

async fn ask(server: &Server, slug: &str, forwarded_for: Option<&str>) -> Reply {
    let api = server.api();
    let mut request = api.request(reqwest::Method::POST, "/api/tenant/auth/otp/generate").json(&json!({ "tenant_slug": slug }));
    if let Some(address) = forwarded_for {
        for header in ["x-forwarded-for", "x-real-ip"] {
            request = request.header(header, address);
        }
        request = request.header("forwarded", format!("for={address}"));
    }
    api.send(request).await
}

on_both_databases! {
    async fn an_address_has_five_requests_whatever_it_claims_to_be(world: World) {
        let servers = world.builder_with_strict_limits().start().await;
        for number in 0..5 {
            ask(&servers, &format!("slug-{number}"), Some(&format!("198.51.100.{number}"))).await.expect(202);
        }
        let refused = ask(&servers, "another", Some("203.0.113.9")).await.expect_problem(429, "rate_limited");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }

    async fn behind_a_listed_proxy_addresses_count_and_an_ipv6_network_is_one(world: World) {
        let server = world.builder_with_strict_limits().env("TENANTRY__HTTP__TRUSTED_PROXIES", "127.0.0.0/8").start().await;
        for number in 0..5 {
            ask(&server, &format!("slug-{number}"), Some(&format!("2001:db8:1:2::{number}"))).await.expect(202);
        }
        ask(&server, "more", Some("2001:db8:1:2:ffff:ffff:ffff:ffff")).await.expect_problem(429, "rate_limited");
        ask(&server, "more", Some("2001:db8:1:3::1")).await.expect(202);
        ask(&server, "more", Some("evil, 198.51.100.7")).await.expect(202);
        // What a client writes itself stands on the left, and moves nothing.
        for number in 0..5 {
            ask(&server, &format!("left-{number}"), Some(&format!("203.0.113.{number}, 198.51.100.8"))).await.expect(202);
        }
        ask(&server, "left", Some("203.0.113.99, 198.51.100.8")).await.expect_problem(429, "rate_limited");
    }

    async fn a_restart_forgets_no_limit(world: World) {
        let mut server = world.server().await;
        for _ in 0..3 {
            ask(&server, "acme", None).await.expect(202);
        }
        ask(&server, "acme", None).await.expect_problem(429, "rate_limited");
        server.kill9().await;
        server.restart().await;
        ask(&server, "acme", None).await.expect_problem(429, "rate_limited");
    }

    /// Whoever guesses codes is stopped on whatever server, and by a restart no less; what needs no text goes on.
    async fn guesses_of_codes_are_counted_over_servers_and_restarts(world: World) {
        let mut servers = world.servers_with(with_few_guesses).await;
        let (acme, beta) = (world.tenant(&servers[0], "acme").await, world.tenant(&servers[0], "beta").await);
        let project = pending(&acme.api).await;
        let activate = async |server: &Server, request: serde_json::Value| acme.api.at(server.url()).activate(&project, &request).await;
        // Neither what is no code nor one of its own that can't be used is a guess.
        for _ in 0..10 {
            activate(&servers[0], json!({ "code": "12RY-S55W-4MZR-KP2K" })).await.expect_problem(422, "code_malformed");
        }
        acme.api.activate(&pending(&acme.api).await, &json!({ "code": acme.codes[0] })).await.expect(200);
        for _ in 0..10 {
            activate(&servers[0], json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
        }
        for number in 0..5 {
            let guess = if number == 0 { beta.codes[0].clone() } else { nobodys_code() };
            activate(&servers[number % servers.len()], json!({ "code": guess })).await.expect_problem(422, "code_unknown");
        }
        for round in 0..2 {
            for server in &servers {
                is_limited(activate(server, json!({ "code": nobodys_code() })).await, 3600);
                is_limited(activate(server, json!({ "code": acme.codes[1] })).await, 3600);
            }
            if round == 0 {
                servers[0].kill9().await;
                servers[0].restart().await;
            }
        }
        let noted = world.rows("SELECT details FROM audit_events WHERE action = 'activation.refused' AND details LIKE '%code_unknown%'").await;
        assert_eq!(noted.len(), 5, "what is limited fills no trail");
        activate(&servers[0], json!({ "activation_code_id": acme.tenant["activation_codes"][1]["id"] })).await.expect(200);
        acme.api.at(servers[0].url()).activate(&pending(&acme.api.at(servers[0].url())).await, &json!({})).await.expect(200);
        // Another tenant has guesses of its own.
        beta.api.at(servers[0].url()).activate(&pending(&beta.api.at(servers[0].url())).await, &json!({ "code": beta.codes[0] })).await.expect(200);
    }

    /// Guesses that come all at once are charged each: they get a few looks more at once, and wait for them.
    async fn racing_guesses_of_codes_are_all_charged(world: World) {
        let servers = world.servers_with(with_few_guesses).await;
        let acme = world.tenant(&servers[0], "acme").await;
        let project = pending(&acme.api).await;
        let mut racers = JoinSet::new();
        for number in 0..60 {
            let (api, project) = (acme.api.at(servers[number % servers.len()].url()), project.clone());
            racers.spawn(async move {
                // Half of them with a key, and so in another kind of transaction.
                let mut request = api.request(Method::POST, &format!("/api/tenant/projects/{project}/activate"));
                if number % 4 < 2 {
                    request = request.header("idempotency-key", format!("guess-{number}"));
                }
                api.send(request.json(&json!({ "code": nobodys_code() }))).await
            });
        }
        let mut answers: BTreeMap<u16, i64> = BTreeMap::new();
        for reply in racers.join_all().await {
            *answers.entry(reply.status).or_default() += 1;
        }
        let looked_at = answers[&422];
        assert!(looked_at >= 5 && looked_at + answers.get(&429).unwrap_or(&0) == 60, "{answers:?}");
        let reply = acme.api.activate(&project, &json!({ "code": acme.codes[0] })).await.expect_problem(429, "rate_limited");
        let wait: i64 = reply.header("retry-after").unwrap().parse().unwrap();
        let owed = (looked_at - 4) * 3600;
        assert!((owed - 120..=owed).contains(&wait), "{looked_at} were looked at, and {wait} s are to be waited");
    }

    async fn a_flood_from_one_address_is_stopped_at_every_door(world: World) {
        let server = with_a_narrow_door(world.builder()).start().await;
        let acme = world.tenant(&server, "acme").await;
        for number in 0..10 {
            let reply = knock(&server, number, &format!("2001:db8:1:2::{number}")).await;
            assert!(!matches!(reply.status, 429 | 500..), "{reply:?}");
        }
        for number in 0..12 {
            is_limited(knock(&server, number, &format!("2001:db8:1:2:{number}::1")).await, 60);
        }
        // Another network, what a client claims on the left, and whoever is signed in at the address of the flood.
        assert_ne!(knock(&server, 0, "2001:db8:1:3::1").await.status, 429);
        is_limited(knock(&server, 0, "198.51.100.1, 2001:db8:1:2::1").await, 60);
        let signed_in = async || {
            let request = acme.api.request(Method::GET, "/api/tenant/projects").header("x-forwarded-for", "2001:db8:1:2::1");
            acme.api.send(request).await
        };
        signed_in().await.expect(200);

        for number in 0..10 {
            present(&server, number, "2001:db8:1:2::1").await.expect_problem(401, "unauthenticated");
        }
        for number in 0..3 {
            is_limited(present(&server, number, "2001:db8:1:2::2").await, 60);
        }
        is_limited(signed_in().await, 60);
        acme.api.get("/api/tenant/projects").await.expect(200);
        for _ in 0..30 {
            acme.api.get("/api/tenant/projects").await.expect(200);
        }
    }

    async fn with_a_burst_of_zero_there_is_no_guard(world: World) {
        let server = with_a_narrow_door(world.builder()).env("TENANTRY__HTTP__FLOOD_BURST", 0).start().await;
        for number in 0..50 {
            assert_ne!(knock(&server, number, "203.0.113.1").await.status, 429);
            present(&server, number, "203.0.113.1").await.expect_problem(401, "unauthenticated");
        }
    }

    /// A key that may do little can't bury the trail: of what it is forbidden sixty are noted, on all servers together.
    async fn what_a_key_is_forbidden_fills_no_trail(world: World) {
        let servers = world.servers().await;
        let (_, program) = world.admin(&servers[0]).create_api_key(&["plans:read"]).await;
        let (_, other) = world.admin(&servers[0]).create_api_key(&["plans:read"]).await;
        let started = Instant::now();
        for round in 0..10 {
            let mut racers = JoinSet::new();
            for number in 0..15 {
                let api = program.at(servers[(round + number) % servers.len()].url());
                racers.spawn(async move { api.post("/api/admin/plans", &json!({})).await });
            }
            for reply in racers.join_all().await {
                reply.expect_problem(403, "forbidden");
            }
        }
        let noted = async || world.rows("SELECT id FROM audit_events WHERE action = 'access.forbidden'").await.len();
        let minutes = usize::try_from(started.elapsed().as_secs() / 60).unwrap();
        assert!((60..=61 + minutes).contains(&noted().await), "{} events", noted().await);
        let before = noted().await;
        other.post("/api/admin/plans", &json!({})).await.expect_problem(403, "forbidden");
        assert_eq!(noted().await, before + 1, "another key's are noted");
    }
}
