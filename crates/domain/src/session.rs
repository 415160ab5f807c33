//! Sessions: a tenant that is signed in.

use std::{mem, net::IpAddr};

use crate::{Id, TenantId, Timestamp, bytes, id::Kind, ports::SessionTouch};

/// A tenant's session as a store keeps it: without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Session {
    /// Its identifier, which is no secret.
    pub id: SessionId,
    /// Who is signed in.
    pub tenant_id: TenantId,
    /// The keyed digest of its token, unique.
    pub token_digest: TokenDigest,
    /// When it was last used; written at most once a minute.
    pub last_activity: Timestamp,
    /// Valid until then, exclusive. Moves with its use, never past the absolute limit.
    pub expires_at: Timestamp,
    /// From where it was signed in.
    pub client_ip: Option<IpAddr>,
    /// By which program, at most 200 characters.
    pub user_agent: Option<String>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// When it was signed in.
    pub created_at: Timestamp,
}

/// A session's identifier.
pub type SessionId = Id<Session>;

impl Kind for Session {
    const PREFIX: &'static str = "ses";
}

impl Session {
    /// Whether it still counts at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// Whether `touch` is to be written: it is live, and wasn't active since.
    #[must_use]
    pub fn is_due(&self, touch: &SessionTouch) -> bool {
        self.is_live(touch.now) && self.last_activity <= touch.unless_active_since
    }

    /// Writes its activity down. The digest of its token before and after, where it is given another.
    pub fn touch(&mut self, touch: &SessionTouch) -> Option<[TokenDigest; 2]> {
        self.last_activity = touch.now;
        self.expires_at = touch.expires_at;
        touch.rekeyed.map(|digest| [mem::replace(&mut self.token_digest, digest), digest])
    }
}

/// A keyed digest of a bearer token, compared in constant time.
#[derive(Clone, Copy)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenDigest([u8; 32]);

bytes::opaque_and_secret!(TokenDigest, "Takes the 32 bytes that were made or read.");
