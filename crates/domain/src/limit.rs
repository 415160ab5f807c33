//! Rate limits that hold across servers and restarts, because a store counts them.

use time::Duration;

use crate::{Actor, Timestamp, bytes};

/// How often something may happen: `burst` times at once, then once each `interval`.
///
/// # Example
/// What a store does with a bucket, of which it keeps one moment:
///
/// ```
/// use tenantry_domain::*;
/// use time::Duration;
///
/// let (rate, noon) = (Rate { burst: 2, interval: Duration::MINUTE }, "2026-03-15T12:00:00Z".parse::<Timestamp>()?);
/// let mut full_at = noon;
/// let mut take = |now: Timestamp| {
///     let decision = rate.decide(full_at, now);
///     if decision == RateDecision::Allowed {
///         full_at = full_at.max(now) + rate.interval;
///     }
///     decision
/// };
/// assert_eq!([take(noon), take(noon)], [RateDecision::Allowed; 2]);
/// assert_eq!(take(noon), RateDecision::Limited { retry_after: Duration::MINUTE });
/// assert_eq!(take(noon + Duration::MINUTE), RateDecision::Allowed);
/// # Ok::<_, InvalidValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often at once, at least 1.
    pub burst: u32,
    /// How long until one more is allowed, longer than zero.
    pub interval: Duration,
}

impl Rate {
    /// Whether a bucket that will be full again at `full_at` holds one at `now`; one that isn't stored is full.
    ///
    /// This is the generic cell rate algorithm: the one number to keep of a bucket is when it will be full again. It holds `burst` while
    /// that isn't in the future, and nothing once it is `burst` intervals ahead; taking one moves it an interval on, from `now` at the
    /// least.
    pub fn decide(self, full_at: Timestamp, now: Timestamp) -> RateDecision {
        let latest = now + self.interval.saturating_mul(i32::try_from(self.burst).unwrap_or(i32::MAX));
        let after_next = full_at.max(now) + self.interval;
        if after_next > latest { RateDecision::Limited { retry_after: after_next - latest } } else { RateDecision::Allowed }
    }
}

/// The name of a bucket: a keyed digest of the address or the account that is counted, so that a store holds neither.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey([u8; 32]);

bytes::opaque!(BucketKey, "Takes the digest of what is counted.");

impl BucketKey {
    /// What an actor's refusals are counted in: an operator's in all its sessions together. It holds what the audit trail says of the actor,
    /// which is neither an address nor a name of a person.
    #[must_use]
    pub(crate) fn of_refusals(actor: &Actor) -> Self {
        let name = match actor {
            Actor::Operator { operator, .. } => operator.to_string(),
            Actor::Tenant { tenant, .. } => tenant.to_string(),
            other => other.name().unwrap_or_default(),
        };
        let mut bytes = [0; 32];
        // An identifier is told apart by its last 32 characters.
        bytes.iter_mut().zip(name.bytes().rev()).for_each(|(byte, part)| *byte = part);
        Self(bytes)
    }
}

/// A rate limit: a bucket, and how often what it counts may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub bucket: BucketKey,
    /// How often.
    pub rate: Rate,
}

/// What a rate limit says: allowed, or not before some time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum RateDecision {
    /// It may, and was counted.
    Allowed,
    /// It may not, and was not counted; the same may be tried again after this time.
    Limited {
        /// Longer than zero.
        retry_after: Duration,
    },
}
