//! What a parser says of a value that it refuses.

/// A value that breaks a rule of its type: a stable `code` for programs, a `detail` that tells a person what to do.
///
/// # Example
///
/// ```
/// use tenantry_domain::Quota;
///
/// let refused = Quota::new(0).unwrap_err();
/// assert_eq!(refused.code, "out_of_range"); // for programs
/// assert_eq!(refused.to_string(), "must be 1 to 1000000"); // for people
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidValue {
    /// Stable, in snake case: `too_long`, `invalid_id`, ...
    pub code: &'static str,
    /// What is expected. It never repeats the value, which may be secret or hostile.
    pub detail: String,
}

impl InvalidValue {
    /// A refusal with its code and what is expected instead.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
