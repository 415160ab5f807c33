//! Who may come in: Tenantry's key ring, keyed digests, one-time passwords, sessions and API keys.
//!
//! - [`KeyRing`] holds the keys, outside the database. The first signs, all verify, so keys rotate without ending a session or
//!   spoiling a code.
//! - [`PlainToken`] is a session token or an API key in plain text: random, with a check sum, shown once and stored as a digest.
//! - [`request_otp`] and [`verify_otp`] are the sign-in; [`authenticate`], [`refresh_session`], [`sign_out`] what follows it. They are
//!   written once for all [`Account`]s, tenants and operators.
//! - [`WebhookSecret`] signs what is sent to a webhook; it is sealed at rest, and can be replaced without missing a message.
//! - [`KeyRing`] signs certificates of activation too, by Ed25519 keys derived from its own; [`CertificateKey`] is what is published of them.
//! - [`Caller`] is who does an operator's work, by a session or an API key; [`bootstrap_operator`] makes the first, by a one-time link.
//! - [`AuthPolicy`] has the figures: how long, how often, how many.
//!
//! Nothing here tells an account that exists from one that doesn't: an unknown one gets a decoy challenge, and the same work is done.
#![deny(missing_docs)]

mod account;
mod api_keys;
mod bootstrap;
mod caller;
mod certificates;
mod configured_key;
mod keyring;
mod legacy;
mod mail;
mod operator_account;
mod otp;
mod policy;
mod seal;
mod sessions;
mod sign_in;
mod tenant_account;
mod token;
mod webhook_secret;
mod webhooks;

pub use {
    account::{Account, AccountSession, SessionStart},
    api_keys::{ApiKeyError, CreatedApiKey, NewApiKey, create_api_key, revoke_api_key},
    bootstrap::{
        BootstrapError, BootstrapLinkError, NewBootstrapLink, NewOwner, bootstrap_operator, create_bootstrap_link,
        find_bootstrap_link,
    },
    caller::{Caller, authenticate_caller},
    certificates::CertificateKey,
    configured_key::OperatorKey,
    keyring::{KeyRing, KeyRingError},
    legacy::{LegacyDigest, LegacyPepper, LegacyScheme},
    mail::OtpMail,
    otp::PlainOtp,
    policy::{AuthPolicy, PolicyError},
    seal::SealError,
    sessions::{
        AuthError, SignedIn, authenticate, authenticate_with_projects, refresh_session, revoke_session, sign_out,
        sign_out_everywhere,
    },
    sign_in::{NewSession, OtpRequested, RequestOtpError, VerifyOtpError, request_otp, verify_otp},
    token::{ApiKeyToken, BootstrapToken, OperatorSessionToken, PlainToken, SessionToken, TokenKind},
    webhook_secret::WebhookSecret,
    webhooks::{NewWebhook, SecretWebhook, create_webhook, open_webhook_secrets, rotate_webhook_secret},
};
