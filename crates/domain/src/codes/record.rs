//! The record that stands for a code.

use crate::{BatchId, CodeDigest, Id, InvalidValue, KeyId, Label, Tenant, Timestamp, id::Kind, ports::CodeIssue};

/// An activation code as a store keeps it: without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Code {
    /// Its identifier.
    pub id: CodeId,
    /// The tenant that it was issued to.
    pub tenant_id: Id<Tenant>,
    /// The keyed digest of its text, unique among all codes.
    pub digest: CodeDigest,
    /// The key that made the digest.
    pub key_id: KeyId,
    /// The last group of its text.
    pub hint: String,
    /// What it was issued for.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub label: Option<Label>,
    /// How many projects it can activate, at least 1.
    pub max_uses: u32,
    /// How many it has activated; never above `max_uses`.
    pub use_count: u32,
    /// Valid until then, exclusive; `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The issue that it came from.
    pub batch_id: BatchId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

/// A code's identifier.
pub type CodeId = Id<Code>;

impl Kind for Code {
    const PREFIX: &'static str = "code";
}

/// A code to be stored: a [`Code`] that hasn't been used.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// Its identifier.
    pub id: CodeId,
    /// The keyed digest of its text.
    pub digest: CodeDigest,
    /// The key that made the digest.
    pub key_id: KeyId,
    /// The last group of its text.
    pub hint: String,
    /// What it is for.
    pub label: Option<Label>,
    /// How many projects it can activate, at least 1.
    pub max_uses: u32,
    /// Valid until then, exclusive; `None`: for ever.
    pub expires_at: Option<Timestamp>,
}

/// A text that a code gets in the place of another.
#[derive(Clone, Debug)]
pub struct NewCodeText {
    /// The keyed digest of the text.
    pub digest: CodeDigest,
    /// The key that made the digest.
    pub key_id: KeyId,
    /// The last group of the text.
    pub hint: String,
}

/// How a code stands at a moment: revoked, expired, exhausted or active.
///
/// The order is the precedence: a code that is both revoked and expired is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeStatus {
    /// Taken back by an operator.
    Revoked,
    /// Past its time.
    Expired,
    /// Used as often as it may be.
    Exhausted,
    /// Ready to activate a project.
    Active,
}

impl CodeStatus {
    /// Every status, in precedence.
    pub const ALL: [Self; 4] = [Self::Revoked, Self::Expired, Self::Exhausted, Self::Active];

    /// The status as it is written in JSON and in URLs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Active => "active",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_status`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || InvalidValue::new("invalid_status", "must be one of revoked, expired, exhausted, active");
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(unknown)
    }
}

impl NewCode {
    /// The code as it is once it is stored, as one of an issue.
    #[must_use]
    pub fn issued(&self, issue: &CodeIssue) -> Code {
        let Self { id, digest, key_id, hint, label, max_uses, expires_at } = self.clone();
        Code {
            id,
            tenant_id: issue.tenant_id,
            digest,
            key_id,
            hint,
            label,
            max_uses,
            use_count: 0,
            expires_at,
            used_at: None,
            revoked_at: None,
            batch_id: issue.batch_id,
            created_at: issue.created_at,
            updated_at: issue.created_at,
        }
    }
}

impl Code {
    /// What the code is at `now`. A code is expired from `expires_at` on.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> CodeStatus {
        if self.revoked_at.is_some() {
            CodeStatus::Revoked
        } else if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            CodeStatus::Expired
        } else if self.use_count >= self.max_uses {
            CodeStatus::Exhausted
        } else {
            CodeStatus::Active
        }
    }
}
