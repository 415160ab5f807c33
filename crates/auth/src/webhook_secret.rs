//! The secrets of webhooks, and the signatures that are made with them, by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tenantry_domain::{Entropy, MessageId, Timestamp};
use zeroize::Zeroizing;

/// A webhook's secret: 32 random bytes, shown as `whsec_` and their base64.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<[u8; WebhookSecret::BYTES]>);

impl WebhookSecret {
    const BYTES: usize = 32;
    const PREFIX: &'static str = "whsec_";

    /// Makes a new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        entropy.fill(bytes.as_mut());
        Self(bytes)
    }

    /// Takes the bytes that were sealed; `None` for as many as no secret has.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes, to be sealed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}", Self::PREFIX, BASE64.encode(self.as_bytes())))
    }

    /// The signature of a message that is sent at `at`: `v1,` and the base64 of the HMAC-SHA256 over identifier, seconds and body, with
    /// full stops between.
    ///
    /// # Example
    /// What a receiver does to verify it; libraries for Standard Webhooks do the same:
    ///
    /// ```
    /// use data_encoding::BASE64;
    /// use hmac::{Hmac, KeyInit as _, Mac as _};
    /// # use tenantry_auth::*;
    /// # use tenantry_domain::*;
    /// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
    /// # let (id, now, body) = (Id::generate(SystemClock.now(), &SystemEntropy), SystemClock.now(), br#"{"type":"webhook.test"}"#);
    /// let secret = WebhookSecret::generate(&SystemEntropy);
    /// let (shown, signature) = (secret.reveal(), secret.sign(id, now, body));
    ///
    /// let bytes = |text: Option<&str>| text.and_then(|text| BASE64.decode(text.as_bytes()).ok()).ok_or("not base64");
    /// let key = bytes(shown.strip_prefix("whsec_"))?;
    /// let given = bytes(signature.strip_prefix("v1,"))?;
    /// let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key)?;
    /// mac.update(format!("{id}.{}.", now.unix_seconds()).as_bytes());
    /// mac.update(body);
    /// mac.verify_slice(&given)?; // in constant time
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sign(&self, message: MessageId, at: Timestamp, body: &[u8]) -> String {
        // HMAC takes keys of every length: that of this one can't be wrong.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.as_bytes()) else { return String::new() };
        mac.update(format!("{message}.{}.", at.unix_millis() / 1000).as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Id, SeededEntropy};

    use super::*;

    /// What Python's `hmac` makes of the same bytes.
    #[test]
    fn a_signature_is_what_others_make_of_it() {
        let secret = WebhookSecret::from_bytes(&[7; 32]).unwrap();
        let message: MessageId = "msg_018bcfe568007000800000000000000a".parse().unwrap();
        let at = Timestamp::from_unix_micros(1_700_000_000_999_999).unwrap();
        assert_eq!(secret.reveal().as_str(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(secret.sign(message, at, br#"{"a":1}"#), "v1,pW0HmZdOZeBnShLSFHxDYBKSJCCPD4cZy8bLnghf4qg=");
    }

    #[test]
    fn secrets_differ_and_are_not_shown_by_accident() {
        let entropy = SeededEntropy::new(1);
        let [one, other] = [(), ()].map(|()| WebhookSecret::generate(&entropy));
        let message = Id::generate(Timestamp::MIN, &entropy);
        assert_ne!(one.sign(message, Timestamp::MIN, b""), other.sign(message, Timestamp::MIN, b""));
        assert_ne!(one.sign(message, Timestamp::MIN, b""), one.sign(message, Timestamp::MIN, b"."));
        assert_eq!(format!("{one:?}"), "WebhookSecret(..)");
        assert!(WebhookSecret::from_bytes(&[7; 31]).is_none());
    }
}
