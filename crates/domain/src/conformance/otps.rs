//! One-time passwords: no race and no further challenge gives a guess for free.

use std::collections::BTreeSet;

use time::Duration;

use super::world::{RACERS, TICK, World, later, noon, race};
use crate::{ChallengeId, OtpBudget, OtpChallenge, OtpPurpose, OtpStrength, Timestamp, ports::*};

/// The figures that Tenantry is set to unless told otherwise.
pub(super) const BUDGET: OtpBudget = OtpBudget { attempts: 5, failures: 10, window: Duration::DAY };

impl<S: Store> World<S> {
    async fn claim_try(&self, id: ChallengeId, now: Timestamp) -> Option<OtpChallenge> {
        self.write(async |tx| tx.claim_otp_attempt(id, OtpPurpose::TenantSignIn, BUDGET, now).await).await
    }

    /// Tries a challenge so often, each of which must be granted.
    async fn try_times(&self, id: ChallengeId, times: u32, now: Timestamp) {
        for _ in 0..times {
            assert!(self.claim_try(id, now).await.is_some());
        }
    }

    async fn wide_challenge(&self, challenge: OtpChallenge) -> OtpChallenge {
        let wide = OtpChallenge { strength: OtpStrength::Wide, ..challenge };
        self.write(async |tx| tx.insert_challenge(&wide).await).await;
        wide
    }
}

/// A claim answers the challenge as it was written, with the try that it claims counted.
pub async fn a_claim_answers_the_challenge_with_its_try<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for owner in [Some(tenant), None] {
        let sent = world.challenge(owner, noon()).await;
        let wide = world.wide_challenge(world.new_challenge(owner, noon())).await;
        for challenge in [sent, wide] {
            for attempts in 1..=2 {
                let claimed = world.claim_try(challenge.id, later(1)).await;
                assert_eq!(claimed, Some(OtpChallenge { attempts, ..challenge.clone() }));
            }
        }
    }
    assert_eq!(world.claim_try(world.id(noon()), noon()).await, None, "an unknown challenge has no tries");
}

/// Of 32 racing tries of a challenge five are granted, each with a number of its own.
pub async fn racing_tries_of_a_challenge_stay_within_its_budget<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for owner in [Some(tenant), None] {
        let challenge = world.challenge(owner, noon()).await;
        let claims = race(RACERS, async |_| world.claim_try(challenge.id, later(1)).await).await;
        let tries: BTreeSet<_> = claims.iter().flatten().map(|claimed| claimed.attempts).collect();
        assert_eq!(claims.iter().flatten().count(), 5);
        assert_eq!(tries, BTreeSet::from([1, 2, 3, 4, 5]));
        assert_eq!(world.claim_try(challenge.id, later(1)).await, None, "the right password comes too late as well");
    }
}

/// Over all six-digit challenges of a tenant, 32 racing tries never exceed the account's failures.
pub async fn racing_tries_stay_within_the_accounts_budget<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(world.challenge(Some(tenant), noon()).await.id);
    }
    let claims = race(RACERS, async |racer| world.claim_try(challenges[racer % 4], later(1)).await).await;
    assert_eq!(claims.iter().flatten().count(), 10, "tries that were granted");
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 10);
    let resent = world.challenge(Some(tenant), later(2)).await;
    assert_eq!(world.claim_try(resent.id, later(2)).await, None, "a new code resets nothing");
}

/// A wide password is exempt from the account's budget and doesn't draw on it, so nobody can be locked out.
pub async fn a_wide_challenge_is_outside_the_accounts_budget<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let wide = world.wide_challenge(world.new_challenge(Some(tenant), noon())).await;
    world.try_times(wide.id, 4, later(1)).await;
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 0);
    for _ in 0..2 {
        let challenge = world.challenge(Some(tenant), noon()).await;
        world.try_times(challenge.id, 5, later(1)).await;
    }
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 10);
    assert!(world.claim_try(wide.id, later(1)).await.is_some(), "the account's failures are spent");
    assert_eq!(world.claim_try(wide.id, later(1)).await, None, "its own five tries bound it all the same");
}

/// A decoy belongs to no account: nothing but its own tries bounds it.
pub async fn a_decoy_has_no_account_to_spend<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..4 {
        let decoy = world.challenge(None, noon()).await;
        world.try_times(decoy.id, 5, later(1)).await;
        assert_eq!(world.claim_try(decoy.id, later(1)).await, None);
    }
}

/// Failures count from when their challenge was made, inclusive, for as long as the window is.
pub async fn failures_leave_the_window_with_their_challenge<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for at in [noon(), noon() + TICK] {
        let challenge = world.challenge(Some(tenant), at).await;
        world.try_times(challenge.id, 5, later(1)).await;
    }
    let failures = async |since| world.read().otp_failures(tenant, since).await.unwrap();
    assert_eq!((failures(noon()).await, failures(noon() + TICK).await, failures(noon() + TICK * 2).await), (10, 5, 0));

    let next_day = noon() + BUDGET.window;
    let challenge = world.challenge(Some(tenant), next_day - TICK).await;
    assert_eq!(world.claim_try(challenge.id, next_day).await, None, "ten failures in the last 24 hours");
    world.try_times(challenge.id, 5, next_day + TICK).await;
    let another = world.challenge(Some(tenant), next_day).await;
    assert_eq!(world.claim_try(another.id, next_day + TICK).await, None, "five of yesterday and five of today");
    assert!(world.claim_try(another.id, next_day + TICK * 2).await.is_some());
}

/// The try that consumed a challenge is no failure, the tries before it stay failures, and there are none after it.
pub async fn a_success_is_no_failure_and_forgives_none<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let challenge = world.challenge(Some(tenant), noon()).await;
    world.try_times(challenge.id, 3, later(1)).await;
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 3);
    assert!(world.write(async |tx| tx.consume_challenge(challenge.id, later(2)).await).await);
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 2);
    assert_eq!(world.claim_try(challenge.id, later(2)).await, None);

    let untried = world.challenge(Some(tenant), noon()).await;
    assert!(world.write(async |tx| tx.consume_challenge(untried.id, later(2)).await).await);
    assert_eq!(world.read().otp_failures(tenant, noon()).await.unwrap(), 2);
}

/// Of 32 racing consumptions of a challenge one succeeds: one password gives one session.
pub async fn racing_consumptions_of_a_challenge_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for owner in [Some(tenant), None] {
        let challenge = world.challenge(owner, noon()).await;
        assert_eq!(world.winners(async |_, tx| tx.consume_challenge(challenge.id, later(1)).await).await, 1);
        assert!(!world.write(async |tx| tx.consume_challenge(challenge.id, later(2)).await).await);
    }
    let unknown = world.id(noon());
    assert!(!world.write(async |tx| tx.consume_challenge(unknown, later(1)).await).await);
}
