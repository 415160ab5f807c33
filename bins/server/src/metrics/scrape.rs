//! What is looked up when somebody asks for it.

use std::{sync::Arc, time::Duration};

use prometheus_client::encoding::text::encode;
use tenantry_domain::{Chain, Clock};
use tenantry_persistence::{DatabaseStore, OutboxFigures};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tracing::warn;

use super::Metrics;

/// For how long a look at the outbox is good: however many ask, the database is asked this often.
const FRESH: Duration = Duration::from_secs(5);
/// How long a look at the outbox may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers what is counted, and what a look shows.
pub(super) struct Scrape {
    pub metrics: Metrics,
    pub store: DatabaseStore,
    pub clock: Arc<dyn Clock>,
    pub looked: Mutex<Option<Instant>>,
}

impl Scrape {
    /// All figures, in the text format of `OpenMetrics`.
    pub async fn text(&self) -> Result<String, std::fmt::Error> {
        self.look_at_pools();
        self.look_at_outbox().await;
        let mut text = String::new();
        encode(&mut text, &self.metrics.registry)?;
        Ok(text)
    }

    fn look_at_pools(&self) {
        let figures = &self.metrics.figures;
        for pool in self.store.pools() {
            let name = ("pool", pool.pool);
            figures.pool_most.get_or_create(&[name]).set(pool.most.into());
            figures.pool_connections.get_or_create(&[name, ("state", "idle")]).set(pool.idle.into());
            figures.pool_connections.get_or_create(&[name, ("state", "used")]).set((pool.open - pool.idle).into());
        }
    }

    /// Looks at the outbox, unless somebody has just done so. What can't be looked at has no figures: an old one would be taken for true.
    async fn look_at_outbox(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        *looked = Some(Instant::now());
        match timeout(PATIENCE, self.store.outbox_figures(self.clock.now())).await {
            Ok(Ok(found)) => found.iter().for_each(|found| self.show(found)),
            Ok(Err(failure)) => {
                warn!(error = %Chain(&failure), "the outbox can't be looked at for the metrics");
                self.show_nothing();
            }
            Err(_) => {
                warn!("a look at the outbox for the metrics took longer than {} s", PATIENCE.as_secs());
                self.show_nothing();
            }
        }
    }

    fn show(&self, found: &OutboxFigures) {
        let (figures, kind) = (&self.metrics.figures, [("kind", found.kind)]);
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        figures.outbox_waiting.get_or_create(&kind).set(gauge(found.waiting));
        figures.outbox_dead.get_or_create(&kind).set(gauge(found.dead));
        let overdue = found.due_since.map_or(time::Duration::ZERO, |since| self.clock.now() - since);
        figures.outbox_overdue.get_or_create(&kind).set(overdue.as_seconds_f64().max(0.0));
    }

    fn show_nothing(&self) {
        let figures = &self.metrics.figures;
        figures.outbox_waiting.clear();
        figures.outbox_dead.clear();
        figures.outbox_overdue.clear();
    }
}
