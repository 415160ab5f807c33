//! Who may come in: Tenantry's key ring, keyed digests, one-time passwords, sessions and API keys.
//!
//! It stands on [`tenantry_domain`] and its ports, and does no I/O: a service of your own brings the store, sends the mails, and reads the key
//! ring from wherever its secrets are. What a store keeps is of no use without the key ring; and of a key ring without the store there is one
//! use, to sign certificates.
//!
//! 1. [A first sign-in](#a-first-sign-in)
//! 2. [A key is replaced](#a-key-is-replaced)
//! 3. [A certificate is signed](#a-certificate-is-signed)
//! 4. [What is here](#what-is-here), where each thing has an example of its own
//!
//! # A first sign-in
//!
//! ```
//! use tenantry_auth::*;
//! use tenantry_domain::{memory::MemoryStore, ports::*, *};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures_executor::block_on(async {
//! let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
//! let cx = Context::system(SystemClock.now(), &SystemEntropy);
//! // A key ring is a text that is kept apart from the store; it is made once.
//! let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
//!
//! // The key ring makes the digests of codes too.
//! let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
//! let new = NewTenant { slug: slug.clone(), name, contact_email, plan_id: plan.id, branding: Branding::default() };
//! let acme = create_tenant(&store, &cx, &keys, new).await?.tenant;
//!
//! // Whoever asks is told the same, whether there is such a tenant or not. Its mail is in the outbox, sealed.
//! let asked = request_otp::<_, Tenant>(&store, &cx, &keys, &policy, &slug).await?;
//!
//! // Your worker claims what is due, opens it, sends it, and settles it.
//! let mut tx = store.begin().await?;
//! let message = tx.claim_messages(cx.now, time::Duration::MINUTE, 1).await?.remove(0);
//! tx.commit().await?;
//! let mail = OtpMail::from_bytes(&keys.open(message.id, &message.payload)?).ok_or("of another version")?;
//! assert_eq!(mail.to, Some(acme.contact_email.clone())); // none: a decoy, to be settled as `Delivery::Dropped`
//! let mut tx = store.begin().await?;
//! tx.settle_message(message.id, message.attempts, &Delivery::Sent, cx.now).await?;
//! tx.commit().await?;
//!
//! // The password signs in once; the token is shown once, as the store keeps a digest of it.
//! let new = verify_otp::<_, Tenant>(&store, &cx, &keys, &policy, asked.challenge_id, &mail.otp, None).await?;
//! let again = verify_otp::<_, Tenant>(&store, &cx, &keys, &policy, asked.challenge_id, &mail.otp, None).await;
//! assert!(matches!(again, Err(VerifyOtpError::InvalidOtp)));
//!
//! // Each request presents the token, and is answered who it is.
//! let token = new.token.reveal();
//! let signed_in: SignedIn<Tenant> = authenticate(&store, cx.now, &keys, &policy, token).await?;
//! assert_eq!(signed_in.account.id, acme.id);
//!
//! sign_out(&store, &cx, &signed_in.session).await?;
//! let after = authenticate::<_, Tenant>(&store, cx.now, &keys, &policy, token).await;
//! assert!(matches!(after, Err(AuthError::Unauthenticated)));
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! An operator signs in by the same functions, as an [`Operator`](tenantry_domain::Operator) named by its e-mail address;
//! [`bootstrap_operator`] makes the first by a one-time link, and [`authenticate_caller`] takes operators' sessions and API keys alike.
//!
//! # A key is replaced
//!
//! The first line of a key ring signs, and all verify: a new line above the old one ends no session and spoils no code. What is used goes over
//! to the new key. Where several servers share a store, put the new line there behind a `+` first, so that every server knows it before one
//! signs by it. A code that was digested by a key that is gone is found no more: keep the old line for as long as such codes are about.
//!
//! ```
//! use tenantry_auth::KeyRing;
//! use tenantry_domain::{CodeHasher, KeyId, PlainCode, SystemEntropy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let line = |id| -> Result<_, Box<dyn std::error::Error>> { Ok(KeyRing::generate_line(&KeyId::parse(id)?, &SystemEntropy)) };
//! let (old_line, new_line) = (line("k1")?, line("k2")?);
//! let code = PlainCode::generate(&SystemEntropy);
//! let stored = KeyRing::parse(&old_line)?.digest(&code).digest;
//!
//! let rotated = KeyRing::parse(&format!("{}{}", *new_line, *old_line))?;
//! assert_eq!(rotated.signing_key_id().as_str(), "k2");
//! assert!(rotated.candidates(&code).contains(&stored));
//! # Ok(())
//! # }
//! ```
//!
//! # A certificate is signed
//!
//! A key ring is a [`CertificateSigner`](tenantry_domain::CertificateSigner): it signs that a project is active, and whoever has the
//! [key set](KeyRing::certificate_key_set) that you publish verifies it with `tenantry-certificate`, offline. In a service
//! [`certify_activation`](tenantry_domain::certify_activation) makes the statement.
//!
//! ```
//! use tenantry_auth::{AuthPolicy, KeyRing};
//! use tenantry_certificate::{Keys, Verifier};
//! use tenantry_domain::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures_executor::block_on(async {
//! # let (store, policy) = (memory::MemoryStore::new(), AuthPolicy::default());
//! # let cx = Context::system(SystemClock.now(), &SystemEntropy);
//! # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
//! # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
//! # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
//! # let tenant = create_tenant(&store, &cx, &keys, new).await?.tenant.id;
//! # let client_name = ClientName::parse("Globex")?;
//! # let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
//! # let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?.id;
//! // A project that is active:
//! let request = ActivateProject { tenant, project, with: ActivateWith::NextAvailable, guesses: None };
//! activate_project(&store, &cx, &keys, &request).await?;
//!
//! let issuer = "https://portal.example.com";
//! let terms = CertificateTerms { issuer, life: policy.certificate_ttl };
//! let issued = certify_activation(&store, cx.now, &keys, terms, tenant, project).await?;
//!
//! // Elsewhere, by who fetched the keys:
//! let verifier = Verifier::new(Keys::from_jwks(&keys.certificate_key_set())?, issuer);
//! let certificate = verifier.verify(&issued.signed.certificate, std::time::SystemTime::now())?;
//! assert_eq!(certificate.project_id, project.to_string());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # What is here
//!
//! | for | there is |
//! |---|---|
//! | keys | [`KeyRing`], outside the store; from each key others are derived, one for each use |
//! | sign-in | [`request_otp`], [`verify_otp`], and the [`OtpMail`] between them |
//! | sessions | [`authenticate`], [`refresh_session`], [`sign_out`], [`sign_out_everywhere`], [`revoke_session`] |
//! | programs | [`create_api_key`], [`revoke_api_key`], and [`Caller`]: who does an operator's work, by a session or by a key |
//! | the first operator | [`create_bootstrap_link`], [`bootstrap_operator`] |
//! | webhooks | [`create_webhook`], [`rotate_webhook_secret`], [`open_webhook_secrets`]: a [`WebhookSecret`] signs what is sent, and is sealed at rest |
//! | secrets at rest | [`KeyRing::seal`] and [`KeyRing::open`]: XChaCha20-Poly1305, bound to the row that has it |
//! | an older portal's codes | [`LegacyScheme`] |
//! | figures | [`AuthPolicy`]: how long, how often, how many, each with its bounds |
//!
//! Signing in is written once for all [`Account`]s, tenants and operators. Nothing here tells an account that exists from one that doesn't: an
//! unknown one gets a decoy challenge, and the same work is done. Limits are counted in the store, so they hold over all servers.
//!
//! The crate has no features.
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

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
