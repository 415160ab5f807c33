//! The one-time link that makes the first operator: there is no default account.

use crate::{Timestamp, TokenDigest};

/// A one-time link that makes an owner, as a store keeps it: without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct BootstrapLink {
    /// The keyed digest of its token, unique.
    pub token_digest: TokenDigest,
    /// What it is for.
    pub purpose: BootstrapPurpose,
    /// Valid until then, exclusive.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a link that makes an owner is for, and so when it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum BootstrapPurpose {
    /// To make the first operator: only while there is none.
    FirstOperator,
    /// To make one more owner, for a portal whose owners can't come in any more.
    Recovery,
}

impl BootstrapPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::FirstOperator, Self::Recovery];

    /// The purpose as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstOperator => "first_operator",
            Self::Recovery => "recovery",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}
