//! One-time passwords as a store keeps them.

use std::fmt;

use time::Duration;

use crate::{Id, KeyId, OperatorId, Target, TenantId, Timestamp, bytes, id::Kind};

/// A one-time password that was asked for: a challenge, which the password answers.
///
/// A store keeps a keyed digest of the password. `tenantry-auth` makes and judges challenges.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct OtpChallenge {
    /// Its identifier, which whoever asked for it receives.
    pub id: ChallengeId,
    /// Whose sign-in it is. `None`: a decoy, made so that an unknown account looks like a known one.
    pub account: Option<OtpAccount>,
    /// The keyed digest of the password, bound to version, purpose, account and this challenge.
    pub code_mac: OtpMac,
    /// The key that made the digest.
    pub key_id: KeyId,
    /// What the password is good for.
    pub purpose: OtpPurpose,
    /// How hard it is to guess.
    pub strength: OtpStrength,
    /// How often it was tried.
    pub attempts: u32,
    /// Valid until then, exclusive.
    pub expires_at: Timestamp,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A challenge's identifier.
pub type ChallengeId = Id<OtpChallenge>;

impl Kind for OtpChallenge {
    const PREFIX: &'static str = "otp";
}

impl OtpChallenge {
    /// Whether its password can still be used at `now`: it is neither consumed nor expired.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.consumed_at.is_none() && now < self.expires_at
    }

    /// How many of its tries failed. A try counts from its claim on; the last one of a consumed challenge was right.
    #[must_use]
    pub fn failed_tries(&self) -> u32 {
        self.attempts.saturating_sub(u32::from(self.consumed_at.is_some()))
    }
}

/// Who signs in by a one-time password: a tenant, or an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OtpAccount {
    /// A tenant.
    Tenant(TenantId),
    /// An operator.
    Operator(OperatorId),
}

impl OtpAccount {
    /// The tenant, if it is one.
    #[must_use]
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Tenant(id) => Some(id),
            Self::Operator(_) => None,
        }
    }

    /// The operator, if it is one.
    #[must_use]
    pub const fn operator(self) -> Option<OperatorId> {
        match self {
            Self::Tenant(_) => None,
            Self::Operator(id) => Some(id),
        }
    }

    /// The account as what an event is about.
    #[must_use]
    pub const fn target(self) -> Target {
        match self {
            Self::Tenant(id) => Target::Tenant(id),
            Self::Operator(id) => Target::Operator(id),
        }
    }
}

impl From<TenantId> for OtpAccount {
    fn from(id: TenantId) -> Self {
        Self::Tenant(id)
    }
}

impl From<OperatorId> for OtpAccount {
    fn from(id: OperatorId) -> Self {
        Self::Operator(id)
    }
}

impl fmt::Display for OtpAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target().fmt(f)
    }
}

/// What a one-time password is good for; one for another purpose is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OtpPurpose {
    /// A tenant's sign-in.
    TenantSignIn,
    /// An operator's sign-in.
    OperatorSignIn,
}

impl OtpPurpose {
    /// The purpose as it is stored and digested.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantSignIn => "tenant_sign_in",
            Self::OperatorSignIn => "operator_sign_in",
        }
    }

    /// The reverse of [`as_str`](Self::as_str); `None` for a purpose that only a newer version knows.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::TenantSignIn, Self::OperatorSignIn].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// How hard a one-time password is to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OtpStrength {
    /// Six digits: 20 bits, safe only while failures are counted.
    SixDigits,
    /// 64 bits or more, sent once an account's failures are spent: safe without counting, so nobody can be locked out.
    Wide,
}

impl OtpStrength {
    /// The strength as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SixDigits => "six_digits",
            Self::Wide => "wide",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::SixDigits, Self::Wide].into_iter().find(|strength| strength.as_str() == text)
    }
}

/// How often one-time passwords may be tried: each challenge, and all of an account together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpBudget {
    /// Tries of one challenge, right or wrong.
    pub attempts: u32,
    /// Failed tries of an account's six-digit passwords within `window`.
    pub failures: u32,
    /// How long a failure counts.
    pub window: Duration,
}

/// A keyed digest of a one-time password, compared in constant time.
#[derive(Clone, Copy)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct OtpMac([u8; 32]);

bytes::opaque_and_secret!(OtpMac, "Takes the 32 bytes that were made or read.");
