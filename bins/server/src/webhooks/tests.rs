//! The notifier, on a store in memory, a clock that is moved by hand, and receivers on this machine.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tenantry_auth::{KeyRing, NewWebhook, SecretWebhook, create_webhook, rotate_webhook_secret};
use tenantry_domain::{
    Clock, Context, DisabledReason, EventType, EventTypes, KeyId, ManualClock, MessageState, SeededEntropy, Timestamp, TraceId,
    Webhook, WebhookChange, WebhookDelivery, WebhookId, WebhookOwner, WebhookUrl, change_webhook,
    memory::MemoryStore,
    ports::{Store, WebhookReads},
    redeliver_webhook_message, test_webhook,
};
use time::{Duration, macros::datetime};

use super::{
    addresses::{Addresses, Resolver},
    call::{CallFailure, CallRules, Caller, Headers},
    running::RunningNotifier,
    worker::{AT_ONCE_EACH, LEASE, Notifier},
};

use crate::metrics::Metrics;

const ALL: CallRules = CallRules { allow_private: true, https_only: false };
const PUBLIC: CallRules = CallRules { allow_private: false, https_only: false };
const OPERATORS: WebhookOwner = WebhookOwner::Operators;

/// A server that answers every request the same, and keeps what it was sent.
struct Receiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(answer: &'static str) -> Self {
        Self::with(move |stream, _| {
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    fn with(answer: impl Fn(&mut TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (kept, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = read_request(&stream) else { return };
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request);
                        kept.len()
                    };
                    answer(&mut stream, number);
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?key=1", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Head and body.
fn read_request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    let length = header(&request, "content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(request + &String::from_utf8(body).ok()?)
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().filter_map(|line| line.split_once(": ")).find_map(|(found, value)| (found == name).then_some(value))
}

/// A resolver that answers with another list each time.
struct Fake(Vec<Vec<SocketAddr>>, AtomicUsize);

impl Fake {
    fn new(answers: &[&[SocketAddr]]) -> Arc<Self> {
        Arc::new(Self(answers.iter().map(|answer| answer.to_vec()).collect(), AtomicUsize::new(0)))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Resolver for Fake {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Addresses<'a> {
        let answer = self.0.get(self.1.fetch_add(1, Ordering::Relaxed)).cloned();
        Box::pin(async move { answer.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

struct World {
    notifier: Notifier<MemoryStore>,
    clock: ManualClock,
    entropy: SeededEntropy,
}

fn world(rules: CallRules, resolver: Arc<Fake>) -> World {
    let clock = ManualClock::new(Timestamp::new(datetime!(2026-03-01 10:00 UTC)));
    let line = KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &SeededEntropy::new(1));
    let notifier = Notifier {
        store: MemoryStore::new(),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(7)),
        keys: Arc::new(KeyRing::parse(&line).unwrap()),
        caller: Caller::new(rules, resolver).unwrap(),
        metrics: Metrics::new(clock.now()),
    };
    World { notifier, clock, entropy: SeededEntropy::new(8) }
}

impl World {
    fn cx(&self) -> Context<'_> {
        Context::system(self.clock.now(), &self.entropy)
    }

    async fn webhook(&self, url: &str) -> SecretWebhook {
        let events = EventTypes::from_iter([EventType::ProjectActivated]);
        let new = NewWebhook { url: WebhookUrl::parse(url).unwrap(), description: None, events };
        create_webhook(&self.notifier.store, &self.cx(), &self.notifier.keys, OPERATORS, new).await.unwrap()
    }

    async fn test(&self, id: WebhookId) -> WebhookDelivery {
        test_webhook(&self.notifier.store, &self.cx(), OPERATORS, id).await.unwrap()
    }

    async fn delivery(&self, id: WebhookId, delivery: &WebhookDelivery) -> WebhookDelivery {
        self.notifier.store.reader().webhook_delivery(OPERATORS, id, delivery.id).await.unwrap().unwrap()
    }

    async fn stored(&self, id: WebhookId) -> Webhook {
        self.notifier.store.reader().webhook_of_anyone(id).await.unwrap().unwrap()
    }

    /// Makes a webhook, sends it a message, and answers what came of that.
    async fn sent_to(&self, url: &str) -> WebhookDelivery {
        let id = self.webhook(url).await.webhook.id;
        let delivery = self.test(id).await;
        assert_eq!(self.notifier.deliver_due().await, 1);
        self.delivery(id, &delivery).await
    }
}

fn nobody() -> Arc<Fake> {
    Fake::new(&[])
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: a=b\r\n\r\n";

#[tokio::test]
async fn a_call_is_made_in_the_trace_of_what_caused_it() {
    let (world, receiver) = (world(ALL, nobody()), Receiver::start(OK));
    let id = world.webhook(&receiver.url()).await.webhook.id;
    let trace_id = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    let cx = Context { trace_id: Some(trace_id), ..world.cx() };
    test_webhook(&world.notifier.store, &cx, OPERATORS, id).await.unwrap();
    assert_eq!(world.notifier.deliver_due().await, 1);
    world.test(id).await;
    assert_eq!(world.notifier.deliver_due().await, 1);
    let [traced, untraced] = receiver.requests().try_into().unwrap();
    let traceparent = header(&traced, "traceparent").unwrap();
    assert!(traceparent.starts_with(&format!("00-{trace_id}-")) && traceparent.len() == 55, "{traceparent}");
    assert!(!traceparent.contains("-0000000000000000-"));
    assert_eq!(header(&untraced, "traceparent"), None);
}

#[tokio::test]
async fn a_message_is_sent_once_with_its_signature() {
    let (world, receiver) = (world(ALL, nobody()), Receiver::start(OK));
    let made = world.webhook(&receiver.url()).await;
    let delivery = world.test(made.webhook.id).await;
    assert_eq!(world.notifier.deliver_due().await, 1);
    world.clock.advance(LEASE * 2);
    assert_eq!(world.notifier.deliver_due().await, 0);
    let requests = receiver.requests();
    let [request] = requests.as_slice() else { panic!("one request: {requests:?}") };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hooks?key=1 HTTP/1.1\r\n"), "{head}");
    let at = world.clock.now() - LEASE * 2;
    let expected = [
        ("host", receiver.address.to_string()),
        ("user-agent", concat!("Tenantry/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("content-type", "application/json".to_owned()),
        ("webhook-id", delivery.id.to_string()),
        ("webhook-timestamp", "1772359200".to_owned()),
        ("webhook-signature", made.secret.sign(delivery.id, at, body.as_bytes())),
    ];
    for (name, value) in expected {
        assert_eq!(header(head, name), Some(value.as_str()), "{name}");
    }
    assert_eq!(head.lines().count(), 8, "nothing else is said: {head}");
    assert!(
        body.starts_with(r#"{"type":"webhook.test","timestamp":"2026-03-01T10:00:00Z","data":{"webhook_id":"whk_"#),
        "{body}"
    );
    let sent = world.delivery(made.webhook.id, &delivery).await;
    let call = sent.last_call.unwrap();
    assert_eq!((sent.state, call.response_code, sent.last_error), (MessageState::Sent, Some(200), None));
}

#[tokio::test]
async fn a_replaced_secret_signs_too_until_its_end() {
    let (world, receiver) = (world(ALL, nobody()), Receiver::start(OK));
    let (store, keys) = (&world.notifier.store, &world.notifier.keys);
    let made = world.webhook(&receiver.url()).await;
    let id = made.webhook.id;
    let rotated = rotate_webhook_secret(store, &world.cx(), keys, OPERATORS, id, Duration::HOUR).await.unwrap();
    for (waited, secrets) in [(Duration::minutes(59), &[&rotated, &made][..]), (Duration::minutes(1), &[&rotated])] {
        world.clock.advance(waited);
        let delivery = world.test(id).await;
        world.notifier.deliver_due().await;
        let request = receiver.requests().pop().unwrap();
        let body = request.split_once("\r\n\r\n").unwrap().1.as_bytes();
        let signed: Vec<_> = secrets.iter().map(|made| made.secret.sign(delivery.id, world.clock.now(), body)).collect();
        assert_eq!(header(&request, "webhook-signature"), Some(signed.join(" ").as_str()));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::start(OK);
    let location = elsewhere.url();
    let receiver = Receiver::with(move |stream, _| {
        let _ = write!(stream, "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    });
    let delivery = world(ALL, nobody()).sent_to(&receiver.url()).await;
    assert_eq!((delivery.state, delivery.last_call.unwrap().response_code), (MessageState::Waiting, Some(307)));
    assert_eq!((receiver.requests().len(), elsewhere.requests().len()), (1, 0));
}

#[tokio::test]
async fn what_not_everybody_can_reach_is_not_connected_to() {
    let receiver = Receiver::start(OK);
    let port = receiver.address.port();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0"] {
        let delivery = world(PUBLIC, nobody()).sent_to(&format!("http://{host}:{port}/")).await;
        let why = delivery.last_error.unwrap();
        assert_eq!(
            (delivery.state, why.as_str()),
            (MessageState::Waiting, "the address isn't one that everybody can reach"),
            "{host}"
        );
    }
    let public: SocketAddr = "93.184.215.14:80".parse().unwrap();
    // One address that may not be called refuses the name, wherever it stands among the others.
    for addresses in [[receiver.address, public], [public, receiver.address]] {
        let delivery = world(PUBLIC, Fake::new(&[&addresses])).sent_to("http://inside.example/").await;
        assert_eq!(delivery.last_error.unwrap().as_str(), "the address isn't one that everybody can reach");
    }
    assert_eq!(receiver.requests().len(), 0);
}

/// DNS rebinding: a name that is harmless when it is checked and is not when it is called.
#[tokio::test]
async fn a_name_is_asked_for_once_and_what_was_checked_is_called() {
    let (first, second) = (Receiver::start(OK), Receiver::start(OK));
    let resolver = Fake::new(&[&[first.address], &[second.address]]);
    let delivery = world(ALL, Arc::clone(&resolver)).sent_to("http://rebound.example:1/").await;
    assert_eq!(delivery.state, MessageState::Sent);
    assert_eq!((resolver.asked(), first.requests().len(), second.requests().len()), (1, 1, 0));
    assert_eq!(header(&first.requests()[0], "host"), Some("rebound.example:1"));
}

#[tokio::test]
async fn a_call_without_tls_is_refused_in_production() {
    let receiver = Receiver::start(OK);
    let rules = CallRules { https_only: true, ..ALL };
    let delivery = world(rules, nobody()).sent_to(&receiver.url()).await;
    assert_eq!(delivery.last_error.unwrap().as_str(), "the address isn't https");
    let https = receiver.url().replace("http://", "https://");
    let delivery = world(rules, nobody()).sent_to(&https).await;
    assert_eq!(delivery.last_error.unwrap().as_str(), "the certificate, or what else TLS needs, was not accepted");
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_not_read_to_its_end() {
    let receiver = Receiver::with(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let started = std::time::Instant::now();
    let delivery = world(ALL, nobody()).sent_to(&receiver.url()).await;
    assert_eq!(delivery.state, MessageState::Sent);
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    let endless = Receiver::with(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"a: b\r\n").is_ok() {}
    });
    assert_eq!(world(ALL, nobody()).sent_to(&endless.url()).await.last_error.unwrap().as_str(), "the answer wasn't HTTP");
}

#[tokio::test]
async fn a_call_takes_ten_seconds_and_not_longer() {
    let receiver = Receiver::with(|_, _| std::thread::sleep(std::time::Duration::from_secs(60)));
    let caller = Caller::new(ALL, nobody()).unwrap();
    let url = WebhookUrl::parse(&receiver.url()).unwrap();
    let headers = Headers { id: String::new(), timestamp: String::new(), signature: String::new(), traceparent: None };
    let started = std::time::Instant::now();
    assert_eq!(caller.call(&url, &headers, b"{}").await, Err(CallFailure::TimedOut));
    assert!((9..13).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_webhook_that_answers_410_is_disabled() {
    let (world, receiver) = (world(ALL, nobody()), Receiver::start("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"));
    let id = world.webhook(&receiver.url()).await.webhook.id;
    let (delivery, another) = (world.test(id).await, world.test(id).await);
    assert_eq!(world.notifier.deliver_due().await, 2);
    assert_eq!(world.delivery(id, &delivery).await.state, MessageState::Dead);
    assert_eq!(world.delivery(id, &another).await.last_error.unwrap().as_str(), "the webhook is disabled");
    assert_eq!(world.stored(id).await.disabled, Some((world.clock.now(), DisabledReason::Gone)));
    assert_eq!(receiver.requests().len(), 1, "nothing more is sent");
}

#[tokio::test]
async fn a_message_is_tried_for_three_days_and_then_given_up() {
    let (world, receiver) = (world(ALL, nobody()), Receiver::start("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"));
    let id = world.webhook(&receiver.url()).await.webhook.id;
    let delivery = world.test(id).await;
    let started = world.clock.now();
    while world.delivery(id, &delivery).await.state == MessageState::Waiting {
        world.notifier.deliver_due().await;
        let next = world.delivery(id, &delivery).await;
        if next.state == MessageState::Waiting {
            world.clock.advance(next.available_at - world.clock.now());
        }
    }
    let (lasted, dead) = (world.clock.now() - started, world.delivery(id, &delivery).await);
    assert!(lasted > Duration::hours(60) && lasted < Duration::hours(80), "{lasted}");
    assert_eq!((dead.tries, receiver.requests().len()), (14, 14));
    assert_eq!(dead.last_error.unwrap().as_str(), "the webhook answered 500");
    let ids: std::collections::BTreeSet<_> =
        receiver.requests().iter().map(|request| header(request, "webhook-id").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "the same webhook-id each time");

    // By hand, it begins anew, under the same identifier.
    let again = redeliver_webhook_message(&world.notifier.store, &world.cx(), OPERATORS, id, delivery.id).await.unwrap();
    assert_eq!((again.id, again.tries, again.state), (delivery.id, 0, MessageState::Waiting));
    world.notifier.deliver_due().await;
    assert_eq!((world.delivery(id, &delivery).await.tries, receiver.requests().len()), (1, 15));
    assert_eq!(header(&receiver.requests()[14], "webhook-id"), Some(delivery.id.to_string().as_str()));
}

#[tokio::test]
async fn a_webhook_that_takes_nothing_for_five_days_is_disabled_and_says_since_when() {
    let world = world(ALL, nobody());
    // It takes one message, on the third day.
    let receiver = Receiver::with(|stream, number| {
        let status = if number == 4 { "204 No Content" } else { "503 Busy\r\ncontent-length: 0" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\n\r\n");
    });
    let id = world.webhook(&receiver.url()).await.webhook.id;
    let mut failing = Vec::new();
    for _ in 0..9 {
        let webhook = world.stored(id).await;
        if webhook.disabled.is_some() {
            break;
        }
        let delivery = world.test(id).await;
        // What waits from the days before is left to wait, so that each day has one call.
        world.notifier.deliver_newest(delivery.id).await;
        failing.push(world.stored(id).await.failing_since.is_some());
        world.clock.advance(Duration::DAY);
    }
    assert_eq!(failing, [true, true, true, false, true, true, true, true, true], "one that is taken counts the days anew");
    assert!(world.stored(id).await.disabled.is_none());
    let delivery = world.test(id).await;
    world.notifier.deliver_newest(delivery.id).await;
    let disabled = world.stored(id).await;
    assert_eq!(disabled.disabled, Some((world.clock.now(), DisabledReason::Failing)));
    assert_eq!(disabled.failing_since, Some(world.clock.now() - Duration::days(5)));

    let enable = WebhookChange { enabled: Some(true), ..WebhookChange::default() };
    let enabled = change_webhook(&world.notifier.store, &world.cx(), OPERATORS, id, enable, &Default::default()).await.unwrap();
    assert_eq!((enabled.disabled, enabled.failing_since), (None, None));
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_no_other() {
    let hanging = Receiver::with(|_, _| std::thread::sleep(std::time::Duration::from_secs(60)));
    let (world, receiver) = (world(ALL, nobody()), Receiver::start(OK));
    let slow = world.webhook(&hanging.url()).await.webhook.id;
    // More than there are places in all.
    for _ in 0..80 {
        world.test(slow).await;
    }
    let quick = world.webhook(&receiver.url()).await.webhook.id;
    for _ in 0..40 {
        world.test(quick).await;
    }
    let running = RunningNotifier::start(world.notifier);
    let taken = async {
        while receiver.requests().len() < 40 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(8), taken).await.expect("the others are sent meanwhile");
    assert_eq!(hanging.requests().len(), AT_ONCE_EACH);
    drop(running);
}
