//! Verifies [Tenantry](https://github.com/tenantry/tenantry)'s certificates of activation: offline, without I/O, and without a runtime.
//!
//! A tenant activates a project with an activation code, and fetches a certificate that says so: by whom it was issued, for which project, by
//! which code, since when, and until when it may be relied on. Whoever has the portal's public keys can tell, without asking the portal,
//! whether a certificate is true.
//!
//! # A certificate is verified
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use tenantry_certificate::{Keys, Refusal, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What GET /.well-known/tenantry-keys.json of the portal answered, once.
//! let keys = Keys::from_jwks(include_str!("../examples/keys.json"))?;
//! let verifier = Verifier::new(keys, "https://portal.example.com");
//!
//! // What a client presents, and the time: SystemTime::now(), anywhere but in an example.
//! let text = include_str!("../examples/certificate.txt").trim();
//! let now = UNIX_EPOCH + Duration::from_secs(1_795_600_000);
//!
//! let certificate = verifier.verify(text, now)?;
//! assert_eq!(certificate.project_id, "prj_01a2090263f87a11b60c3c890f0529aa");
//!
//! // A day later it is worth nothing; its holder has to fetch another.
//! let later = now + Duration::from_secs(86_400 + 120);
//! assert!(matches!(verifier.verify(text, later), Err(Refusal::Expired { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! # What to do with the result
//!
//! - **Compare the project, or the tenant, with the one that you are asked for.** A certificate is true whoever presents it: it says that a
//!   project is active, and not that the one who shows it is its owner.
//! - **[`Refusal::Expired`]**: fetch another. Certificates are short-lived on purpose: a portal that no longer vouches for a project issues no
//!   more, and nobody has to be told.
//! - **[`Refusal::UnknownKey`]**: fetch the keys again, once; the portal may have changed them. Keys are published before they sign, so keys
//!   that are fetched once an hour never miss one.
//! - **Everything else**: it is no certificate of this portal.
//!
//! # The format
//!
//! A JSON Web Signature in compact form (RFC 7515): `header.claims.signature`, each in base64url, signed by Ed25519 (`alg` `EdDSA`, RFC 8037). The
//! header has `alg`, `kid` and `typ`, and nothing else. `typ` is [`TYPE`], which keeps anything else that such a key might sign from being taken
//! for a certificate (RFC 8725). Any library for JWT can verify it; this crate also holds it to its format: one algorithm, one type, no member
//! twice, base64 in its one canonical form, no more than [`MAX_LENGTH`] bytes. No text makes it panic.
#![deny(missing_docs)]

mod certificate;
mod encoding;
pub mod issue;
mod keys;
mod strict;
mod verify;

pub use {
    certificate::{Certificate, MAX_LENGTH, TYPE},
    keys::{Keys, KeysError, MAX_KEYS, MAX_SET_LENGTH},
    verify::{Refusal, Verifier},
};

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
