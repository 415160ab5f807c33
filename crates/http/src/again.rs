//! Work that the store cut off is done again, a few times within two seconds: a database that is handed over to another machine costs a
//! client a pause then, and not an error.

use std::time::Duration;

use tenantry_domain::Entropy;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::{observer::Failure, problem::Problem, state::AppState};

/// How often work is done at the most.
const TRIES: u32 = 5;

/// No try begins later than so long after the first one did.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest that the first pause may be; each may be twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Which work may be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// What certainly took no part of it.
    Undone,
    /// Also what may have been carried out, its answer lost: done again it answers the same, and does nothing more.
    Harmless,
}

/// Work that is under way, or that is to be done again.
pub(crate) struct Tries<'a> {
    entropy: &'a dyn Entropy,
    since: Instant,
    made: u32,
}

impl<'a> Tries<'a> {
    pub fn new(entropy: &'a dyn Entropy) -> Self {
        Self { entropy, since: Instant::now(), made: 1 }
    }

    /// Whether work that ended so is to be done again, once a pause is over.
    pub async fn again(&mut self, problem: &Problem, repeat: Repeat) -> bool {
        let away = problem.failure == Some(Failure::DatabaseUnavailable);
        if !(problem.certainly_undone || repeat == Repeat::Harmless && away) {
            return false;
        }
        let pause = self.pause();
        if self.made >= TRIES || self.since.elapsed() + pause > PATIENCE {
            warn!(tries = self.made, "gave up");
            return false;
        }
        self.made += 1;
        sleep(pause).await;
        info!(tries = self.made, "trying again");
        true
    }

    /// Anything up to the longest, so that those whom one failure hit don't come back together.
    fn pause(&self) -> Duration {
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        let longest = FIRST_PAUSE * 2_u32.pow(self.made.min(TRIES) - 1);
        longest.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }
}

impl<S> AppState<S> {
    /// Does work that begins and commits one transaction, again where the store cut it off before the commit.
    pub(crate) async fn again<T, E: Into<Problem>>(&self, work: impl AsyncFn() -> Result<T, E>) -> Result<T, Problem> {
        let mut tries = Tries::new(self.entropy.as_ref());
        loop {
            match work().await.map_err(E::into) {
                Err(problem) if tries.again(&problem, Repeat::Undone).await => {}
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{SeededEntropy, StoreError};

    use super::*;

    fn interrupted() -> Problem {
        StoreError::Interrupted("the primary is gone".into()).into()
    }

    fn undecided() -> Problem {
        StoreError::Unavailable("no answer to a commit".into()).into()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_cut_off_is_done_again_with_pauses_that_differ_and_not_for_ever() {
        let mut pauses = Vec::new();
        for seed in 0..20 {
            let entropy = SeededEntropy::new(seed);
            let mut tries = Tries::new(&entropy);
            let began = Instant::now();
            while tries.again(&interrupted(), Repeat::Undone).await {}
            assert_eq!(tries.made, TRIES);
            assert!(began.elapsed() <= PATIENCE);
            pauses.push(began.elapsed());
        }
        pauses.sort();
        pauses.dedup();
        // Some meet, as timers count milliseconds.
        assert!(pauses.len() > 10, "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_took_long_is_not_done_again() {
        let entropy = SeededEntropy::new(1);
        let mut tries = Tries::new(&entropy);
        sleep(PATIENCE).await;
        assert!(!tries.again(&interrupted(), Repeat::Harmless).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_carried_out_is_done_again_where_that_is_harmless_alone() {
        let entropy = SeededEntropy::new(1);
        let conflict = || Problem::from(StoreError::Conflict("a deadlock".into()));
        let broken = || Problem::from(StoreError::Failed("no such table".into()));
        for (problem, undone, harmless) in [
            (interrupted(), true, true),
            (conflict(), true, true),
            (undecided(), false, true),
            (broken(), false, false),
            (Problem::not_found(), false, false),
        ] {
            assert_eq!(Tries::new(&entropy).again(&problem, Repeat::Undone).await, undone, "{problem}");
            assert_eq!(Tries::new(&entropy).again(&problem, Repeat::Harmless).await, harmless, "{problem}");
        }
    }
}
