//! Moments: read as they were written, to the microsecond, and compared as moments whatever form they are stored in.

use time::{Duration, macros::datetime};

use super::world::{TICK, World, first_page, later, noon};
use crate::{CodeOrder, CodeStatus, Plan, RateDecision, Session, Timestamp, ports::*};

/// Moments in order that text of varying width would sort wrongly: whole and half seconds, single microseconds, powers of ten in years.
fn moments() -> Vec<Timestamp> {
    let whole = noon();
    let half = noon() + Duration::milliseconds(500);
    vec![
        Timestamp::MIN,
        Timestamp::MIN + TICK,
        Timestamp::new(datetime!(1999-12-31 23:59:59.999_999 UTC)),
        Timestamp::new(datetime!(2000-01-01 0:00 UTC)),
        whole - TICK,
        whole,
        whole + TICK,
        whole + TICK * 10,
        half - TICK,
        half,
        half + TICK,
        later(1) - TICK,
        later(1),
        Timestamp::new(datetime!(2038-01-19 03:14:08 UTC)),
        Timestamp::new(datetime!(2262-04-12 0:00 UTC)),
        Timestamp::MAX - TICK,
        Timestamp::MAX,
    ]
}

/// A moment is read as it was written, from the first of 1970 to the last of 9999.
pub async fn a_moment_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for moment in moments() {
        let plan = Plan { archived_at: Some(moment), created_at: moment, updated_at: moment, ..world.new_plan(1) };
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
        assert_eq!(world.read().plan(plan.id).await.unwrap(), Some(plan));

        let session = Session { last_activity: moment, expires_at: moment, ..world.new_session(tenant, moment) };
        world.write(async |tx| tx.insert_session(&session).await).await;
        let (read, _) = world.read().session_by_digests(&[session.token_digest]).await.unwrap().unwrap();
        assert_eq!(read, session);
    }
}

/// Codes that expire at different moments come next in the order of those moments.
pub async fn moments_sort_as_moments<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut expected = Vec::new();
    // Issued in an order that has nothing to do with theirs.
    let mut moments: Vec<_> = moments().into_iter().skip(1).collect();
    moments.sort_by_key(|moment| moment.unix_micros() % 7);
    for moment in moments {
        expected.push((moment, world.code_until(tenant, moment, Timestamp::MIN).await.id));
    }
    expected.sort_unstable();
    for (moment, code) in expected {
        let next = world.write(async |tx| tx.consume_next_code(tenant, Timestamp::MIN).await).await;
        assert_eq!(next, Some(code), "the code until {moment}");
    }
}

/// A code is active until one microsecond before it expires, and expired from that moment on, for every read and write alike.
pub async fn a_code_expires_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for moment in moments().into_iter().skip(1) {
        let tenant = world.tenant().await;
        let code = world.code_until(tenant, moment, Timestamp::MIN).await;
        let active_ones = CodeFilter { status: Some(CodeStatus::Active), ..CodeFilter::default() };
        let active = async |now| {
            let counts = world.read().count_codes(tenant, now).await.unwrap();
            let page = world.read().codes_page(tenant, &active_ones, now, first_page()).await.unwrap();
            assert_eq!(page.items.len() as u64, counts[3], "list and count at {now}");
            counts == [0, 0, 0, 1]
        };
        assert!(active(moment - TICK).await, "one microsecond before {moment}");
        assert!(!active(moment).await, "at {moment}");
        assert!(!world.write(async |tx| tx.consume_code(tenant, code.id, None, moment).await).await, "at {moment}");
        assert_eq!(world.write(async |tx| tx.consume_next_code(tenant, moment).await).await, None, "at {moment}");
        assert!(world.write(async |tx| tx.consume_code(tenant, code.id, None, moment - TICK).await).await, "before {moment}");
    }
}

/// Of codes that expire at many moments, as many are expired at each as lie before it or on it.
pub async fn every_moment_finds_what_lies_before_it<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let expiries: Vec<_> = moments().into_iter().skip(1).collect();
    for &expires_at in &expiries {
        world.code_until(tenant, expires_at, Timestamp::MIN).await;
    }
    world.codes(tenant, CodeOrder::default(), noon()).await;
    for now in moments() {
        let expired = expiries.iter().filter(|&&expires_at| expires_at <= now).count() as u64;
        let all = expiries.len() as u64 + 1;
        assert_eq!(world.read().count_codes(tenant, now).await.unwrap(), [0, expired, 0, all - expired], "at {now}");
    }
}

/// A session is live until one microsecond before it expires, for every read and write alike.
pub async fn a_session_expires_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for moment in moments().into_iter().skip(4).take(9) {
        let tenant = world.tenant().await;
        let session = Session { expires_at: moment, ..world.new_session(tenant, moment - Duration::HOUR) };
        world.write(async |tx| tx.insert_session(&session).await).await;
        let live = async |now| world.read().live_sessions_page(tenant, now, first_page()).await.unwrap().items.len();
        assert_eq!((live(moment - TICK).await, live(moment).await), (1, 0), "{moment}");

        let touch = |now| SessionTouch { now, unless_active_since: now, expires_at: moment, rekeyed: None };
        assert!(!world.write(async |tx| tx.touch_session(session.id, touch(moment)).await).await);
        assert!(!world.write(async |tx| tx.revoke_session(tenant, session.id, moment).await).await);
        assert_eq!(world.write(async |tx| tx.revoke_sessions(tenant, moment).await).await, 0);
        assert!(world.write(async |tx| tx.touch_session(session.id, touch(moment - TICK)).await).await);
        assert!(world.write(async |tx| tx.revoke_session(tenant, session.id, moment - TICK).await).await);
    }
}

/// A one-time password can be tried and consumed until one microsecond before it expires.
pub async fn a_challenge_expires_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let challenge = world.challenge(Some(tenant.into()), noon()).await;
    let end = challenge.expires_at;
    let claim = async |now| {
        let budget = super::otps::BUDGET;
        world.write(async |tx| tx.claim_otp_attempt(challenge.id, challenge.purpose, budget, now).await).await.is_some()
    };
    let consume = async |now| world.write(async |tx| tx.consume_challenge(challenge.id, now).await).await;
    assert!(!claim(end).await);
    assert!(!consume(end).await);
    assert!(claim(end - TICK).await);
    assert!(consume(end - TICK).await);
}

/// A message is due at its moment, and not one microsecond before.
pub async fn a_message_is_due_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for moment in moments().into_iter().skip(4).take(9) {
        let mut message = world.new_message(moment - Duration::HOUR);
        message.available_at = moment;
        world.write(async |tx| tx.enqueue_message(&message).await).await;
        assert_eq!(world.claim(moment - TICK, 9).await, [], "before {moment}");
        let claimed = world.claim(moment, 9).await;
        assert_eq!(claimed.iter().map(|message| message.id).collect::<Vec<_>>(), [message.id], "at {moment}");
        assert!(world.settle(&claimed[0], &crate::Delivery::Sent, moment).await);
    }
}

/// A bucket that is empty has one more at the moment that it promised, and not one microsecond before.
pub async fn a_bucket_refills_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for moment in moments().into_iter().skip(4).take(9) {
        let bucket = crate::BucketKey::from_bytes(world.bytes());
        let rate = crate::Rate { burst: 1, interval: Duration::MINUTE };
        let take = async |now| world.write(async |tx| tx.take_token(bucket, rate, now).await).await;
        assert_eq!(take(moment).await, RateDecision::Allowed);
        let end = moment + Duration::MINUTE;
        assert_eq!(take(end - TICK).await, RateDecision::Limited { retry_after: TICK }, "before {end}");
        assert_eq!(take(end).await, RateDecision::Allowed, "at {end}");
    }
}

/// The moment of an issue is stored beside its expiry, with all of its digits.
pub async fn a_codes_moments_keep_their_microseconds<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let issued_at = noon() + TICK * 123_456;
    let code = world.code_until(tenant, issued_at + TICK, issued_at).await;
    let stored = world.stored_code(tenant, code.id).await;
    assert_eq!((stored.created_at, stored.updated_at), (issued_at, issued_at));
    assert_eq!(stored.expires_at, Some(issued_at + TICK));
}
