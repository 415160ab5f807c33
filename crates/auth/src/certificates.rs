//! Certificates of activation: signed by a key that is derived from the ring's, so that they rotate together.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tenantry_certificate::issue::{Statement, sign};
use tenantry_domain::{ActivationStatement, CertificateSigner, SignedStatement};

use crate::KeyRing;

/// The public half of an Ed25519 key that certificates are signed by.
///
/// It says nothing of the key that it was derived from, nor what the key ring calls that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateKey {
    /// Its name: its own thumbprint (RFC 7638, RFC 8037), so that no two keys share one.
    pub key_id: String,
    /// Its 32 bytes in base64url without padding: `x` of a JWK.
    pub x: String,
}

impl CertificateKey {
    pub(crate) fn of(seed: &[u8; 32]) -> Self {
        Self::from_public_key(SigningKey::from_bytes(seed).verifying_key().as_bytes())
    }

    fn from_public_key(public_key: &[u8; 32]) -> Self {
        let x = BASE64URL_NOPAD.encode(public_key);
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self { key_id: BASE64URL_NOPAD.encode(thumbprint.as_slice()), x }
    }
}

impl KeyRing {
    /// The public keys as a set that verifiers read: a JSON Web Key Set (RFC 7517) of [`certificate_keys`](Self::certificate_keys). Publish it
    /// where whoever verifies can fetch it over TLS; it says nothing that is secret.
    #[must_use]
    pub fn certificate_key_set(&self) -> String {
        let key = |key: &CertificateKey| json!({ "alg": "EdDSA", "crv": "Ed25519", "kid": key.key_id, "kty": "OKP", "use": "sig", "x": key.x });
        json!({ "keys": self.certificate_keys().map(key).collect::<Vec<_>>() }).to_string()
    }
}

impl CertificateSigner for KeyRing {
    fn sign_statement(&self, statement: &ActivationStatement) -> SignedStatement {
        let (seed, CertificateKey { key_id, .. }) = self.certificate_signing_key();
        let [project_id, tenant_id] = [statement.project_id.to_string(), statement.tenant_id.to_string()];
        let activation_code_id = statement.activation_code_id.to_string();
        let statement = Statement {
            issuer: &statement.issuer,
            project_id: &project_id,
            tenant_id: &tenant_id,
            tenant_slug: statement.tenant_slug.as_str(),
            activation_code_id: &activation_code_id,
            activated_at: statement.activated_at.unix_seconds(),
            issued_at: statement.issued_at.unix_seconds(),
            expires_at: statement.expires_at.unix_seconds(),
        };
        // It wipes itself when it is dropped.
        let key = SigningKey::from_bytes(seed);
        let certificate = sign(key_id, &statement, |input| key.sign(input).to_bytes());
        SignedStatement { certificate, key_id: key_id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use tenantry_certificate::{Certificate, Keys, Refusal, Verifier};
    use tenantry_domain::{Id, KeyId, SeededEntropy, Slug, Timestamp};

    use super::*;

    const ISSUER: &str = "https://portal.example";

    fn line(id: &str, seed: u64) -> String {
        KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SeededEntropy::new(seed)).to_string()
    }

    fn statement() -> ActivationStatement {
        let (entropy, at) = (SeededEntropy::new(3), |seconds: i64| Timestamp::from_unix_micros(seconds * 1_000_000).unwrap());
        ActivationStatement {
            issuer: ISSUER.to_owned(),
            project_id: Id::generate(at(0), &entropy),
            tenant_id: Id::generate(at(0), &entropy),
            tenant_slug: Slug::parse("acme").unwrap(),
            activation_code_id: Id::generate(at(0), &entropy),
            activated_at: at(1000) + time::Duration::MICROSECOND,
            issued_at: at(2000),
            expires_at: at(5600),
        }
    }

    /// As somebody who has what the ring publishes.
    fn verify(ring: &KeyRing, certificate: &str) -> Result<Certificate, Refusal> {
        let keys = Keys::from_jwks(&ring.certificate_key_set()).unwrap();
        Verifier::new(keys, ISSUER).verify(certificate, UNIX_EPOCH + Duration::from_secs(3000))
    }

    #[test]
    fn what_is_signed_is_what_is_read() {
        let (ring, statement) = (KeyRing::parse(&line("k1", 1)).unwrap(), statement());
        let signed = ring.sign_statement(&statement);
        let read = verify(&ring, &signed.certificate).unwrap();
        assert_eq!(read.project_id, statement.project_id.to_string());
        assert_eq!(read.tenant_id, statement.tenant_id.to_string());
        assert_eq!(read.activation_code_id, statement.activation_code_id.to_string());
        assert_eq!((read.tenant_slug.as_str(), read.issuer.as_str(), &read.key_id), ("acme", ISSUER, &signed.key_id));
        let seconds =
            [read.activated_at, read.issued_at, read.expires_at].map(|at| at.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(seconds, [1000, 2000, 5600]);
    }

    /// Whoever fetched the keys at any step of a rotation verifies what was signed at that step, at the one before and at the one after.
    #[test]
    fn a_key_is_published_before_it_signs_and_for_as_long_as_its_line_is_there() {
        let ring = |text: String| KeyRing::parse(&text).unwrap();
        let steps = [
            ring(line("k1", 1)),
            ring(format!("+{}{}", line("k2", 2), line("k1", 1))),
            ring(format!("{}{}", line("k2", 2), line("k1", 1))),
            ring(line("k2", 2)),
        ];
        let signed = steps.each_ref().map(|ring| ring.sign_statement(&statement()));
        let verifies = |published: usize, signed_at: usize| match verify(&steps[published], &signed[signed_at].certificate) {
            Ok(_) => true,
            Err(Refusal::UnknownKey { key_id }) => {
                assert_eq!(key_id, signed[signed_at].key_id);
                false
            }
            Err(other) => panic!("{other:?}"),
        };
        for (published, expected) in
            [[true, true, false, false], [true, true, true, true], [true, true, true, true], [false, false, true, true]]
                .iter()
                .enumerate()
        {
            assert_eq!([0, 1, 2, 3].map(|signed_at| verifies(published, signed_at)), *expected, "{published}");
        }
        assert_eq!(signed[0], signed[1], "one that waits signs nothing");
        let first = steps[1].certificate_keys().next().unwrap();
        assert_eq!(first.key_id, signed[1].key_id, "the one that signs comes first");
    }

    /// The first key of RFC 8037, and the thumbprint that it gives.
    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        let public_key = BASE64URL_NOPAD.decode(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = CertificateKey::from_public_key(&public_key.try_into().unwrap());
        assert_eq!(key.key_id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_is_published_tells_nothing_of_the_ring() {
        let text = line("ring-key-name", 1);
        let ring = KeyRing::parse(&text).unwrap();
        let key = ring.certificate_keys().next().unwrap();
        let shown = format!("{key:?} {} {ring:?}", ring.sign_statement(&statement()).certificate);
        assert!(!shown.contains(text.trim().split_once(':').unwrap().1));
        assert!(!format!("{key:?}").contains("ring-key-name"));
        let same_key_by_another_name = KeyRing::parse(&text.replace("ring-key-name", "k2")).unwrap();
        assert_eq!(same_key_by_another_name.certificate_keys().next().unwrap(), key);
        let (seed, _) = ring.certificate_signing_key();
        assert_ne!(BASE64URL_NOPAD.encode(seed), text.trim().split_once(':').unwrap().1, "it is derived, not the key itself");
    }
}
