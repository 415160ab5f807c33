//! The other side: how a certificate is made. For `tenantry-auth`, and for tests of your own that need certificates.
//!
//! ```
//! use ed25519_dalek::{Signer as _, SigningKey};
//! use std::time::{Duration, UNIX_EPOCH};
//! use tenantry_certificate::{Keys, Verifier, issue::{Statement, key_set, sign}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::from_bytes(&[7; 32]); // in a test
//! let certificate = sign("test-key", &Statement {
//!     issuer: "https://portal.example.com",
//!     project_id: "prj_1",
//!     tenant_id: "ten_1",
//!     tenant_slug: "acme",
//!     activation_code_id: "code_1",
//!     activated_at: 1_700_000_000,
//!     issued_at: 1_700_000_100,
//!     expires_at: 1_700_003_700,
//! }, |input| key.sign(input).to_bytes());
//!
//! let keys = Keys::from_jwks(&key_set([("test-key", key.verifying_key().as_bytes())]))?;
//! let now = UNIX_EPOCH + Duration::from_secs(1_700_000_200);
//! assert_eq!(Verifier::new(keys, "https://portal.example.com").verify(&certificate, now)?.tenant_slug, "acme");
//! # Ok(())
//! # }
//! ```

use serde_json::json;

use crate::{
    certificate::{ALGORITHM, TYPE},
    encoding::encode,
};

/// A statement to be made into a certificate. Moments are whole seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Who issues it.
    pub issuer: &'a str,
    /// The project.
    pub project_id: &'a str,
    /// Whose it is.
    pub tenant_id: &'a str,
    /// The tenant's short name.
    pub tenant_slug: &'a str,
    /// The code that activated the project.
    pub activation_code_id: &'a str,
    /// When that was; no later than `issued_at`.
    pub activated_at: u64,
    /// From when on the certificate holds, inclusive.
    pub issued_at: u64,
    /// Until when it holds, exclusive.
    pub expires_at: u64,
}

/// Makes a certificate of a statement and its signature.
///
/// `signature` is given the bytes to sign, and answers their Ed25519 signature by the key named `key_id`. Nothing of the
/// statement is checked: what is wrong in it is found by whoever verifies.
#[must_use]
pub fn sign(key_id: &str, statement: &Statement<'_>, signature: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
    // Members in alphabetical order, which is what they come in whatever features of serde_json are on.
    let header = json!({ "alg": ALGORITHM, "kid": key_id, "typ": TYPE });
    let claims = json!({
        "activated_at": statement.activated_at,
        "activation_code_id": statement.activation_code_id,
        "exp": statement.expires_at,
        "iat": statement.issued_at,
        "iss": statement.issuer,
        "nbf": statement.issued_at,
        "sub": statement.project_id,
        "tenant_id": statement.tenant_id,
        "tenant_slug": statement.tenant_slug,
    });
    let mut text = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = signature(text.as_bytes());
    text.push('.');
    text.push_str(&encode(&signature));
    text
}

/// Makes a JWK set of public keys and their names, as [`Keys::from_jwks`](crate::Keys::from_jwks) reads it.
#[must_use]
pub fn key_set<'a>(keys: impl IntoIterator<Item = (&'a str, &'a [u8; 32])>) -> String {
    let keys: Vec<_> = keys
        .into_iter()
        .map(|(key_id, public_key)| {
            json!({ "alg": ALGORITHM, "crv": "Ed25519", "kid": key_id, "kty": "OKP", "use": "sig", "x": encode(public_key) })
        })
        .collect();
    json!({ "keys": keys }).to_string()
}
