//! What a certificate says, and how its claims are written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// The `typ` of a certificate's header: `tenantry-activation+jwt`.
pub const TYPE: &str = "tenantry-activation+jwt";

/// The longest text that is looked at, in bytes: 4,096. Certificates have about 700.
pub const MAX_LENGTH: usize = 4096;

/// The one algorithm: Ed25519, as RFC 8037 names it.
pub(crate) const ALGORITHM: &str = "EdDSA";

/// 9999-12-31T23:59:59Z: what can be written as a date.
const LAST_SECOND: u64 = 253_402_300_799;

/// A certificate that was verified: what its portal said of a project at [`issued_at`](Self::issued_at). Moments are whole
/// seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The key that signed it, as the portal's key set names it.
    pub key_id: String,
    /// Who issued it: the portal's public address, `https://portal.example.com` (`iss`).
    pub issuer: String,
    /// The project, `prj_..` (`sub`).
    pub project_id: String,
    /// Whose project it is, `ten_..`.
    pub tenant_id: String,
    /// The short name that this tenant signs in with.
    pub tenant_slug: String,
    /// The code that activated it, `code_..`: its identifier, never its text.
    pub activation_code_id: String,
    /// When the project was activated.
    pub activated_at: SystemTime,
    /// When the certificate was issued, and from when on it holds, inclusive (`iat` and `nbf`).
    pub issued_at: SystemTime,
    /// Until when it holds, exclusive (`exp`).
    pub expires_at: SystemTime,
}

/// The claims as they are read. More of them may come in a later version, and are passed over.
#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    tenant_id: String,
    tenant_slug: String,
    activation_code_id: String,
    activated_at: u64,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl Claims {
    /// `None` where their times can't be a certificate's.
    pub(crate) fn certificate(self, key_id: String) -> Option<Certificate> {
        let moment = |seconds| (seconds <= LAST_SECOND).then(|| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))?;
        let in_order = self.activated_at <= self.iat && self.iat == self.nbf && self.nbf < self.exp;
        in_order.then_some(())?;
        Some(Certificate {
            key_id,
            activated_at: moment(self.activated_at)?,
            issued_at: moment(self.iat)?,
            expires_at: moment(self.exp)?,
            issuer: self.iss,
            project_id: self.sub,
            tenant_id: self.tenant_id,
            tenant_slug: self.tenant_slug,
            activation_code_id: self.activation_code_id,
        })
    }
}
