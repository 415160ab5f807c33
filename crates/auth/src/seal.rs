//! Sealing what waits in the outbox, is kept as an answer, or signs what is sent to a webhook: mails carry one-time passwords, answers carry
//! activation codes, and a dump of the database must show none.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use tenantry_domain::{Entropy, Fingerprint, IdempotencyKey, KeyId, MessageId, SealedPayload, WebhookId};
use zeroize::Zeroizing;

use crate::{KeyRing, WebhookSecret};

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
    /// It was changed, cut, or belongs elsewhere.
    #[error("the sealed payload was damaged")]
    Damaged,
}

impl KeyRing {
    /// Encrypts what a message says, bound to the message (XChaCha20-Poly1305, the message's identifier as associated data): moved to
    /// another message, it doesn't open.
    ///
    /// # Example
    ///
    /// ```
    /// # use tenantry_auth::*;
    /// # use tenantry_domain::*;
    /// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
    /// # let now = SystemClock.now();
    /// let (message, another): (MessageId, MessageId) = (Id::generate(now, &SystemEntropy), Id::generate(now, &SystemEntropy));
    /// let sealed = keys.seal(message, b"your password is 042137", &SystemEntropy);
    /// assert_eq!(*keys.open(message, &sealed)?, b"your password is 042137");
    /// assert_eq!(keys.open(another, &sealed), Err(SealError::Damaged));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn seal(&self, message: MessageId, plain: &[u8], entropy: &dyn Entropy) -> SealedPayload {
        let (key_id, key) = self.sealing_key(Sealed::Message);
        seal(key_id, key, message.uuid().as_bytes(), plain, entropy)
    }

    /// The reverse of [`seal`](Self::seal).
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn open(&self, message: MessageId, sealed: &SealedPayload) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(self.opening_key(Sealed::Message, &sealed.key_id), message.uuid().as_bytes(), sealed)
    }

    /// Encrypts the answer to a keyed request, bound to its key and to what it asked for.
    #[must_use]
    pub fn seal_answer(
        &self,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> SealedPayload {
        let (key_id, sealing_key) = self.sealing_key(Sealed::Answer);
        seal(key_id, sealing_key, &bound_to(key, fingerprint), plain, entropy)
    }

    /// The reverse of [`seal_answer`](Self::seal_answer).
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn open_answer(
        &self,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        sealed: &SealedPayload,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(self.opening_key(Sealed::Answer, &sealed.key_id), &bound_to(key, fingerprint), sealed)
    }
}

impl KeyRing {
    /// Encrypts a webhook's secret, bound to the webhook.
    #[must_use]
    pub(crate) fn seal_webhook_secret(&self, webhook: WebhookId, secret: &WebhookSecret, entropy: &dyn Entropy) -> SealedPayload {
        let (key_id, key) = self.sealing_key(Sealed::WebhookSecret);
        seal(key_id, key, webhook.uuid().as_bytes(), secret.as_bytes(), entropy)
    }

    /// The reverse of [`seal_webhook_secret`](Self::seal_webhook_secret).
    ///
    /// # Errors
    /// See [`SealError`].
    pub(crate) fn open_webhook_secret(&self, webhook: WebhookId, sealed: &SealedPayload) -> Result<WebhookSecret, SealError> {
        let plain = open(self.opening_key(Sealed::WebhookSecret, &sealed.key_id), webhook.uuid().as_bytes(), sealed)?;
        WebhookSecret::from_bytes(&plain).ok_or(SealError::Damaged)
    }
}

/// What is sealed: each by a key of its own.
#[derive(Clone, Copy)]
pub(crate) enum Sealed {
    Message,
    Answer,
    WebhookSecret,
}

fn bound_to(key: IdempotencyKey, fingerprint: Fingerprint) -> [u8; 64] {
    let mut both = [0; 64];
    both.iter_mut().zip(key.as_bytes().iter().chain(fingerprint.as_bytes())).for_each(|(byte, from)| *byte = *from);
    both
}

fn seal(key_id: &KeyId, key: &[u8; 32], bound_to: &[u8], plain: &[u8], entropy: &dyn Entropy) -> SealedPayload {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce);
    let payload = Payload { msg: plain, aad: bound_to };
    // It fails only for a message of more than 256 GiB. An empty cipher text opens as `Damaged`.
    let cipher = XChaCha20Poly1305::new(key.into()).encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
    SealedPayload { key_id: key_id.clone(), bytes: [nonce.as_slice(), &cipher].concat() }
}

fn open(key: Option<&[u8; 32]>, bound_to: &[u8], sealed: &SealedPayload) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let key = key.ok_or_else(|| SealError::UnknownKey { key_id: sealed.key_id.clone() })?;
    let (nonce, cipher) = sealed.bytes.split_at_checked(NONCE).ok_or(SealError::Damaged)?;
    let payload = Payload { msg: cipher, aad: bound_to };
    let plain = XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload);
    plain.map(Zeroizing::new).map_err(|_| SealError::Damaged)
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

    #[test]
    fn an_answer_opens_for_its_own_request_alone() {
        let entropy = SeededEntropy::new(4);
        let ring = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &entropy)).unwrap();
        let key = |key: &str| ring.idempotency_key(["tenant", "ten_1"], key);
        let asked = |body: &[u8]| ring.fingerprint([b"POST", body]);
        let sealed = ring.seal_answer(key("a"), asked(b"1"), b"12RY-S55W-4MZR-KP2J", &entropy);
        assert!(!sealed.bytes.windows(4).any(|window| window == b"12RY"));
        assert_eq!(ring.open_answer(key("a"), asked(b"1"), &sealed).unwrap().as_slice(), b"12RY-S55W-4MZR-KP2J");
        assert_eq!(ring.open_answer(key("b"), asked(b"1"), &sealed).unwrap_err(), SealError::Damaged);
        assert_eq!(ring.open_answer(key("a"), asked(b"2"), &sealed).unwrap_err(), SealError::Damaged);
        assert_eq!(ring.open(Id::generate(Timestamp::MIN, &entropy), &sealed).unwrap_err(), SealError::Damaged);
    }
}
