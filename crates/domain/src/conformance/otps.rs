//! One-time passwords: no race and no further challenge gives a guess for free.

use std::collections::BTreeSet;

use time::Duration;

use super::world::{RACERS, TICK, World, later, noon, race};
use crate::{OtpAccount, OtpBudget, OtpChallenge, OtpPurpose, OtpStrength, Timestamp, ports::*};

/// The figures that Tenantry is set to unless told otherwise.
pub(super) const BUDGET: OtpBudget = OtpBudget { attempts: 5, failures: 10, window: Duration::DAY };

impl<S: Store> World<S> {
    async fn claim_try(&self, challenge: &OtpChallenge, now: Timestamp) -> Option<OtpChallenge> {
        self.write(async |tx| tx.claim_otp_attempt(challenge.id, challenge.purpose, BUDGET, now).await).await
    }

    /// Tries a challenge so often, each of which must be granted.
    async fn try_times(&self, challenge: &OtpChallenge, times: u32, now: Timestamp) {
        for _ in 0..times {
            assert!(self.claim_try(challenge, now).await.is_some());
        }
    }

    async fn failures(&self, account: OtpAccount, since: Timestamp) -> u32 {
        self.read().otp_failures(account, since).await.unwrap()
    }

    /// One account of each kind, and nobody.
    async fn owners(&self) -> [Option<OtpAccount>; 3] {
        let [tenant, operator] = self.accounts().await;
        [Some(tenant), Some(operator), None]
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
    for owner in world.owners().await {
        let sent = world.challenge(owner, noon()).await;
        let wide = world.wide_challenge(world.new_challenge(owner, noon())).await;
        for challenge in [sent, wide] {
            for attempts in 1..=2 {
                let claimed = world.claim_try(&challenge, later(1)).await;
                assert_eq!(claimed, Some(OtpChallenge { attempts, ..challenge.clone() }));
            }
        }
    }
    let unknown = world.new_challenge(None, noon());
    assert_eq!(world.claim_try(&unknown, noon()).await, None, "an unknown challenge has no tries");
}

/// A challenge of one purpose has no tries for another, whoever's it is.
pub async fn a_challenge_is_claimed_for_its_own_purpose_alone<S: Store>(store: S) {
    let world = World::new(store);
    for owner in world.owners().await {
        let challenge = world.challenge(owner, noon()).await;
        let other = match challenge.purpose {
            OtpPurpose::TenantSignIn => OtpPurpose::OperatorSignIn,
            OtpPurpose::OperatorSignIn => OtpPurpose::TenantSignIn,
        };
        let claimed = world.write(async |tx| tx.claim_otp_attempt(challenge.id, other, BUDGET, later(1)).await).await;
        assert_eq!(claimed, None);
        assert_eq!(world.claim_try(&challenge, later(1)).await.map(|claimed| claimed.attempts), Some(1), "and none was counted");
    }
}

/// Of 32 racing tries of a challenge five are granted, each with a number of its own.
pub async fn racing_tries_of_a_challenge_stay_within_its_budget<S: Store>(store: S) {
    let world = World::new(store);
    for owner in world.owners().await {
        let challenge = world.challenge(owner, noon()).await;
        let claims = race(RACERS, async |_| world.claim_try(&challenge, later(1)).await).await;
        let tries: BTreeSet<_> = claims.iter().flatten().map(|claimed| claimed.attempts).collect();
        assert_eq!(claims.iter().flatten().count(), 5);
        assert_eq!(tries, BTreeSet::from([1, 2, 3, 4, 5]));
        assert_eq!(world.claim_try(&challenge, later(1)).await, None, "the right password comes too late as well");
    }
}

/// Over all six-digit challenges of an account, 32 racing tries never exceed its failures.
pub async fn racing_tries_stay_within_the_accounts_budget<S: Store>(store: S) {
    let world = World::new(store);
    for account in world.accounts().await {
        let mut challenges = Vec::new();
        for _ in 0..4 {
            challenges.push(world.challenge(Some(account), noon()).await);
        }
        let claims = race(RACERS, async |racer| world.claim_try(&challenges[racer % 4], later(1)).await).await;
        assert_eq!(claims.iter().flatten().count(), 10, "tries that were granted");
        assert_eq!(world.failures(account, noon()).await, 10);
        let resent = world.challenge(Some(account), later(2)).await;
        assert_eq!(world.claim_try(&resent, later(2)).await, None, "a new code resets nothing");
    }
}

/// What one account spends, no other has spent: neither of its kind nor of the other.
pub async fn the_budgets_of_accounts_are_apart<S: Store>(store: S) {
    let world = World::new(store);
    let (first, second) = (world.accounts().await, world.accounts().await);
    for (spent, account) in first.into_iter().enumerate() {
        for _ in 0..2 {
            let challenge = world.challenge(Some(account), noon()).await;
            world.try_times(&challenge, 5, later(1)).await;
        }
        let all = [first[0], first[1], second[0], second[1]];
        let mut failures = Vec::new();
        for other in all {
            failures.push(world.failures(other, noon()).await);
        }
        assert_eq!(failures, [10, if spent == 0 { 0 } else { 10 }, 0, 0]);
    }
    for account in second {
        let challenge = world.challenge(Some(account), noon()).await;
        world.try_times(&challenge, 5, later(1)).await;
    }
}

/// A wide password is exempt from the account's budget and doesn't draw on it, so nobody can be locked out.
pub async fn a_wide_challenge_is_outside_the_accounts_budget<S: Store>(store: S) {
    let world = World::new(store);
    for account in world.accounts().await {
        let wide = world.wide_challenge(world.new_challenge(Some(account), noon())).await;
        world.try_times(&wide, 4, later(1)).await;
        assert_eq!(world.failures(account, noon()).await, 0);
        for _ in 0..2 {
            let challenge = world.challenge(Some(account), noon()).await;
            world.try_times(&challenge, 5, later(1)).await;
        }
        assert_eq!(world.failures(account, noon()).await, 10);
        assert!(world.claim_try(&wide, later(1)).await.is_some(), "the account's failures are spent");
        assert_eq!(world.claim_try(&wide, later(1)).await, None, "its own five tries bound it all the same");
    }
}

/// A decoy belongs to no account: nothing but its own tries bounds it.
pub async fn a_decoy_has_no_account_to_spend<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..4 {
        let decoy = world.challenge(None, noon()).await;
        world.try_times(&decoy, 5, later(1)).await;
        assert_eq!(world.claim_try(&decoy, later(1)).await, None);
    }
}

/// Failures count from when their challenge was made, inclusive, for as long as the window is.
pub async fn failures_leave_the_window_with_their_challenge<S: Store>(store: S) {
    let world = World::new(store);
    for account in world.accounts().await {
        for at in [noon(), noon() + TICK] {
            let challenge = world.challenge(Some(account), at).await;
            world.try_times(&challenge, 5, later(1)).await;
        }
        let failures = async |since| world.failures(account, since).await;
        assert_eq!((failures(noon()).await, failures(noon() + TICK).await, failures(noon() + TICK * 2).await), (10, 5, 0));

        let next_day = noon() + BUDGET.window;
        let challenge = world.challenge(Some(account), next_day - TICK).await;
        assert_eq!(world.claim_try(&challenge, next_day).await, None, "ten failures in the last 24 hours");
        world.try_times(&challenge, 5, next_day + TICK).await;
        let another = world.challenge(Some(account), next_day).await;
        assert_eq!(world.claim_try(&another, next_day + TICK).await, None, "five of yesterday and five of today");
        assert!(world.claim_try(&another, next_day + TICK * 2).await.is_some());
    }
}

/// The try that consumed a challenge is no failure, the tries before it stay failures, and there are none after it.
pub async fn a_success_is_no_failure_and_forgives_none<S: Store>(store: S) {
    let world = World::new(store);
    for account in world.accounts().await {
        let challenge = world.challenge(Some(account), noon()).await;
        world.try_times(&challenge, 3, later(1)).await;
        assert_eq!(world.failures(account, noon()).await, 3);
        assert!(world.write(async |tx| tx.consume_challenge(challenge.id, later(2)).await).await);
        assert_eq!(world.failures(account, noon()).await, 2);
        assert_eq!(world.claim_try(&challenge, later(2)).await, None);

        let untried = world.challenge(Some(account), noon()).await;
        assert!(world.write(async |tx| tx.consume_challenge(untried.id, later(2)).await).await);
        assert_eq!(world.failures(account, noon()).await, 2);
    }
}

/// Of 32 racing consumptions of a challenge one succeeds: one password gives one session.
pub async fn racing_consumptions_of_a_challenge_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    for owner in world.owners().await {
        let challenge = world.challenge(owner, noon()).await;
        assert_eq!(world.winners(async |_, tx| tx.consume_challenge(challenge.id, later(1)).await).await, 1);
        assert!(!world.write(async |tx| tx.consume_challenge(challenge.id, later(2)).await).await);
    }
    let unknown = world.id(noon());
    assert!(!world.write(async |tx| tx.consume_challenge(unknown, later(1)).await).await);
}

/// Ending an account's challenges ends those that are open, however early the clock of whoever tries them, and says how many. Their
/// failures stay counted, and nobody else's challenge ends.
pub async fn ended_challenges_are_worth_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let (others, decoy) = (world.owners().await, world.challenge(None, noon()).await);
    for account in world.accounts().await {
        let mut others_challenges = vec![decoy.clone()];
        for other in others.into_iter().flatten() {
            others_challenges.push(world.challenge(Some(other), noon()).await);
        }
        let tried = world.challenge(Some(account), noon()).await;
        world.try_times(&tried, 3, later(1)).await;
        let wide = world.wide_challenge(world.new_challenge(Some(account), noon())).await;
        let consumed = world.challenge(Some(account), noon()).await;
        assert!(world.write(async |tx| tx.consume_challenge(consumed.id, later(1)).await).await);
        world.challenge(Some(account), noon() - Duration::HOUR).await;

        assert_eq!(world.write(async |tx| tx.end_challenges(account, later(9)).await).await, 2);
        assert_eq!(world.write(async |tx| tx.end_challenges(account, later(9)).await).await, 0);
        for challenge in [&tried, &wide] {
            for now in [noon(), later(8), later(10)] {
                assert_eq!(world.claim_try(challenge, now).await, None);
                assert!(!world.write(async |tx| tx.consume_challenge(challenge.id, now).await).await);
            }
        }
        assert_eq!(world.failures(account, noon()).await, 3);
        for challenge in others_challenges {
            assert!(world.claim_try(&challenge, later(10)).await.is_some());
        }
    }
}
