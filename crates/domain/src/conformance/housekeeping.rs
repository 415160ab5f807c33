//! Housekeeping: what has ended goes, a batch at a time, and what lives or comes to life again stays.

use futures_util::{future::join, lock::Mutex};
use time::Duration;

use super::world::{RACERS, TICK, World, later, noon, race};
use crate::{
    BootstrapPurpose, BucketKey, Delivery, Expected, FailureNote, IdempotencyKey, KeyClaim, KeyState, OtpAccount, OtpBudget,
    Rate, RateDecision, Retention, Role, Session, Sweep, Swept, Timestamp, TokenDigest, ports::*,
};

const RATE: Rate = Rate { burst: 1, interval: Duration::minutes(10) };
const RETENTION: Retention =
    Retention { sessions: Duration::days(30), messages: Duration::days(30), failures_count_for: Duration::DAY };
const BUDGET: OtpBudget = OtpBudget { attempts: 5, failures: 10, window: Duration::DAY };

impl<S: Store> World<S> {
    async fn delete_leftovers(&self, kind: Leftover, until: Timestamp, limit: u16) -> u64 {
        self.write(async |tx| tx.delete_leftovers(kind, until, limit).await).await
    }

    /// Looks at all buckets, in stretches of three; how many were deleted.
    async fn delete_full_buckets(&self, until: Timestamp) -> u64 {
        let (mut deleted, mut after) = (0, None);
        loop {
            let swept = self.write(async |tx| tx.delete_full_buckets(until, after, 3).await).await;
            deleted += swept.deleted;
            match swept.next {
                None => return deleted,
                Some(next) => after = Some(next),
            }
        }
    }

    /// A whole round, as a server makes it.
    async fn sweep(&self, now: Timestamp) -> Swept {
        let mut sweep = Sweep::new(now, RETENTION);
        while sweep.next_batch(&self.store).await.unwrap() {}
        sweep.swept
    }

    async fn is_stored(&self, session: &Session) -> bool {
        self.read().session_by_digests(&[session.token_digest]).await.unwrap().is_some()
    }

    async fn take_from(&self, bucket: BucketKey, now: Timestamp) -> RateDecision {
        self.write(async |tx| tx.take_token(bucket, RATE, now).await).await
    }

    async fn claims(&self, claim: &KeyClaim) -> KeyState {
        self.write(async |tx| tx.claim_key(claim).await).await
    }
}

/// A session, a tenant's or an operator's, is deleted once it has expired, and not one microsecond before.
pub async fn a_session_is_deleted_at_its_end_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, operator) = (world.tenant().await, world.operator(Role::Viewer).await.id);
    let (session, operators) = (world.session(tenant, noon()).await, world.operator_session(operator, noon()).await);
    let is_operators_stored = async || {
        let digests = [TokenDigest::from_bytes([0xA5; 32]), operators.token_digest];
        world.read().operator_session_by_digests(&digests).await.unwrap().is_some()
    };
    // Ended by hand, it stays until it would have expired.
    assert!(world.write(async |tx| tx.revoke_session(tenant, session.id, later(1)).await).await);
    for kind in [Leftover::Sessions, Leftover::OperatorSessions] {
        assert_eq!(world.delete_leftovers(kind, session.expires_at - TICK, 9).await, 0);
    }
    assert!(world.is_stored(&session).await && is_operators_stored().await);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, session.expires_at, 9).await, 1);
    assert!(!world.is_stored(&session).await && is_operators_stored().await, "each kind is deleted by itself");
    assert_eq!(world.delete_leftovers(Leftover::OperatorSessions, operators.expires_at, 9).await, 1);
    assert!(!is_operators_stored().await);
    // Its digest is as good as new.
    world.write(async |tx| tx.insert_session(&session).await).await;
}

/// A session that was used since it was made lives for as long as that lengthened it.
pub async fn a_session_that_was_lengthened_is_not_deleted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    let expires_at = session.expires_at + Duration::HOUR;
    let touch = SessionTouch { now: later(600), unless_active_since: later(60), expires_at, rekeyed: None };
    assert!(world.write(async |tx| tx.touch_session(session.id, touch).await).await);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, expires_at - TICK, 9).await, 0);
    assert!(world.is_stored(&session).await);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, expires_at, 9).await, 1);
}

/// Challenges are deleted by when they were made, whatever became of them.
pub async fn a_challenge_is_deleted_by_when_it_was_made<S: Store>(store: S) {
    let world = World::new(store);
    let [tenant, operator] = world.accounts().await;
    for account in [Some(tenant), Some(operator), None] {
        let consumed = world.challenge(account, noon()).await;
        assert!(world.write(async |tx| tx.consume_challenge(consumed.id, later(1)).await).await);
        let open = world.challenge(account, noon()).await;
        let younger = world.challenge(account, noon() + TICK).await;
        assert_eq!(world.delete_leftovers(Leftover::Challenges, noon() - TICK, 9).await, 0);
        assert_eq!(world.delete_leftovers(Leftover::Challenges, noon(), 9).await, 2);
        for (challenge, there) in [(&consumed, false), (&open, false), (&younger, true)] {
            assert_eq!(world.write(async |tx| tx.consume_challenge(challenge.id, later(2)).await).await, there);
        }
        assert_eq!(world.delete_leftovers(Leftover::Challenges, noon() + TICK, 9).await, 1);
    }
}

/// An idempotency key is deleted once it has expired, answered or not, and not one microsecond before.
pub async fn an_idempotency_key_is_deleted_at_its_end_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    let state = async || world.claims(&world.again(&claim, noon())).await;
    assert_eq!(world.delete_leftovers(Leftover::IdempotencyKeys, claim.expires_at - TICK, 9).await, 0);
    assert_eq!(state().await, KeyState::InFlight);
    assert_eq!(world.delete_leftovers(Leftover::IdempotencyKeys, claim.expires_at, 9).await, 1);
    assert_eq!(state().await, KeyState::Claimed);
}

/// A message that waits, is being sent or is to be tried again is no leftover, however old it is.
pub async fn a_message_that_is_not_settled_is_never_deleted<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..3 {
        world.message(noon()).await;
    }
    let claimed = world.claim(later(1), 2).await;
    assert!(
        world
            .settle(
                &claimed[0],
                &Delivery::Retry { at: later(600), why: FailureNote::new("the mail server took too long") },
                later(2)
            )
            .await
    );
    assert_eq!(world.delete_leftovers(Leftover::Messages, Timestamp::MAX, 9).await, 0);
    assert_eq!(world.claim(later(900), 9).await.len(), 3);
    for message in world.claim(later(9000), 9).await {
        assert!(world.settle(&message, &Delivery::Sent, later(9001)).await);
    }
    assert_eq!(world.delete_leftovers(Leftover::Messages, later(9001) - TICK, 9).await, 0);
    assert_eq!(world.delete_leftovers(Leftover::Messages, later(9001), 9).await, 3);
    assert_eq!(world.delete_leftovers(Leftover::Messages, Timestamp::MAX, 9).await, 0);
}

/// A link that makes an owner is deleted once it has expired, and not one microsecond before.
pub async fn a_link_is_deleted_at_its_end_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let link = world.bootstrap_link(BootstrapPurpose::Recovery).await;
    let is_stored = async || world.read().open_bootstrap_link(&[link.token_digest], noon()).await.unwrap().is_some();
    assert_eq!(world.delete_leftovers(Leftover::BootstrapLinks, link.expires_at - TICK, 9).await, 0);
    assert!(is_stored().await);
    assert_eq!(world.delete_leftovers(Leftover::BootstrapLinks, link.expires_at, 9).await, 1);
    assert!(!is_stored().await);
}

/// A batch deletes as many rows as it may, and those first that were made first.
pub async fn a_batch_is_as_long_as_it_may_be_and_the_oldest_go_first<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut sessions = Vec::new();
    for seconds in [3, 1, 5, 2, 4] {
        sessions.push(world.session(tenant, later(seconds)).await);
    }
    sessions.sort_by_key(|session| session.created_at);
    let until = later(9999);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, until, 2).await, 2);
    let mut stored = Vec::new();
    for session in &sessions {
        stored.push(world.is_stored(session).await);
    }
    assert_eq!(stored, [false, false, true, true, true]);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, until, 2).await, 2);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, until, 2).await, 1);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, until, 2).await, 0);
}

/// A bucket is deleted once it is full again, and not one microsecond before; looking at them in stretches misses none.
pub async fn a_bucket_is_deleted_when_it_is_full_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    assert_eq!(world.delete_full_buckets(later(0)).await, 0);
    for buckets in [1, 2, 3, 4, 6, 10] {
        let buckets: Vec<_> = (0..buckets).map(|_| BucketKey::from_bytes(world.bytes())).collect();
        for bucket in &buckets {
            assert_eq!(world.take_from(*bucket, noon()).await, RateDecision::Allowed);
        }
        let full = noon() + RATE.interval;
        assert_eq!(world.delete_full_buckets(full - TICK).await, 0);
        for bucket in &buckets {
            assert_ne!(world.take_from(*bucket, noon()).await, RateDecision::Allowed, "it is as empty as it was");
        }
        assert_eq!(world.delete_full_buckets(full).await, buckets.len() as u64);
        for bucket in &buckets {
            assert_eq!(world.take_from(*bucket, noon()).await, RateDecision::Allowed, "an unknown bucket is full");
        }
        assert_eq!(world.delete_full_buckets(full).await, buckets.len() as u64);
    }
}

/// Of 32 racing batches none deletes what another did, and together they delete everything.
pub async fn racing_batches_share_the_work<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for seconds in 0..100 {
        world.session(tenant, later(seconds)).await;
    }
    let kept = world.session(tenant, later(9000)).await;
    let deleted = race(RACERS, async |_| world.delete_leftovers(Leftover::Sessions, later(8000), 5).await).await;
    assert!(deleted.iter().all(|deleted| *deleted <= 5), "{deleted:?}");
    let rest = world.delete_leftovers(Leftover::Sessions, later(8000), 1000).await;
    assert_eq!(deleted.iter().sum::<u64>() + rest, 100);
    assert!(world.is_stored(&kept).await);
}

/// A key that is claimed anew while what has expired is deleted stays claimed, whoever comes first.
pub async fn a_key_that_comes_to_life_while_it_is_swept_stays<S: Store>(store: S) {
    let world = World::new(store);
    let first = world.claim_of_new_key(noon()).await;
    let second = world.again(&first, first.expires_at);
    let claim = async |tx: &mut S::Transaction| assert_eq!(tx.claim_key(&second).await.unwrap(), KeyState::Claimed);
    let sweep = async || world.delete_leftovers(Leftover::IdempotencyKeys, first.expires_at, 9).await;
    let (_, deleted) = world.overtakes(claim, sweep).await;
    assert_eq!(deleted, 0);
    assert_eq!(world.claims(&world.again(&first, second.claimed_at)).await, KeyState::InFlight);

    let mut claims = Vec::new();
    for _ in 0..RACERS {
        claims.push(world.claim_of_new_key(noon()).await);
    }
    race(RACERS * 2, async |racer| match claims.get(racer) {
        Some(claim) => assert_eq!(world.claims(&world.again(claim, claim.expires_at)).await, KeyState::Claimed),
        None => drop(world.delete_leftovers(Leftover::IdempotencyKeys, first.expires_at, 4).await),
    })
    .await;
    for claim in &claims {
        let state = world.claims(&world.again(claim, claim.expires_at)).await;
        assert_eq!(state, KeyState::InFlight, "a key that is claimed was deleted");
    }
}

/// What is taken from a bucket while full ones are deleted stays taken.
pub async fn a_bucket_that_is_taken_from_while_it_is_swept_stays<S: Store>(store: S) {
    let world = World::new(store);
    let bucket = BucketKey::from_bytes(world.bytes());
    let full = noon() + RATE.interval;
    assert_eq!(world.take_from(bucket, noon()).await, RateDecision::Allowed);
    let take = async |tx: &mut S::Transaction| {
        assert_eq!(tx.take_token(bucket, RATE, full).await.unwrap(), RateDecision::Allowed);
    };
    let (_, deleted) = world.overtakes(take, async || world.delete_full_buckets(full).await).await;
    assert_eq!(deleted, 0);
    assert_ne!(world.take_from(bucket, full).await, RateDecision::Allowed);
}

/// A batch never waits for a row that another transaction holds while it holds rows itself: whoever wants both gets them.
pub async fn a_batch_is_in_nobodys_way<S: Store>(store: S) {
    let world = World::new(store);
    let (first, second) = (world.tenant().await, world.tenant().await);
    // The batch gets to the second tenant's session first.
    world.session(first, later(1)).await;
    world.session(second, later(0)).await;
    let held = Mutex::new(());
    let holding = held.lock().await;
    let deletion = async {
        let mut tx = world.begin().await;
        assert!(tx.delete_tenant(first, &Expected::Any).await.unwrap());
        drop(holding);
        for _ in 0..300 {
            tx.plan(world.id(noon())).await.unwrap();
        }
        assert!(tx.delete_tenant(second, &Expected::Any).await.unwrap());
        tx.commit().await.unwrap();
    };
    let batch = async {
        drop(held.lock().await);
        world.delete_leftovers(Leftover::Sessions, later(9999), 9).await
    };
    let ((), deleted) = join(deletion, batch).await;
    assert!(deleted <= 1, "the other is the deletion's");
}

/// A round deletes what has been over for as long as it is kept, and nothing that lives, counts or waits.
pub async fn a_round_takes_what_is_over_and_leaves_what_counts<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, operator) = (world.tenant().await, world.operator(Role::Viewer).await.id);
    let start = noon();
    let account = OtpAccount::Tenant(tenant);
    let session = world.session(tenant, start).await;
    world.operator_session(operator, start).await;
    let challenge = world.challenge(Some(account), start).await;
    assert!(
        world.write(async |tx| tx.claim_otp_attempt(challenge.id, challenge.purpose, BUDGET, later(1)).await).await.is_some()
    );
    let key = KeyClaim { key: IdempotencyKey::from_bytes(world.bytes()), ..world.new_claim(start) };
    assert_eq!(world.claims(&key).await, KeyState::Claimed);
    world.bootstrap_link(BootstrapPurpose::Recovery).await;
    let bucket = BucketKey::from_bytes(world.bytes());
    assert_eq!(world.take_from(bucket, start).await, RateDecision::Allowed);
    let waiting = world.message(start).await;

    // All that counts for a moment or a day is still there when it stops counting.
    assert_eq!(world.sweep(start + RATE.interval).await, Swept::default());
    assert_eq!(world.sweep(key.expires_at).await, Swept { bootstrap_links: 1, buckets: 1, ..Swept::default() });
    let failures = world.read().otp_failures(account, start).await.unwrap();
    assert_eq!(failures, 1, "failures count for a day");
    let two_days = world.sweep(start + Duration::days(2)).await;
    assert_eq!(two_days, Swept { challenges: 1, idempotency_keys: 1, ..Swept::default() });
    assert!(world.is_stored(&session).await, "kept for a month");
    let month = world.sweep(session.expires_at + RETENTION.sessions).await;
    assert_eq!(month, Swept { sessions: 1, operator_sessions: 1, ..Swept::default() });
    let waits = world.claim(start + Duration::days(365), 9).await;
    assert_eq!(waits.iter().map(|message| message.id).collect::<Vec<_>>(), [waiting.id]);
}

/// A round of many batches ends when all is gone, however many rounds race, and a tenant that is deleted meanwhile is deleted.
pub async fn racing_rounds_and_a_deletion_leave_what_lives<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, doomed) = (world.tenant().await, world.tenant().await);
    let live = world.session(tenant, noon() + Duration::days(60)).await;
    for seconds in 0..40 {
        world.session(if seconds % 2 == 0 { tenant } else { doomed }, later(seconds)).await;
    }
    race(9, async |racer| match racer {
        4 => assert!(world.write(async |tx| tx.delete_tenant(doomed, &Expected::Any).await).await),
        _ => drop(world.sweep(noon() + Duration::days(60)).await),
    })
    .await;
    assert!(world.is_stored(&live).await);
    assert_eq!(world.delete_leftovers(Leftover::Sessions, noon() + Duration::days(30), 100).await, 0);
}
