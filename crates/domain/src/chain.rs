//! An error with everything that caused it, in one line.

use std::{error::Error, fmt};

/// Shows an error and all its sources, `a: b: c`. Log formats show the first alone.
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
