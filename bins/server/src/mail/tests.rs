//! The mailer, on a store in memory and a clock that is moved by hand.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
};

use tenantry_auth::{KeyRing, OtpMail};
use tenantry_domain::{
    Cause, Clock, Delivery, Email, FailureNote, HexColor, Id, KeyId, ManualClock, MessageId, MessageState, OutboxMessage,
    SeededEntropy, Timestamp,
    memory::MemoryStore,
    ports::{OutboxReads, OutboxWrites, Store, Transaction},
};
use time::{Duration, macros::datetime};
use tokio::time::sleep;

use super::{
    Brand, Mailer, RunningMailer, Transport,
    worker::{BATCH, LEASE, MOST_ATTEMPTS, SHORTEST_WAIT},
};
use crate::{
    config::{Environment, MailConfig, MailUrl},
    metrics::Metrics,
};

struct World {
    mailer: Mailer<MemoryStore>,
    clock: ManualClock,
    folder: tempfile::TempDir,
}

fn ring(seed: u64) -> KeyRing {
    KeyRing::parse(&KeyRing::generate_line(&KeyId::parse(&format!("k{seed}")).unwrap(), &SeededEntropy::new(seed))).unwrap()
}

fn smtp(port: u16) -> Transport {
    let url = MailUrl::parse(&format!("smtp://127.0.0.1:{port}"), Environment::Development).unwrap();
    let from = "Tenantry <tenantry@example.com>".parse().unwrap();
    Transport::new(&MailConfig { url, from, ca: None }, None).unwrap()
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(Timestamp::new(datetime!(2026-03-01 10:00 UTC)));
    let mailer = Mailer {
        store: MemoryStore::new(),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(7)),
        keys: Arc::new(ring(1)),
        transport: Transport::Folder(folder.path().to_owned()),
        from: "Portal <no-reply@portal.example>".parse().unwrap(),
        brand: Brand { name: "Portal".to_owned(), color: HexColor::parse(Brand::COLOR).unwrap(), support: None },
        public_url: "https://portal.example".to_owned(),
        metrics: Metrics::new(clock.now()),
    };
    World { mailer, clock, folder }
}

impl World {
    async fn enqueue(&self, to: Option<&str>) -> MessageId {
        self.enqueue_with(to, &self.mailer.keys).await
    }

    async fn enqueue_with(&self, to: Option<&str>, keys: &KeyRing) -> MessageId {
        let message = message(to, keys, self.clock.now());
        enqueue(&self.mailer.store, &message).await;
        message.id
    }

    async fn batch_after(&self, wait: Duration) -> usize {
        self.clock.advance(wait);
        self.mailer.deliver_batch().await.unwrap()
    }

    fn mails(&self) -> Vec<String> {
        names(self.folder.path())
    }
}

fn message(to: Option<&str>, keys: &KeyRing, now: Timestamp) -> OutboxMessage {
    let entropy = SeededEntropy::new(8);
    let (to, expires_at) = (to.map(|to| Email::parse(to).unwrap()), now + Duration::minutes(10));
    let mail = OtpMail { to, account_name: "Acme".to_owned(), otp: "042137".to_owned(), expires_at };
    let id = Id::generate(now, &entropy);
    OutboxMessage {
        id,
        topic: OtpMail::TOPIC.to_owned(),
        payload: keys.seal(id, &mail.to_bytes(), &entropy),
        available_at: now,
        not_after: Some(expires_at),
        attempts: 0,
        forgiven: 0,
        cause: Cause::default(),
        created_at: now,
    }
}

async fn enqueue(store: &MemoryStore, message: &OutboxMessage) {
    let mut tx = store.begin().await.unwrap();
    tx.enqueue_message(message).await.unwrap();
    tx.commit().await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A mail server for one connection, which answers RCPT with `reply`.
fn mail_server(reply: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let mut answers = connection.try_clone().unwrap();
        writeln!(answers, "220 ready\r").unwrap();
        for line in BufReader::new(connection).lines().map_while(Result::ok) {
            let answer = if line.starts_with("RCPT") { reply } else { "250 fine" };
            let _ = writeln!(answers, "{answer}\r");
        }
    });
    port
}

#[tokio::test]
async fn a_mail_is_sent_once() {
    let world = world();
    let id = world.enqueue(Some("ops@acme.example")).await;
    assert_eq!(world.batch_after(Duration::ZERO).await, 1);
    assert_eq!(world.mails(), [format!("{id}.eml")]);
    assert_eq!(world.batch_after(LEASE * 2).await, 0);
}

#[tokio::test]
async fn decoys_and_expired_mails_are_not_sent_and_not_seen_again() {
    let world = world();
    world.enqueue(None).await;
    assert_eq!(world.batch_after(Duration::ZERO).await, 1);
    world.enqueue(Some("ops@acme.example")).await;
    world.batch_after(Duration::minutes(10)).await;
    assert_eq!(world.batch_after(LEASE * 2).await, 0);
    assert!(world.mails().is_empty());
}

#[tokio::test]
async fn a_mail_server_that_is_away_costs_no_mail() {
    let mut world = world();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = std::mem::replace(&mut world.mailer.transport, smtp(nobody));
    world.enqueue(Some("ops@acme.example")).await;
    assert_eq!(world.batch_after(Duration::ZERO).await, 1);
    assert_eq!(world.batch_after(Duration::milliseconds(400)).await, 0, "it came back too soon");
    assert_eq!(world.batch_after(Duration::milliseconds(600)).await, 1);
    world.mailer.transport = folder;
    assert_eq!(world.batch_after(Duration::seconds(2)).await, 1);
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn an_outage_of_nine_minutes_costs_no_mail_that_is_still_valid() {
    let mut world = world();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = std::mem::replace(&mut world.mailer.transport, smtp(nobody));
    world.enqueue(Some("ops@acme.example")).await;
    for _ in 0..9 * 60 {
        world.batch_after(Duration::SECOND).await;
    }
    world.mailer.transport = folder;
    for _ in 0..59 {
        world.batch_after(Duration::SECOND).await;
    }
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_refused_mail_is_dead_and_a_busy_server_is_asked_again() {
    for (reply, again) in [("550 5.1.1 <ops@acme.example> unknown", 0), ("451 4.3.0 <ops@acme.example> busy", 1)] {
        let mut world = world();
        world.mailer.transport = smtp(mail_server(reply));
        world.enqueue(Some("ops@acme.example")).await;
        assert_eq!(world.batch_after(Duration::ZERO).await, 1);
        world.mailer.transport = Transport::Folder(world.folder.path().to_owned());
        assert_eq!(world.batch_after(LEASE * 2).await, again, "{reply}");
    }
}

#[tokio::test]
async fn what_a_mail_server_says_of_an_address_is_not_repeated() {
    let mut world = world();
    world.mailer.transport = smtp(mail_server("550 5.1.1 <ops@acme.example> unknown"));
    let id = world.enqueue(Some("ops@acme.example")).await;
    let mut tx = world.mailer.store.begin().await.unwrap();
    let message = tx.claim_messages(world.clock.now(), LEASE, BATCH).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    let outcome = world.mailer.attempt(&message).await;
    let why = FailureNote::new("the mail server refused the mail with code 550");
    assert_eq!((message.id, outcome.delivery), (id, Delivery::Dead { why }));
}

#[tokio::test]
async fn a_message_under_a_key_that_is_not_here_is_left_for_those_who_have_it() {
    let mut world = world();
    let newer = ring(2);
    world.enqueue_with(Some("ops@acme.example"), &newer).await;
    assert_eq!(world.batch_after(Duration::ZERO).await, 1);
    assert!(world.mails().is_empty());
    world.mailer.keys = Arc::new(newer);
    assert_eq!(world.batch_after(Duration::SECOND).await, 1);
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_message_that_never_works_is_given_up() {
    let world = world();
    let message = message(Some("ops@acme.example"), &ring(2), world.clock.now());
    let delivery = async |attempts| world.mailer.attempt(&OutboxMessage { attempts, ..message.clone() }).await.delivery;
    assert!(matches!(delivery(MOST_ATTEMPTS - 1).await, Delivery::Retry { .. }));
    assert!(matches!(delivery(MOST_ATTEMPTS).await, Delivery::Dead { .. }));
    assert!(matches!(delivery(MOST_ATTEMPTS + 1).await, Delivery::Dead { .. }));
    let put_back = OutboxMessage { attempts: MOST_ATTEMPTS + 2, forgiven: MOST_ATTEMPTS + 1, ..message.clone() };
    assert!(matches!(world.mailer.attempt(&put_back).await.delivery, Delivery::Retry { .. }), "its tries start anew");
}

#[tokio::test]
async fn a_refused_mail_is_kept_until_it_expires_and_not_longer() {
    let mut world = world();
    world.mailer.transport = smtp(mail_server("550 5.1.1 <ops@acme.example> unknown"));
    let id = world.enqueue(Some("ops@acme.example")).await;
    world.batch_after(Duration::ZERO).await;
    let record = async || world.mailer.store.reader().message(id).await.unwrap().unwrap();
    let wiped_after = async |wait| {
        world.clock.advance(wait);
        world.mailer.wipe_expired().await.unwrap();
        !record().await.holds_payload
    };
    assert_eq!(record().await.state, MessageState::Dead);
    assert!(!wiped_after(Duration::seconds(599)).await && wiped_after(Duration::SECOND).await);
}

#[tokio::test]
async fn a_mailer_wakes_works_and_stops() {
    let world = world();
    let folder = world.folder.path().to_owned();
    let store = world.mailer.store.clone();
    let message = message(Some("ops@acme.example"), &world.mailer.keys, world.clock.now());
    let running = RunningMailer::start(world.mailer);
    // It has looked once, and waits.
    sleep(std::time::Duration::from_millis(50)).await;
    enqueue(&store, &message).await;
    (running.waker())();
    let sent = async {
        while names(&folder).iter().all(|name| !name.ends_with(".eml")) {
            sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SHORTEST_WAIT / 2, sent).await.expect("the waker wakes it");
    tokio::time::timeout(SHORTEST_WAIT / 2, running.stop()).await.expect("it stops at once");
}
