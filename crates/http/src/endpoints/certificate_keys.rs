//! The keys by which anybody verifies certificates.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde::Serialize;
use tenantry_auth::CertificateKey;
use tenantry_domain::ports::Store;
use utoipa::ToSchema;

use super::State;
use crate::operation::{Operation, get};

/// How long an answer may be kept, in seconds. A key waits for longer than that, in any sensible rotation, before it signs.
const KEPT: &str = "public, max-age=300";

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/.well-known/tenantry-keys.json", web::to(read::<S>))
            .public()
            .says(
                "Read the certificate keys",
                "A JWK set (RFC 7517): the public keys by which certificates are verified, the one that signs now first. A key is here before it \
                signs, and for as long as the operator keeps it. May be kept for five minutes. Asks no database.",
            )
            .answers::<KeySetJson<'_>>(StatusCode::OK)
            .with_header("Cache-Control", "That it may be kept, by anybody, and for how long."),
    ]
}

/// A JWK set.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateKeys)]
struct KeySetJson<'a> {
    keys: Vec<KeyJson<'a>>,
}

/// A public key: a JWK by RFC 8037.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateKey)]
struct KeyJson<'a> {
    /// The key's name, which certificates have as `kid`: its thumbprint (RFC 7638).
    kid: &'a str,
    /// `OKP`.
    #[schema(example = "OKP")]
    kty: &'static str,
    /// `Ed25519`.
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// `EdDSA`.
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// `sig`: for signatures.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    /// The key's 32 bytes, in base64url.
    x: &'a str,
}

impl<'a> From<&'a CertificateKey> for KeyJson<'a> {
    fn from(key: &'a CertificateKey) -> Self {
        Self { kid: &key.key_id, kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", x: &key.x }
    }
}

async fn read<S: Store>(state: State<S>) -> HttpResponse {
    let keys = state.keys.certificate_keys().map(KeyJson::from).collect();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, KEPT)).json(KeySetJson { keys })
}
