//! Sealing what waits in the outbox: mails carry one-time passwords, and a dump of the database must show none.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use tenantry_domain::{Entropy, KeyId, MessageId, SealedPayload};
use zeroize::Zeroizing;

use crate::KeyRing;

const NONCE: usize = 24;

/// Why a sealed payload can't be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Its key isn't in the ring.
    #[error("the key {key_id} is not in the key ring")]
    UnknownKey {
        /// The key.
        key_id: KeyId,
    },
    /// It was changed, cut, or belongs to another message.
    #[error("the sealed payload was damaged")]
    Damaged,
}

impl KeyRing {
    /// Encrypts what a message says, bound to the message (XChaCha20-Poly1305, the message's identifier as associated data): moved to
    /// another message, it doesn't open.
    #[must_use]
    pub fn seal(&self, message: MessageId, plain: &[u8], entropy: &dyn Entropy) -> SealedPayload {
        let (key_id, key) = self.sealing_key();
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        let bound_to = message.uuid();
        let payload = Payload { msg: plain, aad: bound_to.as_bytes() };
        // It fails only for a message of more than 256 GiB. An empty cipher text opens as `Damaged`.
        let cipher = XChaCha20Poly1305::new(key.into()).encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
        SealedPayload { key_id: key_id.clone(), bytes: [nonce.as_slice(), &cipher].concat() }
    }

    /// The reverse of [`seal`](Self::seal).
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn open(&self, message: MessageId, sealed: &SealedPayload) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.opening_key(&sealed.key_id).ok_or_else(|| SealError::UnknownKey { key_id: sealed.key_id.clone() })?;
        let (nonce, cipher) = sealed.bytes.split_at_checked(NONCE).ok_or(SealError::Damaged)?;
        let bound_to = message.uuid();
        let payload = Payload { msg: cipher, aad: bound_to.as_bytes() };
        let plain = XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Id, SeededEntropy, Timestamp};

    use super::*;

    #[test]
    fn only_the_right_ring_opens_the_right_message() {
        let entropy = SeededEntropy::new(4);
        let line = |id: &str| KeyRing::generate_line(&KeyId::parse(id).unwrap(), &entropy).to_string();
        let ring = KeyRing::parse(&line("k1")).unwrap();
        let (message, other) = (Id::generate(Timestamp::MIN, &entropy), Id::generate(Timestamp::MIN, &entropy));
        let sealed = ring.seal(message, b"042137", &entropy);
        assert!(!sealed.bytes.windows(6).any(|window| window == b"042137"));
        assert_eq!(ring.open(message, &sealed).unwrap().as_slice(), b"042137");
        assert_eq!(ring.open(other, &sealed).unwrap_err(), SealError::Damaged);
        assert_eq!(KeyRing::parse(&line("k1")).unwrap().open(message, &sealed).unwrap_err(), SealError::Damaged);
        assert!(matches!(KeyRing::parse(&line("k2")).unwrap().open(message, &sealed), Err(SealError::UnknownKey { .. })));
        for place in 0..sealed.bytes.len() {
            let mut damaged = sealed.clone();
            damaged.bytes[place] ^= 1;
            assert_eq!(ring.open(message, &damaged).unwrap_err(), SealError::Damaged);
            damaged.bytes.truncate(place);
            assert_eq!(ring.open(message, &damaged).unwrap_err(), SealError::Damaged);
        }
    }
}
