//! Where time comes from. Use cases take a [`Timestamp`] that was read once; only the edge holds a clock.

use std::sync::{Arc, Mutex, PoisonError};

use time::Duration;

use crate::Timestamp;

/// A source of the present moment.
///
/// Use cases take the moment, not a clock: read yours once a call, into a [`Context`](crate::Context).
pub trait Clock: Send + Sync + 'static {
    /// The present moment. It may stand still or be set back: nothing relies on its going forward.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. Needs the feature `system`.
#[cfg(feature = "system")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "system")]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the ambient clock")]
    fn now(&self) -> Timestamp {
        Timestamp::new(time::OffsetDateTime::now_utc())
    }
}

/// A clock that moves only when told to, for tests; its clones share one hand.
///
/// # Example
///
/// ```
/// use tenantry_domain::{Clock, ManualClock};
///
/// let clock = ManualClock::new("2026-03-15T12:00:00Z".parse()?);
/// let handle = clock.clone();
/// handle.advance(time::Duration::HOUR);
/// assert_eq!(clock.now().to_string(), "2026-03-15T13:00:00Z");
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the clock forward, or back by a negative duration.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = *now + by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
