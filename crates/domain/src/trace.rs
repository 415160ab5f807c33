//! In which request, and in which trace, something was caused.

use std::fmt;

use crate::{Context, Entropy, InvalidValue};

/// A trace's identifier, as W3C's Trace Context has it.
///
/// It has 16 bytes that aren't all zero, and is shown as 32 small hexadecimal digits.
///
/// It joins what several programs did for one cause. Whoever calls may choose it, so nothing may rest on it: it is no secret, and it needn't
/// be unique.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// A new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        // One in 2^128, and then another bit is as good as any.
        Self(if bytes == [0; 16] { 1_u128.to_be_bytes() } else { bytes })
    }

    /// Reads one as it is shown; nothing is forgiven.
    ///
    /// # Errors
    /// `invalid_trace_id`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = if digits { u128::from_str_radix(text, 16).unwrap_or(0) } else { 0 };
        let invalid = || InvalidValue::new("invalid_trace_id", "must be 32 small hexadecimal digits that aren't all zero");
        if number == 0 { Err(invalid()) } else { Ok(Self(number.to_be_bytes())) }
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// What caused something that is done later, so that whoever does it can say in whose course.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Cause {
    /// In which request.
    pub request_id: Option<String>,
    /// In which trace.
    pub trace_id: Option<TraceId>,
}

impl Context<'_> {
    /// What causes what this call leaves to be done later.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause { request_id: self.request_id.clone(), trace_id: self.trace_id }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn what_is_shown_is_read_and_nothing_else() {
        let id = TraceId::generate(&SeededEntropy::new(1));
        assert_eq!(TraceId::parse(&id.to_string()).unwrap(), id);
        let example = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(TraceId::parse(example).unwrap().to_string(), example);
        let upper = example.to_uppercase();
        let zero = "0".repeat(32);
        for text in ["", "4bf9", &example[1..], &format!("{example}0"), &upper, &zero, &"+".repeat(32), &"ü".repeat(16)] {
            assert_eq!(TraceId::parse(text).unwrap_err().code, "invalid_trace_id", "{text}");
        }
    }

    #[test]
    fn a_source_of_zeros_gives_one_that_can_be_read() {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let id = TraceId::generate(&Zeros);
        assert_eq!(TraceId::parse(&id.to_string()).unwrap(), id);
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = TraceId::parse(&text);
        }
    }
}
