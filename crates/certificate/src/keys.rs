//! A portal's public keys.

use std::{collections::BTreeMap, fmt};

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;

use crate::{certificate::ALGORITHM, encoding::decode_array, strict};

/// The most keys that a key set may have: 100.
pub const MAX_KEYS: usize = 100;

/// The longest key set that is looked at, in bytes: 65,536.
pub const MAX_SET_LENGTH: usize = 64 * 1024;

/// The public keys by which a portal signs certificates.
///
/// A set has those that it signs by now, those that it signed by, and those that it will: so a set that is fetched now and then
/// misses none.
///
/// # Example
///
/// ```
/// use tenantry_certificate::{Keys, KeysError};
///
/// let keys = Keys::from_jwks(include_str!("../examples/keys.json"))?;
/// println!("{}", keys.key_ids().collect::<Vec<_>>().join(", "));
///
/// assert_eq!(Keys::from_jwks("<html>not here</html>").unwrap_err(), KeysError::Malformed);
/// # Ok::<_, KeysError>(())
/// ```
#[derive(Clone)]
pub struct Keys(BTreeMap<String, VerifyingKey>);

/// Why a key set can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is longer than [`MAX_SET_LENGTH`], or has more than [`MAX_KEYS`].
    #[error("the key set is larger than {MAX_SET_LENGTH} bytes or {MAX_KEYS} keys")]
    TooLarge,
    /// It is no JWK set, or names a member twice.
    #[error("the text is no JWK set")]
    Malformed,
    /// One of its Ed25519 keys is none: it isn't 32 bytes, isn't a point of the curve, is one that verifies anything, or has no name.
    #[error("a key of the set can't be used: {0}")]
    UnusableKey(&'static str),
    /// Two keys have the same name.
    #[error("two keys of the set are named {0:?}")]
    Repeated(String),
    /// A key comes with its private half: it is nobody's secret any more.
    #[error("the key set shows a private key")]
    PrivateKey,
    /// It has no key for certificates.
    #[error("the key set has no Ed25519 key for signatures")]
    Empty,
}

/// A key set, each key with its members as they come.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    d: Option<serde_json::Value>,
}

impl Keys {
    /// Reads a JWK set (RFC 7517): what the portal answers to `GET /.well-known/tenantry-keys.json`.
    ///
    /// Keys of other kinds, and for other uses than signatures, are passed over, as a set may serve more than one purpose.
    ///
    /// # Errors
    /// See [`KeysError`]: a set that has anything wrong in it is refused whole.
    pub fn from_jwks(json: &str) -> Result<Self, KeysError> {
        if json.len() > MAX_SET_LENGTH {
            return Err(KeysError::TooLarge);
        }
        let set: Set = strict::from_json(json.as_bytes()).map_err(|_| KeysError::Malformed)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeysError::TooLarge);
        }
        let mut keys = BTreeMap::new();
        for jwk in set.keys {
            if jwk.d.is_some() {
                return Err(KeysError::PrivateKey);
            }
            if !jwk.is_for_certificates() {
                continue;
            }
            let (name, key) = jwk.read()?;
            if keys.insert(name.clone(), key).is_some() {
                return Err(KeysError::Repeated(name));
            }
        }
        if keys.is_empty() { Err(KeysError::Empty) } else { Ok(Self(keys)) }
    }

    /// The keys' names, in alphabetical order.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn find(&self, key_id: &str) -> Option<&VerifyingKey> {
        self.0.get(key_id)
    }
}

impl Jwk {
    fn is_for_certificates(&self) -> bool {
        let is = |value: &Option<String>, wanted| value.as_deref().is_none_or(|value| value == wanted);
        self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519") && is(&self.usage, "sig") && is(&self.alg, ALGORITHM)
    }

    fn read(self) -> Result<(String, VerifyingKey), KeysError> {
        let name = self.kid.filter(|kid| !kid.is_empty()).ok_or(KeysError::UnusableKey("it has no `kid`"))?;
        let bytes = self.x.as_deref().and_then(decode_array).ok_or(KeysError::UnusableKey("`x` is not 32 bytes in base64url"))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeysError::UnusableKey("`x` is no point of the curve"))?;
        if key.is_weak() {
            return Err(KeysError::UnusableKey("`x` is a point that verifies what nobody signed"));
        }
        Ok((name, key))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.key_ids()).finish()
    }
}
