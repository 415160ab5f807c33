//! The housekeeper: deletes what has ended, beside the server.
//!
//! Every server has one. They don't talk to each other: each makes its rounds when it comes to it, at moments that differ, and whichever
//! gets to a row first deletes it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tenantry_domain::{Chain, Clock, Entropy, Retention, StoreError, Sweep, Swept, ports::Store};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use crate::metrics::Metrics;

/// The least rest between two batches. A batch that takes longer is followed by a rest as long as it took, so that the housekeeper never
/// works more than half of the time.
const REST: Duration = Duration::from_millis(10);
/// How long the batch at hand is waited for when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Deletes what has ended, a round now and then.
pub struct Housekeeper<S> {
    pub store: S,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// From one round to the next: half of it to one and a half.
    pub interval: Duration,
    pub retention: Retention,
    pub metrics: Metrics,
}

impl<S: Store> Housekeeper<S> {
    /// Works until `stop` says so, then finishes the batch at hand.
    async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        // Servers that are started together part here.
        let mut wait = self.interval.mul_f64(self.share());
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.changed() => return,
            }
            let began = Instant::now();
            let mut sweep = Sweep::new(self.clock.now(), self.retention);
            let ended = self.sweep(&mut sweep, &stop).await;
            self.metrics.deleted(&sweep.swept);
            tell(&sweep.swept, began.elapsed());
            if let Err(failure) = ended {
                warn!(error = %Chain(&failure), "what has ended can't be deleted now; the next round tries again");
            }
            if *stop.borrow() {
                return;
            }
            wait = self.interval.mul_f64(0.5 + self.share());
        }
    }

    async fn sweep(&self, sweep: &mut Sweep, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let mut goes_on = true;
        while goes_on && !*stop.borrow() {
            let began = Instant::now();
            goes_on = sweep.next_batch(&self.store).await?;
            sleep(began.elapsed().max(REST)).await;
        }
        Ok(())
    }

    /// A number from 0 to 1, at random.
    fn share(&self) -> f64 {
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
    }
}

/// Says what a round deleted, if it deleted anything.
fn tell(swept: &Swept, took: Duration) {
    let Swept { sessions, operator_sessions, challenges, idempotency_keys, messages, bootstrap_links, buckets } = *swept;
    if *swept != Swept::default() {
        info!(
            sessions,
            operator_sessions,
            challenges,
            idempotency_keys,
            messages,
            bootstrap_links,
            buckets,
            duration_ms = took.as_millis(),
            "deleted what had ended"
        );
    }
}

/// A housekeeper at work.
pub struct RunningHousekeeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RunningHousekeeper {
    /// Puts a housekeeper to work. A panic ends a round, and not the housekeeper.
    pub fn start<S: Store>(housekeeper: Housekeeper<S>) -> Self {
        let housekeeper = Arc::new(housekeeper);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            while tokio::spawn(Arc::clone(&housekeeper).work(stopped.clone())).await.is_err() {
                error!("the housekeeper failed; it goes on with its next round");
            }
        });
        Self { stop, task }
    }

    /// Lets it finish the batch at hand.
    pub async fn stop(self) {
        // It fails only where nobody listens any more.
        let _ = self.stop.send(true);
        if timeout(PATIENCE, self.task).await.is_err() {
            warn!("what has ended could not be deleted in time; another round goes on with it");
        }
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{ManualClock, SeededEntropy, Timestamp, memory::MemoryStore};
    use time::Duration as Long;

    use super::*;

    fn housekeeper(interval: Duration) -> Housekeeper<MemoryStore> {
        Housekeeper {
            store: MemoryStore::new(),
            clock: Arc::new(ManualClock::new(Timestamp::MIN)),
            entropy: Arc::new(SeededEntropy::new(1)),
            interval,
            retention: Retention { sessions: Long::DAY, messages: Long::DAY, failures_count_for: Long::DAY },
            metrics: Metrics::new(Timestamp::MIN),
        }
    }

    #[test]
    fn rounds_of_servers_differ() {
        let housekeeper = housekeeper(Duration::from_secs(3600));
        let shares: Vec<f64> = (0..1000).map(|_| housekeeper.share()).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        let (early, late) = (shares.iter().filter(|share| **share < 0.25).count(), shares.iter().filter(|share| **share > 0.75));
        assert!((150..350).contains(&early) && (150..350).contains(&late.count()));
    }

    #[tokio::test]
    async fn a_housekeeper_that_waits_for_its_next_round_stops_at_once() {
        let running = RunningHousekeeper::start(housekeeper(Duration::from_secs(86_400)));
        let began = Instant::now();
        running.stop().await;
        assert!(began.elapsed() < PATIENCE);
    }
}
