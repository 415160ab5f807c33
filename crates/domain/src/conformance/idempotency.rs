//! Idempotency keys: a request is carried out once, however many send it and however they end.

use time::Duration;

use super::world::{RACERS, TICK, World, first_page, later, noon, race};
use crate::{
    ANSWERS_ARE_KEPT, Action, Attempt, AttemptError, AuditEvent, AuditFilter, Begun, Context, Fingerprint, IdempotencyKey,
    KeyClaim, KeyId, KeyState, KeyedRequest, Plan, SealedPayload, StoreError, Timestamp, ports::*,
};

const LOCK: Duration = Duration::seconds(35);

impl<S: Store> World<S> {
    /// A claim of a key that nobody has.
    pub fn new_claim(&self, now: Timestamp) -> KeyClaim {
        KeyClaim {
            id: self.id(now),
            key: IdempotencyKey::from_bytes(self.bytes()),
            fingerprint: Fingerprint::from_bytes(self.bytes()),
            claimed_at: now,
            locked_until: now + LOCK,
            expires_at: now + ANSWERS_ARE_KEPT,
        }
    }

    /// The same request, sent again.
    pub fn again(&self, claim: &KeyClaim, now: Timestamp) -> KeyClaim {
        KeyClaim { key: claim.key, fingerprint: claim.fingerprint, ..self.new_claim(now) }
    }

    /// A claim that was made.
    pub async fn claim_of_new_key(&self, now: Timestamp) -> KeyClaim {
        let claim = self.new_claim(now);
        assert_eq!(self.claim_key(&claim).await, KeyState::Claimed);
        claim
    }

    async fn claim_key(&self, claim: &KeyClaim) -> KeyState {
        self.write(async |tx| tx.claim_key(claim).await).await
    }

    async fn answer_key(&self, claim: &KeyClaim, answer: &SealedPayload) -> bool {
        self.write(async |tx| tx.answer_key(claim.key, claim.id, answer).await).await
    }

    async fn release_key(&self, claim: &KeyClaim) -> bool {
        self.write(async |tx| tx.release_key(claim.key, claim.id).await).await
    }

    fn new_request(&self) -> KeyedRequest {
        let KeyClaim { id: claim, key, fingerprint, .. } = self.new_claim(noon());
        KeyedRequest { claim, key, fingerprint, patience: LOCK }
    }

    /// The same request, sent again.
    fn sent_again(&self, request: &KeyedRequest) -> KeyedRequest {
        KeyedRequest { claim: self.id(noon()), ..*request }
    }

    async fn first(&self, cx: &Context<'_>, request: &KeyedRequest) -> Attempt<S> {
        match Attempt::begin(&self.store, cx, request).await.unwrap() {
            Begun::First(attempt) => attempt,
            Begun::Again(_) => panic!("the request was carried out before"),
        }
    }

    async fn names_of_plans(&self) -> Vec<String> {
        let plans = self.read().plans_page(&PlanFilter::default(), first_page()).await.unwrap().items;
        plans.iter().map(|plan| plan.name.as_str().to_owned()).collect()
    }
}

fn answer(text: &[u8]) -> SealedPayload {
    SealedPayload { key_id: KeyId::parse("k1").unwrap(), bytes: text.to_vec() }
}

async fn insert_plan<S: Store>(store: &S, plan: &Plan) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    assert!(tx.insert_plan(plan).await?);
    tx.commit().await
}

/// An answer is read as it was written, also one of a megabyte.
pub async fn an_answer_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    for bytes in [Vec::new(), (0..=255).cycle().take(1 << 20).collect()] {
        let claim = world.claim_of_new_key(noon()).await;
        let answer = SealedPayload { key_id: KeyId::parse("k-2026").unwrap(), bytes };
        assert!(world.answer_key(&claim, &answer).await);
        for seconds in [0, 1, 36, 86_399] {
            assert_eq!(world.claim_key(&world.again(&claim, later(seconds))).await, KeyState::Answered(answer.clone()));
        }
    }
}

/// A key that is in use says whether it is for the same request.
pub async fn a_key_that_is_in_use_says_for_what<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    let same = world.again(&claim, later(1));
    let other = KeyClaim { key: claim.key, ..world.new_claim(later(1)) };
    assert_eq!(world.claim_key(&same).await, KeyState::InFlight);
    assert_eq!(world.claim_key(&other).await, KeyState::Mismatch);
    assert!(world.answer_key(&claim, &answer(b"done")).await);
    assert_eq!(world.claim_key(&same).await, KeyState::Answered(answer(b"done")));
    assert_eq!(world.claim_key(&other).await, KeyState::Mismatch);
}

/// A claimant that wasn't told that it has the key claims it again, and has it; not so once it is answered, or another's.
pub async fn a_claimant_claims_again_what_it_has<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    let again = KeyClaim { claimed_at: later(1), locked_until: later(1) + LOCK, ..claim.clone() };
    assert_eq!(world.claim_key(&again).await, KeyState::Claimed);
    let other = world.again(&claim, claim.locked_until);
    assert_eq!(world.claim_key(&other).await, KeyState::InFlight, "the lock is the later one");
    let other = world.again(&claim, again.locked_until);
    assert_eq!(world.claim_key(&other).await, KeyState::Claimed);
    assert_eq!(world.claim_key(&KeyClaim { claimed_at: other.claimed_at, ..again }).await, KeyState::InFlight);
    assert!(world.answer_key(&other, &answer(b"done")).await);
    assert_eq!(world.claim_key(&other).await, KeyState::Answered(answer(b"done")));
}

/// Of 32 racing claims of a key one wins, and the others find the request under way.
pub async fn racing_claims_of_a_key_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.new_claim(noon());
    let states = race(RACERS, async |_| world.claim_key(&world.again(&claim, noon())).await).await;
    assert_eq!(states.iter().filter(|&state| *state == KeyState::Claimed).count(), 1);
    assert_eq!(states.iter().filter(|&state| *state == KeyState::InFlight).count(), RACERS - 1);
}

/// The same for a key whose claimant never came back.
pub async fn racing_claims_of_a_key_whose_lock_ran_out_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    let states = race(RACERS, async |_| world.claim_key(&world.again(&claim, later(60))).await).await;
    assert_eq!(states.iter().filter(|&state| *state == KeyState::Claimed).count(), 1);
    assert_eq!(states.iter().filter(|&state| *state == KeyState::InFlight).count(), RACERS - 1);
}

/// A key whose claimant never came back can be claimed at the end of its lock, by whatever request, and not one microsecond before.
pub async fn a_lock_runs_out_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for same in [true, false] {
        let claim = world.claim_of_new_key(later(1)).await;
        let at = |now| if same { world.again(&claim, now) } else { KeyClaim { key: claim.key, ..world.new_claim(now) } };
        assert_ne!(world.claim_key(&at(claim.locked_until - TICK)).await, KeyState::Claimed);
        let next = at(claim.locked_until);
        assert_eq!(world.claim_key(&next).await, KeyState::Claimed);
        assert_eq!(world.claim_key(&world.again(&next, next.locked_until - TICK)).await, KeyState::InFlight, "a lock of its own");
    }
}

/// A claimant whose key another has by now writes no answer and releases nothing.
pub async fn an_overtaken_claimant_answers_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let first = world.claim_of_new_key(noon()).await;
    let second = world.again(&first, first.locked_until);
    assert_eq!(world.claim_key(&second).await, KeyState::Claimed);
    assert!(!world.answer_key(&first, &answer(b"first")).await);
    assert!(!world.release_key(&first).await);
    assert!(world.answer_key(&second, &answer(b"second")).await);
    assert!(!world.answer_key(&first, &answer(b"first")).await);
    let third = world.again(&first, second.locked_until);
    assert_eq!(world.claim_key(&third).await, KeyState::Answered(answer(b"second")), "an answer has no lock");
}

/// An answer is never written over.
pub async fn a_key_is_answered_once<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    let written = world.winners(async |racer, tx| tx.answer_key(claim.key, claim.id, &answer(&[racer as u8])).await).await;
    assert_eq!(written, 1);
    assert!(!world.answer_key(&world.new_claim(noon()), &answer(b"no such key")).await);
}

/// A key that was given back is as good as new, also for another request.
pub async fn a_released_key_is_new<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    assert!(world.release_key(&claim).await);
    assert!(!world.release_key(&claim).await);
    assert!(!world.answer_key(&claim, &answer(b"too late")).await);
    let other = KeyClaim { key: claim.key, ..world.new_claim(noon()) };
    assert_eq!(world.claim_key(&other).await, KeyState::Claimed);
}

/// A key that was answered keeps its answer.
pub async fn an_answered_key_is_not_released<S: Store>(store: S) {
    let world = World::new(store);
    let claim = world.claim_of_new_key(noon()).await;
    assert!(world.answer_key(&claim, &answer(b"done")).await);
    assert!(!world.release_key(&claim).await);
    assert_eq!(world.claim_key(&world.again(&claim, later(1))).await, KeyState::Answered(answer(b"done")));
}

/// An answer is kept until one microsecond before the key expires; from then on the key is as good as new.
pub async fn an_expired_key_is_new_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    for same in [true, false] {
        let claim = world.claim_of_new_key(later(1)).await;
        assert!(world.answer_key(&claim, &answer(b"done")).await);
        let at = |now| if same { world.again(&claim, now) } else { KeyClaim { key: claim.key, ..world.new_claim(now) } };
        assert_ne!(world.claim_key(&at(claim.expires_at - TICK)).await, KeyState::Claimed);
        let next = at(claim.expires_at);
        assert_eq!(world.claim_key(&next).await, KeyState::Claimed);
        assert_eq!(world.claim_key(&world.again(&next, next.claimed_at)).await, KeyState::InFlight, "the old answer is gone");
        assert!(world.answer_key(&next, &answer(b"again")).await);
    }
}

/// A key says nothing of another.
pub async fn keys_are_apart<S: Store>(store: S) {
    let world = World::new(store);
    let (one, two) = (world.claim_of_new_key(noon()).await, world.claim_of_new_key(noon()).await);
    assert!(world.answer_key(&one, &answer(b"one")).await);
    assert!(!world.answer_key(&KeyClaim { key: two.key, ..one.clone() }, &answer(b"one")).await);
    assert!(world.release_key(&two).await);
    assert_eq!(world.claim_key(&world.again(&one, later(1))).await, KeyState::Answered(answer(b"one")));
}

/// Of 32 racing attempts of one request one does its work; whoever comes later is given its answer.
pub async fn racing_attempts_of_a_request_carry_it_out_once<S: Store>(store: S) {
    let world = World::new(store);
    let request = world.new_request();
    let begin = async || Attempt::begin(&world.store, &world.cx(noon()), &world.sent_again(&request)).await;
    let carried_out = race(RACERS, async |racer| match begin().await {
        Ok(Begun::First(attempt)) => {
            insert_plan(attempt.store(), &world.new_plan(1)).await.unwrap();
            attempt.answer(&answer(&[racer as u8])).await.unwrap();
            Some(racer as u8)
        }
        Ok(Begun::Again(_)) | Err(AttemptError::InFlight) => None,
        Err(failure) => panic!("{failure:?}"),
    })
    .await;
    let winners: Vec<u8> = carried_out.into_iter().flatten().collect();
    assert_eq!((winners.len(), world.names_of_plans().await.len()), (1, 1));
    let again = Attempt::begin(&world.store, &world.cx(later(1)), &world.sent_again(&request)).await.unwrap();
    assert!(matches!(again, Begun::Again(stored) if stored == answer(&winners)));
}

/// An attempt that took longer than its lock writes nothing once another has the key, whether it succeeds or is refused.
pub async fn an_overtaken_attempt_leaves_no_trace<S: Store>(store: S) {
    let world = World::new(store);
    for refused in [false, true] {
        let request = world.new_request();
        let before = world.names_of_plans().await;
        let slow = world.first(&world.cx(noon()), &request).await;
        let quick = world.first(&world.cx(noon() + LOCK), &world.sent_again(&request)).await;
        let plan = world.new_plan(1);
        insert_plan(quick.store(), &plan).await.unwrap();
        quick.answer(&answer(b"quick")).await.unwrap();
        insert_plan(slow.store(), &world.new_plan(1)).await.unwrap();
        if refused {
            slow.release().await.unwrap();
        } else {
            assert!(matches!(slow.answer(&answer(b"slow")).await, Err(AttemptError::InFlight)));
        }
        let mut expected = before;
        expected.insert(0, plan.name.as_str().to_owned());
        let mut found = world.names_of_plans().await;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

/// A refused attempt leaves what the use case committed, its audit event, and a key that can be used again.
pub async fn a_refused_attempt_leaves_its_audit_and_a_free_key<S: Store>(store: S) {
    let world = World::new(store);
    let request = world.new_request();
    let attempt = world.first(&world.cx(noon()), &request).await;
    let mut tx = attempt.store().begin().await.unwrap();
    assert!(tx.insert_plan(&world.new_plan(1)).await.unwrap());
    drop(tx);
    let event = AuditEvent::new(&world.cx(noon()), Action::ActivationRefused, None, None);
    let mut tx = attempt.store().begin().await.unwrap();
    tx.append_audit(&event).await.unwrap();
    tx.commit().await.unwrap();
    attempt.release().await.unwrap();
    assert_eq!(world.names_of_plans().await.len(), 0);
    assert_eq!(world.read().audit_page(None, &AuditFilter::default(), first_page()).await.unwrap().items, [event]);
    drop(world.first(&world.cx(later(1)), &world.sent_again(&request)).await);
}

/// An attempt that was given up leaves nothing of what it wrote, and a key that can be used again; one that was answered stays answered.
pub async fn an_abandoned_attempt_leaves_a_free_key_and_no_more<S: Store>(store: S) {
    let world = World::new(store);
    let request = world.new_request();
    let attempt = world.first(&world.cx(noon()), &request).await;
    insert_plan(attempt.store(), &world.new_plan(1)).await.unwrap();
    attempt.abandon().await.unwrap();
    assert_eq!(world.names_of_plans().await.len(), 0);

    let attempt = world.first(&world.cx(later(1)), &world.sent_again(&request)).await;
    insert_plan(attempt.store(), &world.new_plan(1)).await.unwrap();
    attempt.answer(&answer(b"done")).await.unwrap();
    attempt.abandon().await.unwrap();
    let again = Attempt::begin(&world.store, &world.cx(later(2)), &world.sent_again(&request)).await.unwrap();
    assert!(matches!(again, Begun::Again(stored) if stored == answer(b"done")));
    assert_eq!(world.names_of_plans().await.len(), 1);
}
