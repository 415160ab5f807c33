//! Requests that may be sent again: what is known of one by its key.

use crate::{Id, SealedPayload, Timestamp, bytes, id::Kind};

/// A keyed digest of who sends a request, and by which key of its own, so that a store holds neither.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct IdempotencyKey([u8; 32]);

bytes::opaque!(IdempotencyKey, "Takes the digest.");

/// A keyed digest of all that a request asks for: two requests with the same fingerprint are the same request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Fingerprint([u8; 32]);

bytes::opaque!(Fingerprint, "Takes the digest.");

/// A claim of an idempotency key, by one request that wants it for itself, so that it is carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyClaim {
    /// Its identifier: it tells the claimant from one that comes after it.
    pub id: KeyClaimId,
    /// The key.
    pub key: IdempotencyKey,
    /// What the request asks for.
    pub fingerprint: Fingerprint,
    /// When it is claimed.
    pub claimed_at: Timestamp,
    /// From then on another may claim the key, unless there is an answer: the claimant was killed.
    pub locked_until: Timestamp,
    /// From then on the key is as good as new.
    pub expires_at: Timestamp,
}

/// A claim's identifier.
pub type KeyClaimId = Id<KeyClaim>;

impl Kind for KeyClaim {
    const PREFIX: &'static str = "clm";
}

/// What became of a claim of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum KeyState {
    /// The key is the claimant's: until it answers, nobody else's.
    Claimed,
    /// The same request was answered.
    Answered(SealedPayload),
    /// The same request is under way.
    InFlight,
    /// Another request has the key.
    Mismatch,
}
