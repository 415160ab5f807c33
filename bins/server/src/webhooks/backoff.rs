//! When a message that a webhook didn't take is sent again.

use tenantry_domain::Entropy;
use time::Duration;

/// The waits between the tries: three days together.
const WAITS: [Duration; 13] = [
    Duration::seconds(5),
    Duration::seconds(30),
    Duration::minutes(2),
    Duration::minutes(10),
    Duration::minutes(30),
    Duration::hours(1),
    Duration::hours(2),
    Duration::hours(4),
    Duration::hours(8),
    Duration::hours(12),
    Duration::hours(12),
    Duration::hours(16),
    Duration::hours(16),
];

/// How long to wait after so many tries, a tenth more or less at random, so that what an outage held up doesn't come back all at the same
/// moment; `None` after the last.
pub fn retry_delay(tries: u32, entropy: &dyn Entropy) -> Option<Duration> {
    let place = usize::try_from(tries.max(1) - 1).ok()?;
    let wait = *WAITS.get(place)?;
    let mut random = [0; 4];
    entropy.fill(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    Some(wait * (0.9 + 0.2 * share))
}

#[cfg(test)]
mod tests {
    use tenantry_domain::SeededEntropy;

    use super::*;

    #[test]
    fn the_waits_grow_and_last_three_days_together() {
        let entropy = SeededEntropy::new(1);
        let mut tries = 1;
        let mut waited = Duration::ZERO;
        while let Some(delay) = retry_delay(tries, &entropy) {
            let wait = WAITS[usize::try_from(tries).unwrap() - 1];
            assert!(delay >= wait * 0.9 && delay <= wait * 1.1, "{tries}: {delay}");
            (tries, waited) = (tries + 1, waited + delay);
        }
        assert_eq!(tries, 14);
        assert!(WAITS.is_sorted() && waited > Duration::hours(60) && waited < Duration::hours(80), "{waited}");
        let all: Duration = WAITS.iter().sum();
        assert!((all - Duration::days(3)).abs() < Duration::minutes(20), "{all}");
        assert_eq!((retry_delay(0, &entropy).is_some(), retry_delay(u32::MAX, &entropy)), (true, None));
    }

    #[test]
    fn the_waits_of_many_messages_differ() {
        let entropy = SeededEntropy::new(1);
        let delays: std::collections::BTreeSet<_> = (0..100).map(|_| retry_delay(7, &entropy)).collect();
        assert!(delays.len() > 90);
    }
}
