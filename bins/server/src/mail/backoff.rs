//! When a mail that could not be handed over is tried again.

use tenantry_domain::Entropy;
use time::Duration;

/// The longest time between two tries.
const LONGEST: Duration = Duration::minutes(1);

/// How long to wait after a message's `attempts`-th try: 1 s, 2 s, 4 s .. 60 s, less up to half of it at random, so that the messages of
/// an outage don't all come back at the same moment.
pub fn retry_delay(attempts: u32, entropy: &dyn Entropy) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let most = (Duration::SECOND * (1_u32 << doublings)).min(LONGEST);
    let mut random = [0; 4];
    entropy.fill(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    most - (most / 2) * share
}

#[cfg(test)]
mod tests {
    use tenantry_domain::SeededEntropy;

    use super::{super::worker::MOST_ATTEMPTS, *};

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_is_never_less_than_half_of_that() {
        let entropy = SeededEntropy::new(1);
        for (attempts, most) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (u32::MAX, 60)] {
            let most = Duration::seconds(most);
            for _ in 0..1000 {
                let delay = retry_delay(attempts, &entropy);
                assert!(delay >= most / 2 && delay <= most, "{attempts}: {delay}");
            }
        }
    }

    /// Or a short outage would cost passwords that are still good.
    #[test]
    fn a_message_is_tried_for_longer_than_a_password_lives_however_chance_falls() {
        struct Shortest;
        impl Entropy for Shortest {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0xff);
            }
        }
        let tried_for: Duration = (1..MOST_ATTEMPTS).map(|attempt| retry_delay(attempt, &Shortest)).sum();
        assert!(tried_for > Duration::minutes(10), "{tried_for}");
    }

    #[test]
    fn the_waits_of_many_messages_differ() {
        let entropy = SeededEntropy::new(1);
        let delays: std::collections::BTreeSet<_> = (0..100).map(|_| retry_delay(7, &entropy)).collect();
        assert!(delays.len() > 90);
    }
}
