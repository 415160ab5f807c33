//! Whether a certificate is true.

use std::time::{Duration, SystemTime};

use ed25519_dalek::Signature;
use serde::Deserialize;

use crate::{
    Certificate, Keys, MAX_LENGTH, TYPE,
    certificate::{ALGORITHM, Claims},
    encoding::{decode, decode_array},
    strict,
};

/// Verifies certificates of one portal. Make one, and use it for as long as its keys are good.
///
/// # Example
/// Every answer, and what to do about it:
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tenantry_certificate::{Keys, Refusal, Verifier};
///
/// # let ours = "prj_01a2090263f87a11b60c3c890f0529aa";
/// # let (text, now) = (include_str!("../examples/certificate.txt").trim(), UNIX_EPOCH + Duration::from_secs(1_795_600_000));
/// let keys = Keys::from_jwks(include_str!("../examples/keys.json"))?;
/// let verifier = Verifier::new(keys, "https://portal.example.com").leeway(Duration::from_secs(5));
/// let advice = match verifier.verify(text, now) {
///     Ok(certificate) if certificate.project_id == ours => "go on",
///     Ok(_) => "a certificate, but another project's",
///     Err(Refusal::Expired { .. }) => "fetch another one from the portal",
///     Err(Refusal::UnknownKey { .. }) => "fetch the portal's keys again, once",
///     Err(_) => "no certificate of this portal",
/// };
/// assert_eq!(advice, "go on");
///
/// // One bit more or less, and it is none.
/// let altered = text.replace("eyJ", "eyK");
/// assert!(verifier.verify(&altered, now).is_err());
/// # Ok::<_, tenantry_certificate::KeysError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keys,
    issuer: String,
    leeway: Duration,
}

/// Why a certificate is refused. What is looked at first is named first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no certificate at all: too long, not three parts in base64url, not the JSON that they should hold, or, although the signature is
    /// right, not the claims of a certificate.
    #[error("this is no certificate: {0}")]
    Malformed(&'static str),
    /// It is a signed text of another type, or of none.
    #[error("the type is not {TYPE}")]
    WrongType,
    /// It asks to be verified by another algorithm than Ed25519, or by none.
    #[error("the algorithm is not {ALGORITHM}")]
    WrongAlgorithm,
    /// It names a key that the portal doesn't have, as far as the [`Keys`] at hand say. Fetch them again, once, before you give it up.
    #[error("the key {key_id:?} is unknown")]
    UnknownKey {
        /// The key that it names.
        key_id: String,
    },
    /// The key that it names hasn't signed this: it was altered, or forged.
    #[error("the signature is wrong")]
    BadSignature,
    /// The same key signed it for another portal.
    #[error("it was issued by {issuer:?}")]
    WrongIssuer {
        /// Whom it names.
        issuer: String,
    },
    /// It was issued in the future. One of the two clocks is wrong.
    #[error("it does not hold yet")]
    NotYet {
        /// From when on it holds, inclusive; [`leeway`](Verifier::leeway) before that it is accepted.
        from: SystemTime,
    },
    /// It is over. Its holder can fetch another while the portal vouches for the project.
    #[error("it has expired")]
    Expired {
        /// When it expired; it is accepted for [`leeway`](Verifier::leeway) after that.
        at: SystemTime,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Option<String>,
    typ: Option<String>,
    kid: Option<String>,
}

impl Verifier {
    /// How far clocks may be apart unless it is told otherwise.
    pub const LEEWAY: Duration = Duration::from_secs(60);

    /// For the portal whose keys these are, and whose public address is `issuer`: exactly as certificates name it, `https://portal.example.com`.
    pub fn new(keys: Keys, issuer: impl Into<String>) -> Self {
        Self { keys, issuer: issuer.into(), leeway: Self::LEEWAY }
    }

    /// How far this machine's clock and the portal's may be apart; [`LEEWAY`](Self::LEEWAY) unless told otherwise. A certificate is accepted
    /// for so long before it holds, and after it has expired.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Verifies a certificate at a moment: usually [`SystemTime::now`], or a moment from a source that is trusted more.
    ///
    /// # Errors
    /// See [`Refusal`]. Nothing of a certificate is to be believed that is refused.
    pub fn verify(&self, text: &str, now: SystemTime) -> Result<Certificate, Refusal> {
        if text.len() > MAX_LENGTH {
            return Err(Refusal::Malformed("it is longer than any certificate"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed("it has no three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed("it has no three parts"))?;
        let key_id = key_id(header)?;
        let signature = decode_array(signature).ok_or(Refusal::Malformed("its signature is not 64 bytes in base64url"))?;
        let claims = decode(claims).ok_or(Refusal::Malformed("its claims are not base64url"))?;

        let Some(key) = self.keys.find(&key_id) else { return Err(Refusal::UnknownKey { key_id }) };
        let signature = Signature::from_bytes(&signature);
        key.verify_strict(signed.as_bytes(), &signature).map_err(|_| Refusal::BadSignature)?;

        let claims: Claims = strict::from_json(&claims).map_err(|_| Refusal::Malformed("its claims are not a certificate's"))?;
        let times = Refusal::Malformed("its times contradict each other");
        let certificate = claims.certificate(key_id).ok_or(times)?;
        if certificate.issuer != self.issuer {
            return Err(Refusal::WrongIssuer { issuer: certificate.issuer });
        }
        self.holds(&certificate, now)?;
        Ok(certificate)
    }

    fn holds(&self, certificate: &Certificate, now: SystemTime) -> Result<(), Refusal> {
        // Where one lies before the other there is no duration, and it isn't waited for.
        let ahead = certificate.issued_at.duration_since(now).unwrap_or_default();
        if ahead > self.leeway {
            return Err(Refusal::NotYet { from: certificate.issued_at });
        }
        match now.duration_since(certificate.expires_at) {
            Ok(past) if past >= self.leeway => Err(Refusal::Expired { at: certificate.expires_at }),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// The key that a header names, once it is a certificate's.
fn key_id(header: &str) -> Result<String, Refusal> {
    let malformed = Refusal::Malformed("its header is not a certificate's");
    let header: Option<Header> = decode(header).and_then(|json| strict::from_json(&json).ok());
    let header = header.ok_or(malformed.clone())?;
    if header.typ.as_deref() != Some(TYPE) {
        return Err(Refusal::WrongType);
    }
    if header.alg.as_deref() != Some(ALGORITHM) {
        return Err(Refusal::WrongAlgorithm);
    }
    header.kid.ok_or(malformed)
}
