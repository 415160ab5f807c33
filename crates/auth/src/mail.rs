//! What a sign-in mail says, as it waits sealed in the outbox.

use serde::{Deserialize, Serialize};
use tenantry_domain::{Email, Timestamp};
use zeroize::Zeroizing;

/// The mail that carries a one-time password, as it waits sealed in the outbox: what your mailer opens and sends.
#[derive(Serialize, Deserialize)]
pub struct OtpMail {
    /// To whom; `None`: a decoy, which is made like any other and then not sent.
    pub to: Option<Email>,
    /// What the account is called; for a decoy, nothing. Versions before there were operators look for it under its old name.
    #[serde(rename = "tenant_name")]
    pub account_name: String,
    /// The password as it is shown.
    pub otp: String,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

impl OtpMail {
    /// What the outbox calls these messages.
    pub const TOPIC: &'static str = "mail.otp";

    /// The form that is sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The reverse of [`to_bytes`](Self::to_bytes); `None` for what another version wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl std::fmt::Debug for OtpMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtpMail").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
