//! Messages to the outside, written in the transaction that causes them and sent after it.

use std::fmt;

use crate::{Id, KeyId, Timestamp, id::Kind};

/// A message that waits to be sent, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its identifier; a mail's Message-ID is made of it, so that a second sending can be told from a second message.
    pub id: MessageId,
    /// What kind of message: `mail.otp`.
    pub topic: String,
    /// What it says and to whom, sealed.
    pub payload: SealedPayload,
    /// Not to be sent before.
    pub available_at: Timestamp,
    /// Not to be sent from then on: what it carries has expired.
    pub not_after: Option<Timestamp>,
    /// How often it was claimed.
    pub attempts: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A message's identifier.
pub type MessageId = Id<OutboxMessage>;

impl Kind for OutboxMessage {
    const PREFIX: &'static str = "msg";
}

/// Encrypted bytes and the key that they can be opened with. A dump of a store reads nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// The key.
    pub key_id: KeyId,
    /// Nonce, cipher text, tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPayload({}, {} bytes)", self.key_id, self.bytes.len())
    }
}

/// How a claimed message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was handed over. Its payload is wiped.
    Sent,
    /// It will be tried again at this time.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// It will not be sent: refused for good, tried too often, or expired. Its payload is wiped.
    Dropped,
}
