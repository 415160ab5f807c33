//! What is sent to the outside: what could not be sent is seen, tried again and discarded; what a killed server held comes back.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, World, on_both_databases};

/// A mail server that refuses every recipient for good, naming its address, until it is told to be kind.
struct Refusing {
    port: u16,
    kind: Arc<AtomicBool>,
}

impl Refusing {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, kind) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let kindly = Arc::clone(&kind);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let kind = Arc::clone(&kindly);
                std::thread::spawn(move || {
                    let mut answers = connection.try_clone().unwrap();
                    let _ = writeln!(answers, "220 ready\r");
                    let mut data = false;
                    for line in BufReader::new(connection).lines().map_while(Result::ok) {
                        let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                        let answer = match line.split(' ').next().unwrap_or_default() {
                            "." => "250 taken".to_owned(),
                            _ if data => continue,
                            "DATA" => "354 go on".to_owned(),
                            "RCPT" if !kind.load(Ordering::Relaxed) => format!("550 5.1.1 <{address}> unknown here, code 123456"),
                            _ => "250 fine".to_owned(),
                        };
                        data = answer.starts_with('3');
                        let _ = writeln!(answers, "{answer}\r");
                    }
                });
            }
        });
        Self { port, kind }
    }

    fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }
}

/// Looks until the newest message stands as expected.
async fn until(admin: &Api, expected: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let newest = admin.get("/api/admin/messages?limit=1").await.expect(200).body["items"][0].clone();
        if expected(&newest) {
            return newest;
        }
        assert!(Instant::now() < deadline, "{newest}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn act(admin: &Api, message: &Value, step: &str) -> Reply {
    admin.post(&format!("/api/admin/messages/{}/{step}", message["id"].as_str().unwrap()), &json!({})).await
}

async fn a_tenant(world: &World, admin: &Api) {
    let plan = admin.create_plan("Plan", 100).await;
    admin.create_tenant("acme", plan["id"].as_str().unwrap(), "it@acme.example").await;
    assert!(world.rows("SELECT id FROM outbox").await.is_empty());
}

on_both_databases! {
    async fn a_refused_mail_is_seen_tried_again_and_discarded_and_never_shown(world: World) {
        let mail = Refusing::start();
        let server = world.builder().mail_url(&mail.url()).start().await;
        let admin = world.admin(&server);
        a_tenant(&world, &admin).await;
        server.api().ask_for_otp("acme").await;
        let dead = until(&admin, |message| message["state"] == "dead").await;
        assert_eq!(dead["last_error"], "the mail server refused the mail with code 550");
        assert_eq!((&dead["topic"], &dead["attempts"], &dead["retryable"]), (&json!("mail.otp"), &json!(1), &json!(true)));
        assert_eq!(dead["next_attempt_at"], Value::Null);
        assert!(dead["not_after"].is_string() && dead["settled_at"].is_string());

        // What it says stays sealed, and neither answer nor log names whom it was for.
        let stored = world.rows("SELECT payload FROM outbox").await;
        assert_ne!(stored[0]["payload"], Value::Null);
        let path = format!("/api/admin/messages/{}", dead["id"].as_str().unwrap());
        let read = admin.get(&path).await.expect(200);
        assert_eq!(read.body, dead);
        assert!(!read.text.contains("acme") && !server.logs().contains("it@acme"), "{}", read.text);

        // Put back, it is tried at once, as if for the first time.
        act(&admin, &dead, "retry").await.expect(200);
        let again = until(&admin, |message| message["state"] == "dead" && message["settled_at"] != dead["settled_at"]).await;
        assert_eq!((&again["id"], &again["attempts"]), (&dead["id"], &json!(1)));
        mail.kind.store(true, Ordering::Relaxed);
        let waiting = act(&admin, &dead, "retry").await.expect(200).body;
        assert_eq!((&waiting["state"], &waiting["retryable"]), (&json!("waiting"), &json!(false)));
        let sent = until(&admin, |message| message["state"] == "sent").await;
        assert_eq!((&sent["last_error"], &sent["retryable"]), (&Value::Null, &json!(false)));
        assert_eq!(world.rows("SELECT payload FROM outbox").await[0]["payload"], Value::Null);
        for step in ["retry", "discard"] {
            act(&admin, &sent, step).await.expect_problem(409, "conflict");
        }

        mail.kind.store(false, Ordering::Relaxed);
        server.api().ask_for_otp("acme").await;
        let dead = until(&admin, |message| message["state"] == "dead").await;
        let discarded = act(&admin, &dead, "discard").await.expect(200).body;
        assert_eq!((&discarded["state"], &discarded["retryable"]), (&json!("dropped"), &json!(false)));
        assert_eq!(act(&admin, &dead, "discard").await.expect(200).body, discarded, "doing so again changes nothing");
        act(&admin, &dead, "retry").await.expect_problem(409, "conflict");
        let wiped = world.rows("SELECT payload FROM outbox WHERE outcome = 'dropped'").await;
        assert_eq!(wiped, [json!({ "payload": null })]);
        for step in ["retry", "discard"] {
            act(&admin, &json!({ "id": "msg_018bcfe568007000800000000000000a" }), step).await.expect_problem(404, "not_found");
        }
        let audited = world.rows("SELECT action, details FROM audit_events WHERE action LIKE 'message.%' ORDER BY id").await;
        let audited: Vec<_> = audited.iter().map(|event| (event["action"].as_str().unwrap(), event["details"].as_str().unwrap())).collect();
        let topic = r#"{"topic":"mail.otp"}"#;
        assert_eq!(audited, [("message.retried", topic), ("message.retried", topic), ("message.discarded", topic)]);
    }

    async fn what_a_dead_mail_carried_is_gone_once_it_expired(world: World) {
        let mail = Refusing::start();
        let server = world.builder().mail_url(&mail.url()).env("TENANTRY__OTP__TTL_SECONDS", 60).start().await;
        let admin = world.admin(&server);
        a_tenant(&world, &admin).await;
        server.api().ask_for_otp("acme").await;
        let dead = until(&admin, |message| message["state"] == "dead").await;
        tenantry_tests::database::execute(world.database_url(), "UPDATE outbox SET not_after = created_at").await.unwrap();
        act(&admin, &dead, "retry").await.expect_problem(409, "conflict");
        assert_eq!(act(&admin, &dead, "discard").await.expect(200).body["state"], "dropped");
    }

    async fn messages_are_listed_by_state_and_topic_page_by_page(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        a_tenant(&world, &admin).await;
        for slug in ["acme", "nobody"] {
            server.api().ask_for_otp(slug).await;
        }
        until(&admin, |message| message["state"] == "dropped").await;
        world.mail().wait_for("it@acme.example", 1, Duration::from_secs(30)).await;
        until(&admin, |message| message["state"] == "dropped").await;
        let total = async |query: &str| admin.get(&format!("/api/admin/messages?count=true{query}")).await.expect(200).body["total"].clone();
        let settled = Instant::now() + Duration::from_secs(10);
        while total("&state=sent").await != json!(1) {
            assert!(Instant::now() < settled, "the mail is settled");
        }
        assert_eq!(total("").await, json!(2));
        assert_eq!(total("&state=dropped&topic=mail.otp").await, json!(1), "a decoy");
        assert_eq!((total("&state=dead").await, total("&state=waiting").await), (json!(0), json!(0)));
        assert_eq!(total("&topic=webhook").await, json!(0));
        let first = admin.get("/api/admin/messages?limit=1").await.expect(200);
        let next = first.text_at("/next_cursor");
        let second = admin.get(&format!("/api/admin/messages?limit=1&cursor={next}")).await.expect(200);
        assert_eq!((&second.body["items"][0]["state"], &second.body["next_cursor"]), (&json!("sent"), &Value::Null));
        for bad in ["state=lost", "topic=", "topic=%00", "cursor=x", "payload=1"] {
            admin.get(&format!("/api/admin/messages?{bad}")).await.expect_problem(422, "validation_failed");
        }
    }

    /// Attack 25, before DATA: killed while it holds a message, a server leaves it to whoever comes after the lease.
    async fn a_killed_servers_message_comes_back_after_its_lease(world: World) {
        let mut server = world.server().await;
        let admin = world.admin(&server);
        a_tenant(&world, &admin).await;
        world.mail().freeze().await;
        server.api().ask_for_otp("acme").await;
        let claimed = until(&admin, |message| message["attempts"] == 1).await;
        server.kill9().await;
        world.mail().thaw().await;
        let killed = Instant::now();
        server.restart().await;
        let mails = world.mail().wait_for("it@acme.example", 1, Duration::from_secs(90)).await;
        assert!(killed.elapsed() > Duration::from_secs(40), "it came back within the lease: {:?}", killed.elapsed());
        let admin = world.admin(&server);
        let sent = until(&admin, |message| message["state"] == "sent").await;
        assert_eq!((&sent["id"], &sent["attempts"]), (&claimed["id"], &json!(2)));
        assert!(mails[0].message_id.starts_with(claimed["id"].as_str().unwrap()), "{}", mails[0].message_id);
        assert_eq!(world.mail().received("it@acme.example").len(), 1);
    }
}
