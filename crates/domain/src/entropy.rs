//! Where randomness comes from.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes, of which identifiers, codes and tokens are made.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`. In production each must be unpredictable: identifiers, codes and tokens are made of them.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source. Needs the feature `system`.
#[cfg(feature = "system")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

#[cfg(feature = "system")]
impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's random source")]
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret may be made; Linux's source cannot fail once it has answered"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system's random source answers");
    }
}

/// Bytes that follow from a seed: the same seed gives the same bytes. For tests alone.
///
/// They are made by `SplitMix64`, which is fast and can be guessed.
///
/// # Example
///
/// ```
/// use tenantry_domain::{PlainCode, SeededEntropy};
///
/// let [one, other] = [1, 1].map(|seed| PlainCode::generate(&SeededEntropy::new(seed)));
/// assert_eq!(one, other);
/// ```
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// A source that starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
        }
    }
}
