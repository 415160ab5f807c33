//! What a server tells of itself: traces that join a request with what it caused, and metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::{Clock as _, SystemClock};
use tenantry_persistence::{DatabaseStore, Options, OutboxFigures};
use tenantry_tests::{Api, DatabaseKind, Door, Server, World, database, on_both_databases};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Asks for a one-time password with this `traceparent`, and answers the request's id.
async fn ask(server: &Server, slug: &str, traceparent: &str) -> String {
    let api = server.api();
    let request = api.request(Method::POST, "/api/tenant/auth/otp/generate").header("traceparent", traceparent);
    let reply = api.send(request.json(&json!({ "tenant_slug": slug }))).await.expect(202);
    reply.header("x-request-id").unwrap().to_owned()
}

/// The event of a request.
async fn event(admin: &Api, request: &str) -> Value {
    let found = admin.get(&format!("/api/admin/events?request_id={request}")).await.expect(200);
    found.body["items"][0].clone()
}

/// Looks until a line of the log has all of this.
async fn logged(server: &Server, wanted: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let logs = server.logs();
        if let Some(line) = logs.lines().find(|line| wanted.iter().all(|text| line.contains(text))) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "{wanted:?} isn't in the log:\n{logs}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server with a listener for metrics, and a client of that.
async fn measured(world: &World) -> (Server, Api) {
    let server = world.builder().env("TENANTRY__METRICS__BIND", "127.0.0.1:0").start().await;
    let line = logged(&server, &["serving metrics"]).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let address = line["metrics.address"].as_str().unwrap();
    let metrics = Api::new(&format!("http://{address}"));
    (server, metrics)
}

/// Every series with its value.
async fn scrape(metrics: &Api) -> BTreeMap<String, f64> {
    let reply = metrics.get("/metrics").await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(reply.text.ends_with("# EOF\n"));
    let series = reply.text.lines().filter(|line| !line.starts_with('#'));
    series.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

on_both_databases! {
    /// From a request to its event, its mail, and the line of the log that says that the mail is away.
    async fn a_trace_is_followed_from_a_request_to_its_mail(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let request = ask(&server, "acme", PARENT).await;
        let asked = event(&admin, &request).await;
        assert_eq!((&asked["action"], &asked["trace_id"]), (&json!("otp.requested"), &json!(TRACE)));
        let own = acme.api.get(&format!("/api/tenant/events?request_id={request}")).await.expect(200);
        assert_eq!(own.text_at("/items/0/trace_id"), TRACE);
        let message = &admin.get("/api/admin/messages?limit=1").await.expect(200).body["items"][0];
        assert_eq!((&message["request_id"], &message["trace_id"]), (&json!(request), &json!(TRACE)));
        for line in ["settled mail", "answered"] {
            let line: Value = serde_json::from_str(&logged(&server, &[line, TRACE]).await).unwrap();
            assert_eq!((&line["span"]["request.id"], &line["span"]["trace.id"]), (&json!(request), &json!(TRACE)));
        }
        let csv = admin.send(admin.request(Method::GET, &format!("/api/admin/events?request_id={request}")).header("accept", "text/csv"));
        assert!(csv.await.expect(200).text.lines().nth(1).unwrap().ends_with(TRACE));
        assert_eq!(world.mail().wait_for("acme@tenant.example", 2, Duration::from_secs(30)).await.len(), 2);
    }

    /// What can't be read begins a trace of its own, and is kept nowhere.
    async fn a_malformed_traceparent_is_as_if_it_were_not_there(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let mut traces = BTreeSet::new();
        let long = "a".repeat(3000);
        let malformed = ["", "00-CANARY", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", &PARENT[1..], &long];
        for (number, header) in malformed.into_iter().enumerate() {
            let request = ask(&server, &format!("nobody-{number}"), header).await;
            let trace = event(&admin, &request).await["trace_id"].as_str().unwrap().to_owned();
            assert!(trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()), "{trace}");
            assert!(traces.insert(trace), "each has its own");
        }
        assert!(!server.logs().contains("CANARY") && !traces.contains(TRACE));
    }

    async fn metrics_stand_on_a_listener_of_their_own(world: World) {
        let (mut server, metrics) = measured(&world).await;
        server.api().get("/metrics").await.expect_problem(404, "not_found");
        for path in ["/", "/metrics/", "/health/live", "/api/admin/plans", "/openapi.json"] {
            assert_eq!(metrics.get(path).await.expect(404).text, "");
        }
        for method in [Method::POST, Method::HEAD, Method::DELETE, Method::OPTIONS] {
            metrics.send(metrics.request(method, "/metrics")).await.expect(404);
        }
        let found = scrape(&metrics).await;
        assert_eq!(found[&format!("tenantry_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))], 1.0);
        assert!(found["process_start_time_seconds"] > 1_700_000_000.0);
        assert_eq!(found["tenantry_http_requests_in_flight"], 0.0);
        let pools = found.iter().filter(|(name, _)| name.starts_with("tenantry_database_connections_max"));
        assert!(pools.clone().count() >= 1 && pools.clone().all(|(_, most)| *most >= 1.0), "{found:?}");
        // Without the setting there is no such listener; the suite's other servers are started so.
        assert_eq!(server.terminate().await, 0);
        assert!(!world.server().await.logs().contains("serving metrics"));
    }

    async fn what_happens_is_counted_by_how_it_came_out(world: World) {
        let (server, metrics) = measured(&world).await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Client").await["id"].as_str().unwrap().to_owned();
        acme.api.activate(&project, &json!({ "code": "12RY-S55W-4MZR-KP2J" })).await.expect_problem(422, "code_unknown");
        acme.api.activate(&project, &json!({ "code": "nonsense" })).await.expect_problem(422, "code_malformed");
        for _ in 0..3 {
            acme.api.activate(&project, &json!({ "code": acme.codes[0] })).await.expect(200);
        }
        let challenge = server.api().ask_for_otp("acme").await;
        server.api().verify_otp(&challenge, "00000A").await.expect_problem(401, "invalid_otp");
        server.api().ask_for_otp("acme").await;
        server.api().ask_at(Door::Tenant, "acme").await.expect_problem(429, "rate_limited");
        world.mail().wait_for(&acme.email, 3, Duration::from_secs(30)).await;
        logged(&server, &["settled mail"]).await;
        // The look at the outbox, and the mailer's count, may be seconds behind.
        let deadline = Instant::now() + Duration::from_secs(30);
        let found = loop {
            let found = scrape(&metrics).await;
            if found["tenantry_mails_total{result=\"sent\"}"] == 3.0 || Instant::now() > deadline {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let route = "route=\"/api/tenant/projects/{id}/activate\"";
        for (series, expected) in [
            ("tenantry_activations_total{result=\"won\"}".to_owned(), 1.0),
            ("tenantry_activations_total{result=\"replayed\"}".to_owned(), 2.0),
            ("tenantry_activations_total{result=\"code_unknown\"}".to_owned(), 1.0),
            ("tenantry_activations_total{result=\"code_malformed\"}".to_owned(), 1.0),
            ("tenantry_otps_total{door=\"tenant\",result=\"requested\"}".to_owned(), 3.0),
            ("tenantry_otps_total{door=\"tenant\",result=\"limited\"}".to_owned(), 1.0),
            ("tenantry_otps_total{door=\"tenant\",result=\"verified\"}".to_owned(), 1.0),
            ("tenantry_otps_total{door=\"tenant\",result=\"failed\"}".to_owned(), 1.0),
            ("tenantry_otps_total{door=\"operator\",result=\"requested\"}".to_owned(), 0.0),
            ("tenantry_sign_ins_total{door=\"tenant\",result=\"succeeded\"}".to_owned(), 1.0),
            ("tenantry_mails_total{result=\"sent\"}".to_owned(), 3.0),
            ("tenantry_http_unserved_total{reason=\"full\"}".to_owned(), 0.0),
            (format!("tenantry_http_request_duration_seconds_count{{method=\"POST\",{route},status=\"2xx\"}}"), 3.0),
            (format!("tenantry_http_request_duration_seconds_count{{method=\"POST\",{route},status=\"4xx\"}}"), 2.0),
        ] {
            assert_eq!(found.get(&series), Some(&expected), "{series} in {found:#?}");
        }
        assert!(found.contains_key("tenantry_outbox_waiting{kind=\"mail\"}") && found.contains_key("tenantry_outbox_overdue_seconds{kind=\"mail\"}"));
    }

    /// A message that can't be sent is seen, and so is one that waits for too long.
    async fn what_waits_and_what_is_dead_is_seen(world: World) {
        let (server, metrics) = measured(&world).await;
        world.tenant(&server, "acme").await;
        let long_ago = match world.kind() {
            DatabaseKind::Postgres => "now() - interval '100 seconds'",
            DatabaseKind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-100 seconds')",
        };
        world.mail().stop().await;
        let kill = format!("UPDATE outbox SET outcome = 'dead', settled_at = {long_ago}, available_at = {long_ago}");
        assert_eq!(database::execute(world.database_url(), &kill).await.unwrap(), 1);
        server.api().ask_for_otp("acme").await;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = scrape(&metrics).await;
            let (waiting, dead) = (found["tenantry_outbox_waiting{kind=\"mail\"}"], found["tenantry_outbox_dead{kind=\"mail\"}"]);
            if (waiting, dead) == (1.0, 1.0) {
                // It is tried again by and by, so it is never due for long.
                assert!(found["tenantry_outbox_overdue_seconds{kind=\"mail\"}"] < 30.0, "{found:?}");
                break;
            }
            assert!(Instant::now() < deadline, "{waiting} wait, {dead} are dead");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The figures of the outbox, on rows that no worker touches.
    async fn the_outbox_is_counted_by_kind(world: World) {
        world.server().await.terminate().await;
        let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
        let now = SystemClock.now();
        let nothing = |kind| OutboxFigures { kind, waiting: 0, due_since: None, dead: 0 };
        assert_eq!(store.outbox_figures(now).await.unwrap(), [nothing("mail"), nothing("webhook")]);
        let ago = |seconds| {
            let moment = (now - time::Duration::seconds(seconds)).to_string();
            match world.kind() {
                DatabaseKind::Postgres => format!("'{moment}'"),
                DatabaseKind::Sqlite => format!("'{}+00:00'", moment.trim_end_matches('Z')),
            }
        };
        let id = |number| world.uuid_literal(&format!("msg_{number:032x}"));
        let rows = [
            (id(1), ago(100), "NULL".to_owned(), "NULL".to_owned()),
            (id(2), ago(40), "NULL".to_owned(), "NULL".to_owned()),
            (id(3), ago(-40), "NULL".to_owned(), "NULL".to_owned()),
            (id(4), ago(500), "NULL".to_owned(), "'dead'".to_owned()),
            (id(5), ago(30), id(90), "NULL".to_owned()),
            (id(6), ago(70), id(91), "NULL".to_owned()),
            (id(7), ago(-70), id(92), "NULL".to_owned()),
            (id(8), ago(900), id(92), "'sent'".to_owned()),
        ];
        for (id, at, webhook, outcome) in rows {
            let settled = if outcome == "NULL" { "NULL" } else { &at };
            let insert = format!(
                "INSERT INTO outbox (id, topic, key_id, available_at, created_at, webhook_id, outcome, settled_at)
                VALUES ({id}, 'mail.old', 'k1', {at}, {at}, {webhook}, {outcome}, {settled})"
            );
            assert_eq!(database::execute(world.database_url(), &insert).await.unwrap(), 1);
        }
        let [mail, webhook] = store.outbox_figures(now).await.unwrap();
        let since = |seconds| Some(now - time::Duration::seconds(seconds));
        assert_eq!(mail, OutboxFigures { kind: "mail", waiting: 3, due_since: since(100), dead: 1 });
        assert_eq!(webhook, OutboxFigures { kind: "webhook", waiting: 3, due_since: since(70), dead: 0 });
        store.close().await;
    }

    /// Whatever is sent, there are no more series than there were, and nothing that was sent stands in one.
    async fn hostile_requests_make_no_series(world: World) {
        let (server, metrics) = measured(&world).await;
        let admin = world.admin(&server);
        let hostile = async |round: usize| {
            let api = server.api();
            for number in 0..20 {
                let canary = format!("CANARY-{round}-{number}");
                let method = Method::from_bytes(format!("CANARY{round}X{number}").as_bytes()).unwrap();
                api.send(api.request(method, &format!("/{canary}"))).await.expect(404);
                api.get(&format!("/api/{canary}?q={canary}")).await.expect(404);
                api.get(&format!("/api/admin/tenants/{canary}")).await.expect(401);
                admin.get(&format!("/api/admin/tenants/{canary}")).await.expect(404);
                api.get(&format!("/bootstrap/{canary}")).await.expect(404);
                api.get(&format!("/docs/{canary}")).await;
                let request = api.request(Method::POST, "/api/tenant/auth/otp/generate").header("traceparent", canary.as_str());
                api.send(request.json(&json!({ "tenant_slug": canary }))).await;
                api.verify_otp(&canary, &canary).await.expect(401);
            }
            scrape(&metrics).await.into_keys().collect::<BTreeSet<_>>()
        };
        let (first, second) = (hostile(1).await, hostile(2).await);
        assert_eq!(first, second);
        for series in &second {
            assert!(!series.to_uppercase().contains("CANARY"), "{series}");
            assert!(!["acme", "ten_", "prj_", "req_", "opr_", "key_", "127.0.0.1"].iter().any(|text| series.contains(text)), "{series}");
        }
        let methods: BTreeSet<_> = second.iter().filter_map(|series| series.split_once("method=\"")?.1.split('"').next()).collect();
        assert_eq!(methods, ["GET", "POST", "other"].into());
    }
}
