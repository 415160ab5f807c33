//! Certificates: what a portal vouches for, in a form that can be verified without asking it.

use time::Duration;

use crate::{CodeId, ProjectId, Slug, TenantId, Timestamp};

/// What a certificate of activation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationStatement {
    /// Who says it: the portal's public address.
    pub issuer: String,
    /// Which project is active.
    pub project_id: ProjectId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The short name of its tenant.
    pub tenant_slug: Slug,
    /// The code that activated it.
    pub activation_code_id: CodeId,
    /// When it was activated.
    pub activated_at: Timestamp,
    /// When this is said; a whole second.
    pub issued_at: Timestamp,
    /// Until when it may be relied on, exclusive; a whole second.
    pub expires_at: Timestamp,
}

/// A signed statement: a certificate of activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// The certificate, as it is handed out.
    pub certificate: String,
    /// The public name of the key that signed it.
    pub key_id: String,
}

/// Signs certificates of activation. `tenantry-auth`'s key ring is one; you may bring another.
pub trait CertificateSigner: Send + Sync {
    /// Signs, by the present signing key.
    fn sign_statement(&self, statement: &ActivationStatement) -> SignedStatement;
}

/// The terms on which certificates are issued: by whom, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateTerms<'a> {
    /// Who issues them: the portal's public address.
    pub issuer: &'a str,
    /// How long each may be relied on; a second or more.
    pub life: Duration,
}
