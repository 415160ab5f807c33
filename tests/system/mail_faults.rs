//! Mail arrives, once or twice and the same, whatever happens to the server that sends it or to the server that takes it.

use std::time::{Duration, Instant};

use serde_json::json;
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Api, DatabaseKind, Server, StallingLine, Withheld, World, database, effort, on_both_databases, otp_in};

const PATIENCE: Duration = Duration::from_secs(90);

async fn a_tenant(admin: &Api, slug: &str) -> String {
    let plan = admin.create_plan(&format!("Plan of {slug}"), 10).await;
    let email = format!("{slug}@tenant.example");
    admin.create_tenant(slug, plan["id"].as_str().unwrap(), &email).await;
    email
}

/// Waits until no message waits.
async fn until_all_is_settled(world: &World) {
    let deadline = Instant::now() + PATIENCE;
    while !world.rows("SELECT id FROM outbox WHERE settled_at IS NULL").await.is_empty() {
        assert!(Instant::now() < deadline, "messages still wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The middle one of how long requests for passwords take, and the longest.
async fn time_of_requests(servers: &[Server], slug: &str, count: usize) -> (Duration, Duration) {
    let mut times = Vec::new();
    for number in 0..count {
        let api = servers[number % servers.len()].api();
        let started = Instant::now();
        api.ask_for_otp(slug).await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    (times[count / 2], times[count - 1])
}

/// A server is killed while its line to the mail server withholds something; another one, or itself, started again, sends what it held.
async fn killed_while_the_line_stalls(world: &World, withheld: Withheld) {
    for round in 0..effort(1, 5) {
        let slug = format!("acme-{round}");
        let line = StallingLine::to(world.mail(), withheld);
        // Mails name the portal's address, which is to be the same on every server.
        let builder = || world.builder().mail_url(&line.url()).env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example");
        let mut server = builder().start().await;
        let email = a_tenant(&world.admin(&server), &slug).await;
        let challenge = server.api().ask_for_otp(&slug).await;
        line.until_it_stalls(PATIENCE).await;
        let other = match world.kind() {
            DatabaseKind::Postgres => Some(builder().start().await),
            DatabaseKind::Sqlite => None,
        };
        line.let_through();
        server.kill9().await;
        let killed = Instant::now();
        let taken = usize::from(withheld == Withheld::Answer);
        assert_eq!(world.mail().received(&email).len(), taken, "what was cut off isn't mail; what was taken is");
        if effort(true, false) {
            let over = "UPDATE outbox SET available_at = created_at WHERE settled_at IS NULL";
            assert_eq!(database::execute(world.database_url(), over).await.unwrap(), 1);
        }
        let sender = match other {
            Some(other) => other,
            None => {
                server.restart().await;
                server
            }
        };
        let mails = world.mail().wait_for(&email, taken + 1, PATIENCE).await;
        assert!(effort(true, killed.elapsed() > Duration::from_secs(40)), "within the lease: {:?}", killed.elapsed());
        until_all_is_settled(world).await;
        assert_eq!(world.mail().received(&email).len(), taken + 1, "at most one duplicate");
        for mail in &mails {
            assert_eq!(
                (&mail.message_id, &mail.text),
                (&mails[0].message_id, &mails[0].text),
                "the same mail, its code included"
            );
        }
        let newest = world.rows("SELECT attempts FROM outbox ORDER BY id DESC LIMIT 1").await;
        assert_eq!(newest, [json!({ "attempts": 2 })]);
        let otp = otp_in(&mails[taken].text).unwrap();
        sender.api().verify_otp(&challenge, otp).await.expect(200);
        sender.api().verify_otp(&challenge, otp).await.expect_problem(401, "invalid_otp");
    }
}

on_both_databases! {
    /// Attack 25, during DATA. The lease is waited for in the long variant; in the short one it is cut short.
    async fn a_mail_cut_off_amid_its_text_arrives_once(world: World) {
        killed_while_the_line_stalls(&world, Withheld::Message).await;
    }

    /// Attack 25, after DATA.
    async fn a_mail_whose_answer_is_lost_arrives_twice_the_same(world: World) {
        killed_while_the_line_stalls(&world, Withheld::Answer).await;
    }

    /// Attack 26. In the long variant the mail server is away for ten minutes, and a password expires by itself.
    async fn an_outage_of_the_mail_server_delays_no_request_and_delivers_no_expired_mail(world: World) {
        const REQUESTS: usize = 40;
        let servers = world.servers_with(|builder| builder.env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 1_000_000)).await;
        let admin = world.admin(&servers[0]);
        let [noise, early, late] = [a_tenant(&admin, "noise").await, a_tenant(&admin, "early").await, a_tenant(&admin, "late").await];
        let up = time_of_requests(&servers, "noise", REQUESTS).await;
        world.mail().wait_for(&noise, REQUESTS, PATIENCE).await;
        until_all_is_settled(&world).await;

        world.mail().stop().await;
        let outage = Instant::now();
        let expired = servers[0].api().ask_for_otp("early").await;
        let down = time_of_requests(&servers, "noise", REQUESTS).await;
        println!("requests with the mail server up: {up:?}, and away: {down:?} (median, longest)");
        assert!(down.0 < up.0 * 3 + Duration::from_millis(20), "requests wait for the mail server: {up:?}, {down:?}");
        assert!(down.1 < Duration::from_secs(5), "{down:?}");
        let length = effort(Duration::from_secs(8), Duration::from_secs(615));
        tokio::time::sleep((outage + length - Duration::from_secs(5)).saturating_duration_since(Instant::now())).await;
        let challenge = servers[servers.len() - 1].api().ask_for_otp("late").await;
        if effort(true, false) {
            let its = world.uuid_literal(&expired);
            let past = format!("UPDATE outbox SET not_after = created_at WHERE created_at = (SELECT created_at FROM otp_challenges WHERE id = {its})");
            assert_eq!(database::execute(world.database_url(), &past).await.unwrap(), 1);
        }
        tokio::time::sleep((outage + length).saturating_duration_since(Instant::now())).await;
        world.mail().start_again().await;
        let back = Instant::now();

        let mails = world.mail().wait_for(&late, 1, PATIENCE).await;
        println!("a mail arrived {:?} after the mail server was back", back.elapsed());
        servers[0].api().verify_otp(&challenge, otp_in(&mails[0].text).unwrap()).await.expect(200);
        until_all_is_settled(&world).await;
        assert_eq!(world.mail().received(&early), [], "a mail whose password had expired");
        let dropped = world.rows("SELECT id FROM outbox WHERE outcome = 'dropped' AND payload IS NULL").await.len();
        assert_eq!(dropped, effort(1, 1 + REQUESTS));
        assert!(world.rows("SELECT id FROM outbox WHERE outcome = 'sent' AND settled_at >= not_after").await.is_empty());
        assert_eq!(world.mail().received(&noise).len(), effort(2, 1) * REQUESTS, "what was still of use, once each");
        assert!(world.rows("SELECT id FROM outbox WHERE outcome = 'dead'").await.is_empty(), "nothing waits for an operator");
    }
}

/// A claim that is under way keeps no other waiting: what it holds is passed over. (On SQLite one writer waits for another in any case.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_under_way_keeps_no_other_waiting() {
    use tenantry_domain::{
        Clock as _, SystemClock,
        ports::{OutboxWrites as _, Store as _, Transaction as _},
    };

    let world = World::postgres().await;
    let server = world.builder().mail_url("smtp://127.0.0.1:9").start().await;
    a_tenant(&world.admin(&server), "acme").await;
    for _ in 0..2 {
        server.api().ask_for_otp("acme").await;
    }
    drop(server);
    database::execute(world.database_url(), "UPDATE outbox SET available_at = created_at").await.unwrap();
    let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
    let claim = async || {
        let mut tx = store.begin().await.unwrap();
        let claimed = tx.claim_messages(SystemClock.now(), time::Duration::MINUTE, 1).await.unwrap();
        (tx, claimed)
    };
    let (first, held) = claim().await;
    let passed = tokio::time::timeout(Duration::from_secs(10), claim()).await;
    let (second, claimed) = passed.expect("the second claim waits for the first");
    assert_eq!((held.len(), claimed.len()), (1, 1));
    assert_ne!(held[0].id, claimed[0].id);
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    store.close().await;
}
