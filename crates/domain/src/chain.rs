//! An error with everything that caused it, in one line.

use std::{error::Error, fmt};

/// Shows an error and everything that caused it in one line, `a: b: c`, for a log.
///
/// Most log formats show the outermost error alone, which here says what failed and leaves the reason to its sources.
///
/// # Example
///
/// ```
/// use tenantry_domain::{Chain, StoreError};
///
/// let refused = std::io::Error::other("connection refused");
/// let failure = StoreError::Unavailable(refused.into());
/// assert_eq!(failure.to_string(), "the store is unavailable");
/// assert_eq!(Chain(&failure).to_string(), "the store is unavailable: connection refused");
/// ```
#[derive(Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        let mut said = self.0.to_string();
        while let Some(cause) = source {
            // A transparent error repeats its source.
            let text = cause.to_string();
            if text != said {
                write!(f, ": {text}")?;
                said = text;
            }
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActivateError, StoreError};

    #[test]
    fn every_cause_is_said_once() {
        let refused = std::io::Error::other("connection refused");
        let error = ActivateError::Store(StoreError::Unavailable(Box::new(refused)));
        assert_eq!(Chain(&error).to_string(), "the store is unavailable: connection refused");
    }
}
