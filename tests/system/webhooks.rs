//! Webhooks: every event reaches whoever hears of it, signed as an outside library accepts, once for all or again with the same identifier;
//! nothing is sent that did not happen, and no call goes where it must not.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Received, Receiver, Reply, Server, World, database, on_both_databases, verified};

const SOON: Duration = Duration::from_secs(30);

const EVERYTHING: [&str; 11] = [
    "tenant.created",
    "tenant.suspended",
    "codes.issued",
    "code.revoked",
    "project.created",
    "project.activated",
    "project.paused",
    "project.resumed",
    "project.completed",
    "activation.returned",
    "quota.threshold",
];

/// The operators' webhooks, and a tenant's own.
const OPERATORS: &str = "/api/admin/webhooks";
const OWN: &str = "/api/tenant/webhooks";

async fn server(world: &World) -> Server {
    world.builder().env("TENANTRY__WEBHOOKS__ALLOW_PRIVATE", true).start().await
}

/// A webhook that was made, and where it is changed.
struct Hook {
    api: Api,
    path: String,
    secret: String,
}

async fn hook(api: &Api, door: &str, url: &str, events: &[&str]) -> Hook {
    let made = api.post(door, &json!({ "url": url, "events": events })).await.expect(201);
    let path = format!("{door}/{}", made.text_at("/id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    Hook { api: api.clone(), path, secret: made.text_at("/secret") }
}

impl Hook {
    async fn read(&self) -> Value {
        self.api.get(&self.path).await.expect(200).body
    }

    async fn act(&self, step: &str) -> Reply {
        self.api.post(&format!("{}/{step}", self.path), &json!({})).await
    }

    async fn deliveries(&self) -> Vec<Value> {
        let listed = self.api.get(&format!("{}/deliveries?limit=200", self.path)).await.expect(200).body;
        listed["items"].as_array().unwrap().clone()
    }

    /// Looks until the newest delivery is as expected.
    async fn until(&self, expected: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let newest = self.deliveries().await.first().cloned().unwrap_or_default();
            if expected(&newest) {
                return newest;
            }
            assert!(Instant::now() < deadline, "{newest}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn events(received: &[Received]) -> BTreeSet<String> {
    received.iter().map(Received::event).collect()
}

on_both_databases! {
    async fn every_event_reaches_whoever_hears_of_it_and_an_outside_library_accepts_it(world: World) {
        let server = server(&world).await;
        let admin = world.admin(&server);
        let (to_operators, to_acme) = (Receiver::start(), Receiver::start());
        let operators = hook(&admin, OPERATORS, &to_operators.url(), &EVERYTHING).await;
        let acme = world.tenant(&server, "acme").await;
        let own = hook(&acme.api, OWN, &to_acme.url(), &EVERYTHING).await;
        let tenant = acme.tenant["id"].as_str().unwrap();

        let plan = admin.create_plan("Small", 1).await;
        let small = json!({ "plan_id": plan["id"], "state": "active" });
        let project = acme.api.create_project("CANARYCLIENT").await;
        let id = project["id"].as_str().unwrap();
        admin.put(&format!("/api/admin/tenants/{tenant}/subscription"), &small).await.expect(200);
        let active = acme.api.activate(id, &json!({ "code": acme.codes[0] })).await.expect(200).body;
        for step in ["pause", "resume"] {
            acme.api.post(&format!("/api/tenant/projects/{id}/{step}"), &json!({})).await.expect(200);
        }
        acme.api.post(&format!("/api/tenant/projects/{id}/return"), &json!({})).await.expect(200);
        acme.api.activate(id, &json!({ "code": acme.codes[0] })).await.expect(200);
        acme.api.post(&format!("/api/tenant/projects/{id}/complete"), &json!({})).await.expect(200);
        let issued = admin.post(&format!("/api/admin/tenants/{tenant}/codes"), &json!({ "count": 2 })).await.expect(201);
        let (batch, code) = (issued.text_at("/batch_id"), issued.text_at("/activation_codes/0/id"));
        admin.post(&format!("/api/admin/codes/{code}/revoke"), &json!({})).await.expect(200);
        admin.post(&format!("/api/admin/batches/{batch}/revoke"), &json!({})).await.expect(200);
        admin.post(&format!("/api/admin/tenants/{tenant}/suspend"), &json!({})).await.expect(204);

        let own_events = [
            "project.created", "project.activated", "quota.threshold", "project.paused", "project.resumed", "activation.returned",
            "project.activated", "quota.threshold", "project.completed", "codes.issued", "code.revoked", "code.revoked", "tenant.suspended",
        ];
        let to_acme = to_acme.wait_for(own_events.len(), SOON).await;
        let to_operators = to_operators.wait_for(own_events.len() + 2, SOON).await;
        let mut told: Vec<_> = to_acme.iter().map(Received::event).collect();
        told.sort_unstable();
        let mut expected = own_events;
        expected.sort_unstable();
        assert_eq!(told, expected);
        assert_eq!(events(&to_operators), EVERYTHING.into_iter().map(str::to_owned).collect());
        assert_eq!(to_operators.len(), own_events.len() + 2, "with its making, and its first codes");

        let ids: BTreeSet<_> = to_acme.iter().chain(&to_operators).map(Received::id).collect();
        assert_eq!(ids.len(), to_acme.len() + to_operators.len(), "each message has an identifier of its own");
        let mut cases = Vec::new();
        cases.extend(to_acme.iter().map(|received| (own.secret.as_str(), received, None)));
        cases.extend(to_operators.iter().map(|received| (operators.secret.as_str(), received, None)));
        assert_eq!(verified(&cases).await, vec![true; cases.len()]);
        let altered = to_acme[0].body.replacen('{', "{ ", 1);
        let wrong = [(operators.secret.as_str(), &to_acme[0], None), (own.secret.as_str(), &to_acme[0], Some(altered.as_str()))];
        assert_eq!(verified(&wrong).await, [false, false]);

        let data = |event: &str| to_acme.iter().find(|received| received.event() == event).unwrap().json()["data"].clone();
        let activated = json!({
            "tenant_id": tenant, "id": id, "project_id": project["project_id"], "project_status": "active",
            "activation_code_id": active["activation_code_id"],
        });
        assert_eq!(data("project.activated"), activated);
        let month = data("quota.threshold")["month"].clone();
        assert_eq!(data("quota.threshold"), json!({ "tenant_id": tenant, "month": month, "used": 1, "quota": 1, "percent": 100 }));
        assert_eq!(data("codes.issued"), json!({ "tenant_id": tenant, "batch_id": batch, "count": 2, "source": "issued" }));
        assert_eq!(data("tenant.suspended"), json!({ "tenant_id": tenant }));
        let all = format!("{to_operators:?}{to_acme:?}");
        for canary in ["CANARYCLIENT", "@", "whsec_", acme.codes[0].as_str(), acme.api.bearer().unwrap()] {
            assert!(!all.contains(canary), "{canary} was sent");
        }
    }

    async fn what_is_refused_and_what_is_repeated_is_not_told(world: World) {
        let server = server(&world).await;
        let acme = world.tenant(&server, "acme").await;
        let receiver = Receiver::start();
        let own = hook(&acme.api, OWN, &receiver.url(), &EVERYTHING).await;
        let project = acme.api.create_project("Client").await;
        let id = project["id"].as_str().unwrap();
        acme.api.activate(id, &json!({ "code": "12RY-S55W-4MZR-KP2J" })).await.expect(422);
        acme.api.post(&format!("/api/tenant/projects/{id}/pause"), &json!({})).await.expect(409);
        for _ in 0..3 {
            acme.api.activate(id, &json!({ "code": acme.codes[0] })).await.expect(200);
        }
        let other = acme.api.create_project("Client").await;
        acme.api.activate(other["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(409);
        receiver.wait_for(3, SOON).await;
        let told: Vec<_> = own.deliveries().await.iter().rev().map(|delivery| delivery["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, ["project.created", "project.activated", "project.created"]);
    }

    /// Killed between the claim of a message and its end, a server leaves it to whoever comes after the lease: the same message again.
    async fn a_killed_servers_message_is_sent_again_after_its_lease(world: World) {
        let mut server = server(&world).await;
        let admin = world.admin(&server);
        let receiver = Receiver::start();
        let hooked = hook(&admin, OPERATORS, &receiver.url(), &["tenant.created"]).await;
        receiver.hang();
        hooked.act("test").await.expect(202);
        receiver.wait_for(1, SOON).await;
        server.kill9().await;
        let killed = Instant::now();
        receiver.answer(200);
        server.restart().await;
        let received = receiver.wait_for(2, Duration::from_secs(90)).await;
        assert!(killed.elapsed() > Duration::from_secs(40), "within the lease: {:?}", killed.elapsed());
        assert_eq!((received[0].id(), &received[0].body), (received[1].id(), &received[1].body));
        let hooked = Hook { api: world.admin(&server), ..hooked };
        let sent = hooked.until(|delivery| delivery["state"] == "sent").await;
        assert_eq!((&sent["id"], &sent["attempts"]), (&json!(received[0].id()), &json!(2)));
        assert_eq!(receiver.received().len(), 2);
    }

    /// Any number of servers share the messages: each is sent once.
    async fn servers_share_the_messages_and_send_each_once(world: World) {
        let mut servers = vec![server(&world).await];
        if world.kind() == tenantry_tests::DatabaseKind::Postgres {
            servers.push(server(&world).await);
        }
        let admin = world.admin(&servers[0]);
        let receiver = Receiver::start();
        let hooked = hook(&admin, OPERATORS, &receiver.url(), &["tenant.created"]).await;
        for _ in 0..60 {
            hooked.act("test").await.expect(202);
        }
        receiver.wait_for(60, SOON).await;
        hooked.until(|_| true).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let received = receiver.received();
        assert_eq!((received.len(), received.iter().map(Received::id).collect::<BTreeSet<_>>().len()), (60, 60));
    }

    async fn what_a_webhook_does_not_take_is_logged_tried_again_and_sent_again_by_hand(world: World) {
        let server = server(&world).await;
        let acme = world.tenant(&server, "acme").await;
        let receiver = Receiver::start();
        let own = hook(&acme.api, OWN, &receiver.url(), &["project.created"]).await;
        receiver.answer(503);
        acme.api.create_project("Client").await;
        let failed = own.until(|delivery| delivery["attempts"] == 1 && delivery["response_code"] == 503).await;
        assert_eq!((&failed["state"], &failed["event"]), (&json!("waiting"), &json!("project.created")));
        assert_eq!(failed["error"], "the webhook answered 503");
        assert!(failed["duration_ms"].is_u64() && failed["last_attempt_at"].is_string() && failed["next_attempt_at"].is_string());
        assert!(own.read().await["failing_since"].is_string());
        // It comes back by itself, seconds later.
        receiver.answer(302);
        let redirected = own.until(|delivery| delivery["attempts"] == 2 && delivery["response_code"] == 302).await;
        assert_eq!(redirected["error"], "the webhook answered 302; redirects aren't followed");
        let again = format!("deliveries/{}/redeliver", failed["id"].as_str().unwrap());
        let waiting = own.act(&again).await.expect(202).body;
        assert_eq!((&waiting["attempts"], &waiting["state"]), (&json!(2), &json!("waiting")), "while it waits, nothing changes");
        receiver.answer(204);
        let hasten = "UPDATE outbox SET available_at = created_at WHERE webhook_id IS NOT NULL";
        database::execute(world.database_url(), hasten).await.unwrap();
        let sent = own.until(|delivery| delivery["state"] == "sent").await;
        assert_eq!((&sent["response_code"], &sent["error"], &sent["attempts"]), (&json!(204), &Value::Null, &json!(3)));
        assert_eq!(own.read().await["failing_since"], Value::Null);

        own.act(&again).await.expect(202);
        let received = receiver.wait_for(4, SOON).await;
        assert_eq!(received.iter().map(Received::id).collect::<BTreeSet<_>>(), [failed["id"].as_str().unwrap()].into());
        assert!(received.iter().all(|received| received.path == "/hooks"), "no redirect was followed");
        assert_eq!(verified(&[(own.secret.as_str(), &received[3], None)]).await, [true]);
        // An operator sees it among all messages, and nothing of what it says.
        own.until(|delivery| delivery["state"] == "sent").await;
        let messages = world.admin(&server).get("/api/admin/messages?topic=webhook.project.created").await.expect(200);
        assert_eq!((messages.text_at("/items/0/id"), messages.text_at("/items/0/state")), (sent["id"].as_str().unwrap().to_owned(), "sent".to_owned()));
    }

    async fn a_webhook_that_is_gone_or_takes_nothing_for_days_is_disabled_and_says_so(world: World) {
        let server = server(&world).await;
        let admin = world.admin(&server);
        let receiver = Receiver::start();
        let hooked = hook(&admin, OPERATORS, &receiver.url(), &["tenant.created"]).await;
        receiver.answer(410);
        hooked.act("test").await.expect(202);
        hooked.until(|delivery| delivery["state"] == "dead").await;
        let gone = hooked.read().await;
        assert_eq!((&gone["enabled"], &gone["disabled_reason"]), (&json!(false), &json!("gone")));
        assert!(gone["disabled_at"].is_string());
        hooked.act("test").await.expect_problem(409, "conflict");
        admin.create_plan("Plan", 10).await;

        let enabled = admin.patch(&hooked.path, &json!({ "enabled": true })).await.expect(200).body;
        assert_eq!((&enabled["disabled_reason"], &enabled["failing_since"]), (&Value::Null, &Value::Null));
        receiver.answer(500);
        hooked.act("test").await.expect(202);
        hooked.until(|delivery| delivery["attempts"] == 1).await;
        hooked.until(|delivery| delivery["response_code"] == 500).await;
        assert_eq!(hooked.read().await["enabled"], true);
        let days_ago = match world.kind() {
            tenantry_tests::DatabaseKind::Postgres => "now() - interval '121 hours'",
            tenantry_tests::DatabaseKind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-121 hours')",
        };
        database::execute(world.database_url(), &format!("UPDATE webhooks SET failing_since = {days_ago}")).await.unwrap();
        hooked.act("test").await.expect(202);
        let deadline = Instant::now() + SOON;
        while hooked.read().await["enabled"] == true {
            assert!(Instant::now() < deadline, "it is disabled");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let failing = hooked.read().await;
        assert_eq!(failing["disabled_reason"], "failing");
        let trail = admin.get("/api/admin/events?action=webhook.disabled").await.expect(200).body;
        let said: Vec<_> = trail["items"].as_array().unwrap().iter().map(|event| event["details"]["reason"].as_str().unwrap()).collect();
        assert_eq!((said, &trail["items"][0]["actor"]["kind"]), (vec!["failing", "gone"], &json!("system")));
    }

    /// No call goes to what not everybody can reach, unless the operator allows it.
    async fn an_address_inside_is_not_called_unless_that_is_allowed(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let receiver = Receiver::start();
        let port = receiver.url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
        for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let own = hook(&acme.api, OWN, &format!("http://{host}:{port}/"), &["project.created"]).await;
            own.act("test").await.expect(202);
            let refused = own.until(|delivery| delivery["attempts"] == 1 && !delivery["error"].is_null()).await;
            assert_eq!(refused["error"], "the address isn't one that everybody can reach", "{host}");
            assert_eq!((&refused["state"], &refused["response_code"]), (&json!("waiting"), &Value::Null));
            acme.api.delete(&own.path).await.expect(204);
        }
        assert_eq!(receiver.received(), []);
    }

    async fn a_replaced_secret_is_good_until_its_overlap_ends(world: World) {
        let server = server(&world).await;
        let admin = world.admin(&server);
        let receiver = Receiver::start();
        let hooked = hook(&admin, OPERATORS, &receiver.url(), &["tenant.created"]).await;
        let rotated = hooked.act("rotate-secret").await.expect(200);
        let (old, new) = (hooked.secret.clone(), rotated.text_at("/secret"));
        assert!(rotated.body["former_secret_until"].is_string() && old != new);
        hooked.act("test").await.expect(202);
        let both = receiver.wait_for(1, SOON).await.remove(0);
        assert_eq!(verified(&[(new.as_str(), &both, None), (old.as_str(), &both, None)]).await, [true, true]);
        let at_once = admin.post(&format!("{}/rotate-secret", hooked.path), &json!({ "overlap_seconds": 0 })).await.expect(200);
        assert_eq!(at_once.body["former_secret_until"], Value::Null);
        hooked.act("test").await.expect(202);
        let newest = receiver.wait_for(2, SOON).await.remove(1);
        let secrets = [at_once.text_at("/secret"), new, old];
        assert_eq!(verified(&secrets.each_ref().map(|secret| (secret.as_str(), &newest, None))).await, [true, false, false]);
        admin.post(&format!("{}/rotate-secret", hooked.path), &json!({ "overlap_seconds": 604_801 })).await.expect_problem(422, "validation_failed");

        // Shown once, kept sealed, and in no log.
        let (stolen, logs) = (world.stolen_database(), server.logs());
        for secret in &secrets {
            let bare = secret.trim_start_matches("whsec_");
            assert!(!stolen.contains(bare) && !logs.contains(bare), "{secret}");
            assert!(!admin.get(OPERATORS).await.expect(200).text.contains(bare));
        }
        assert!(!logs.contains("/hooks"), "an address can be a secret too");
    }

    async fn webhooks_are_made_changed_listed_and_deleted_within_bounds(world: World) {
        let server = server(&world).await;
        let acme = world.tenant(&server, "acme").await;
        for (api, door) in [(world.admin(&server), OPERATORS), (acme.api.clone(), OWN)] {
            let bad = json!({ "url": "ftp://x", "description": "", "events": ["moon.risen", "project.created", "x"] });
            let problem = api.post(door, &bad).await.expect_problem(422, "validation_failed");
            let pointers: Vec<_> = problem.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(pointers, ["/url", "/description", "/events/0", "/events/2"]);
            api.post(door, &json!({ "url": "https://hooks.example", "events": [] })).await.expect_problem(422, "validation_failed");
            for url in ["https://user:pass@hooks.example", "https://hooks.example/#x", "//hooks.example", ""] {
                api.post(door, &json!({ "url": url, "events": ["codes.issued"] })).await.expect_problem(422, "validation_failed");
            }

            // Sent again with the same key, a request makes no second webhook and shows the same secret.
            let keyed = async || {
                let new = json!({ "url": "https://hooks.example", "description": "Billing", "events": ["codes.issued", "codes.issued"] });
                api.send(api.request(Method::POST, door).header("idempotency-key", "once").json(&new)).await.expect(201)
            };
            let (made, again) = (keyed().await, keyed().await);
            assert_eq!(made.body, again.body);
            assert_eq!((&made.body["events"], &made.body["description"]), (&json!(["codes.issued"]), &json!("Billing")));
            assert!(made.text_at("/secret").starts_with("whsec_"));
            let path = format!("{door}/{}", made.text_at("/id"));
            let read = api.get(&path).await.expect(200);
            assert!(read.body.get("secret").is_none());
            let tag = read.header("etag").unwrap().to_owned();

            let change = json!({ "description": null, "events": ["code.revoked"], "enabled": false });
            let changed = api.send(api.request(Method::PATCH, &path).header("if-match", &tag).json(&change)).await.expect(200);
            assert_eq!((&changed.body["description"], &changed.body["disabled_reason"]), (&Value::Null, &json!("by_owner")));
            api.send(api.request(Method::PATCH, &path).header("if-match", &tag).json(&change)).await.expect_problem(412, "precondition_failed");
            assert_eq!(api.patch(&path, &change).await.expect(200).body, changed.body, "a change of nothing is none");
            api.patch(&path, &json!({ "events": [] })).await.expect_problem(422, "validation_failed");
            api.patch(&path, &json!({ "secret": "x" })).await.expect_problem(422, "validation_failed");
            for step in ["test", "deliveries/msg_018bcfe568007000800000000000000a/redeliver"] {
                api.post(&format!("{path}/{step}"), &json!({})).await.expect_problem(409, "conflict");
            }

            for _ in 1..10 {
                hook(&api, door, "https://hooks.example", &["codes.issued"]).await;
            }
            api.post(door, &json!({ "url": "https://hooks.example", "events": ["codes.issued"] })).await.expect_problem(409, "conflict");
            let first = api.get(&format!("{door}?limit=6&count=true")).await.expect(200);
            assert_eq!(first.body["total"], 10);
            let rest = api.get(&format!("{door}?limit=6&cursor={}", first.text_at("/next_cursor"))).await.expect(200).body;
            assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (4, &Value::Null));
            api.delete(&path).await.expect(204);
            for reply in [api.delete(&path).await, api.get(&path).await, api.get(&format!("{path}/deliveries")).await] {
                reply.expect_problem(404, "not_found");
            }
        }
    }

    /// A foreign webhook is answered like a missing one, and hears of nobody else.
    async fn a_tenant_sees_and_hears_of_itself_alone(world: World) {
        let server = server(&world).await;
        let admin = world.admin(&server);
        let (acme, beta) = (world.tenant(&server, "acme").await, world.tenant(&server, "beta").await);
        let (to_acme, to_beta) = (Receiver::start(), Receiver::start());
        let of_acme = hook(&acme.api, OWN, &to_acme.url(), &EVERYTHING).await;
        let of_beta = hook(&beta.api, OWN, &to_beta.url(), &EVERYTHING).await;
        let of_operators = hook(&admin, OPERATORS, "https://hooks.example", &["tenant.suspended"]).await;
        of_beta.act("test").await.expect(202);
        let delivery = of_beta.until(|delivery| delivery["state"] == "sent").await["id"].as_str().unwrap().to_owned();
        let id = |hook: &Hook| hook.path.rsplit('/').next().unwrap().to_owned();
        let mut answers = Vec::new();
        for foreign in [id(&of_beta), id(&of_operators), "whk_018bcfe568007000800000000000000a".to_owned(), "x".to_owned()] {
            for (api, door) in [(&acme.api, OWN), (&admin, OPERATORS)] {
                if door == OPERATORS && foreign == id(&of_operators) {
                    continue;
                }
                let path = format!("{door}/{foreign}");
                let replies = [
                    api.get(&path).await,
                    api.patch(&path, &json!({ "enabled": false })).await,
                    api.delete(&path).await,
                    api.post(&format!("{path}/rotate-secret"), &json!({})).await,
                    api.post(&format!("{path}/test"), &json!({})).await,
                    api.get(&format!("{path}/deliveries")).await,
                    api.post(&format!("{path}/deliveries/{delivery}/redeliver"), &json!({})).await,
                ];
                answers.push(replies.map(|reply| {
                    let mut body = reply.expect_problem(404, "not_found").body;
                    body["instance"] = Value::Null;
                    body
                }));
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let redelivered = of_acme.act(&format!("deliveries/{delivery}/redeliver")).await;
        redelivered.expect_problem(404, "not_found");
        assert_eq!(acme.api.get(OWN).await.expect(200).body["items"].as_array().unwrap().len(), 1);

        beta.api.create_project("Client").await;
        to_beta.wait_for(2, SOON).await;
        acme.api.create_project("Client").await;
        let heard = to_acme.wait_for(1, SOON).await;
        assert_eq!((heard.len(), &heard[0].json()["data"]["tenant_id"]), (1, &acme.tenant["id"]));
        assert_eq!(to_beta.received().len(), 2);
        // With a tenant go its webhooks, and what was sent to them.
        admin.delete(&format!("/api/admin/tenants/{}", beta.tenant["id"].as_str().unwrap())).await.expect(204);
        let left = world.rows("SELECT topic FROM outbox WHERE webhook_id IS NOT NULL").await;
        assert_eq!(left, [json!({ "topic": "webhook.project.created" })]);
    }
}
