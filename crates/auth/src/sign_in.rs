//! Sign-in by a one-time password from the tenant's mailbox.

use tenantry_domain::{
    Action, Actor, AuditEvent, BucketKey, ChallengeId, Context, Id, OtpChallenge, OtpPurpose, OtpStrength, OutboxMessage, Rate,
    RateDecision, Session, Slug, StoreError, Target, Tenant, ports::*,
};
use time::Duration;
use tracing::info;

use crate::{AuthPolicy, KeyRing, OtpMail, PlainOtp, SessionToken};

const PURPOSE: OtpPurpose = OtpPurpose::TenantSignIn;

/// What whoever asked for a one-time password is told, whether the account exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpRequested {
    /// What the password is to be presented with.
    pub challenge_id: ChallengeId,
    /// How long it is valid.
    pub expires_in: Duration,
}

/// Why no password was sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestOtpError {
    /// This account, this address, or all together asked too often.
    #[error("too many one-time passwords were asked for")]
    Limited {
        /// After how long it can be tried again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a challenge and puts the mail with its password into the outbox.
///
/// An unknown account and a suspended one get a decoy: the same rows, the same answer, and a mail that is never sent.
///
/// # Errors
/// See [`RequestOtpError`].
pub async fn request_otp<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    slug: &Slug,
) -> Result<OtpRequested, RequestOtpError> {
    let mut tx = store.begin().await?;
    let mut limits: Vec<(BucketKey, Rate)> = Vec::with_capacity(3);
    limits.extend(cx.client_ip.map(|address| (keys.address_bucket(address), policy.otp_per_address)));
    limits.push((keys.account_bucket(PURPOSE, slug), policy.otp_per_account));
    limits.push((keys.global_bucket(), policy.otp_global));
    for (bucket, rate) in limits {
        if let RateDecision::Limited { retry_after } = tx.take_token(bucket, rate, cx.now).await? {
            // What the buckets before this one gave stays taken.
            tx.commit().await?;
            return Err(RequestOtpError::Limited { retry_after });
        }
    }

    let tenant = tx.tenant_by_slug(slug).await?.filter(|tenant| tenant.suspended_at.is_none());
    // A decoy asks for failures too, of a tenant that nobody is, so that both ways take the same statements.
    let counted = tenant.as_ref().map_or_else(|| Id::generate(cx.now, cx.entropy), |tenant| tenant.id);
    let failures = tx.otp_failures(counted, cx.now - policy.otp_budget.window).await?;
    let spent = failures >= policy.otp_budget.failures;
    let strength = if spent { OtpStrength::Wide } else { OtpStrength::SixDigits };

    let otp = PlainOtp::generate(strength, cx.entropy);
    let challenge = new_challenge(cx, keys, policy, tenant.as_ref(), strength, &otp);
    tx.insert_challenge(&challenge).await?;
    tx.enqueue_message(&new_mail(cx, keys, tenant.as_ref(), &challenge, &otp)).await?;
    let tenant_id = challenge.tenant_id;
    let event = AuditEvent::new(cx, Action::OtpRequested, tenant_id, None);
    tx.append_audit(&event.with("challenge_id", challenge.id).with("strength", strength.as_str())).await?;
    tx.commit().await?;
    Ok(OtpRequested { challenge_id: challenge.id, expires_in: policy.otp_ttl })
}

fn new_challenge(
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    tenant: Option<&Tenant>,
    strength: OtpStrength,
    otp: &PlainOtp,
) -> OtpChallenge {
    let id = Id::generate(cx.now, cx.entropy);
    let tenant_id = tenant.map(|tenant| tenant.id);
    let (code_mac, key_id) = keys.otp_mac(PURPOSE, tenant_id, id, otp);
    OtpChallenge {
        id,
        tenant_id,
        code_mac,
        key_id,
        purpose: PURPOSE,
        strength,
        attempts: 0,
        expires_at: cx.now + policy.otp_ttl,
        consumed_at: None,
        created_at: cx.now,
    }
}

fn new_mail(
    cx: &Context<'_>,
    keys: &KeyRing,
    tenant: Option<&Tenant>,
    challenge: &OtpChallenge,
    otp: &PlainOtp,
) -> OutboxMessage {
    let mail = OtpMail {
        to: tenant.map(|tenant| tenant.contact_email.clone()),
        tenant_name: tenant.map(|tenant| tenant.name.to_string()).unwrap_or_default(),
        otp: otp.reveal().to_string(),
        expires_at: challenge.expires_at,
    };
    let id = Id::generate(cx.now, cx.entropy);
    OutboxMessage {
        id,
        topic: OtpMail::TOPIC.to_owned(),
        payload: keys.seal(id, &mail.to_bytes(), cx.entropy),
        available_at: cx.now,
        not_after: Some(challenge.expires_at),
        attempts: 0,
        created_at: cx.now,
    }
}

/// A session that was just made, with its token: the only moment that this is known.
#[derive(Debug)]
pub struct NewSession {
    /// The token, to be shown once.
    pub token: SessionToken,
    /// The session.
    pub session: Session,
    /// Who is signed in.
    pub tenant: Tenant,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum VerifyOtpError {
    /// Wrong, expired, used up or unknown: which of these is nobody's business.
    #[error("the one-time password is wrong, expired or used")]
    InvalidOtp,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs a tenant in by the password of a challenge, once.
///
/// The try is claimed, and the claim committed, before the password is compared: of any number of parallel guesses, as many are compared
/// as the budget has. The challenge is consumed in the transaction that makes the session.
///
/// # Errors
/// See [`VerifyOtpError`].
pub async fn verify_otp<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    challenge: ChallengeId,
    presented: &str,
    user_agent: Option<&str>,
) -> Result<NewSession, VerifyOtpError> {
    let mut tx = store.begin().await?;
    let claimed = tx.claim_otp_attempt(challenge, PURPOSE, policy.otp_budget, cx.now).await?;
    tx.commit().await?;

    if let Some(claimed) = claimed.as_ref().filter(|claimed| is_right(keys, claimed, presented))
        && let Some(session) = sign_in(store, cx, keys, policy, claimed, user_agent).await?
    {
        return Ok(session);
    }
    audit_failure(store, cx, policy, challenge, claimed).await?;
    Err(VerifyOtpError::InvalidOtp)
}

fn is_right(keys: &KeyRing, challenge: &OtpChallenge, presented: &str) -> bool {
    let Ok(otp) = PlainOtp::parse(presented) else { return false };
    let mac = keys.otp_mac_by(&challenge.key_id, challenge.purpose, challenge.tenant_id, challenge.id, &otp);
    mac == Some(challenge.code_mac)
}

/// Consumes the challenge and makes the session; `None` for a decoy, a suspended tenant, or a lost race.
async fn sign_in<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    challenge: &OtpChallenge,
    user_agent: Option<&str>,
) -> Result<Option<NewSession>, StoreError> {
    let Some(tenant_id) = challenge.tenant_id else { return Ok(None) };
    let mut tx = store.begin().await?;
    // Locked, so that whoever suspends the tenant or ends all its sessions sees this one, or comes first.
    tx.lock_tenant(tenant_id).await?;
    let Some(tenant) = tx.tenant(tenant_id).await?.filter(|tenant| tenant.suspended_at.is_none()) else { return Ok(None) };
    if !tx.consume_challenge(challenge.id, cx.now).await? {
        return Ok(None);
    }
    let token = SessionToken::generate(cx.entropy);
    let session = Session {
        id: Id::generate(cx.now, cx.entropy),
        tenant_id,
        token_digest: keys.token_digest(&token),
        last_activity: cx.now,
        expires_at: policy.session_end(cx.now, cx.now),
        client_ip: cx.client_ip,
        user_agent: user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect()),
        revoked_at: None,
        created_at: cx.now,
    };
    tx.insert_session(&session).await?;
    let cx = Context { actor: Actor::Tenant { tenant: tenant_id, session: session.id }, ..cx.clone() };
    tx.append_audit(&AuditEvent::new(&cx, Action::SignInSucceeded, Some(tenant_id), Some(Target::Session(session.id)))).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant_id, session.id = %session.id, "signed in");
    Ok(Some(NewSession { token, session, tenant }))
}

async fn audit_failure<S: Store>(
    store: &S,
    cx: &Context<'_>,
    policy: &AuthPolicy,
    challenge: ChallengeId,
    claimed: Option<OtpChallenge>,
) -> Result<(), StoreError> {
    let tenant = claimed.as_ref().and_then(|claimed| claimed.tenant_id);
    let counts = claimed.is_some_and(|claimed| claimed.strength == OtpStrength::SixDigits);
    let mut tx = store.begin().await?;
    tx.append_audit(&AuditEvent::new(cx, Action::SignInFailed, tenant, None).with("challenge_id", challenge)).await?;
    if let Some(tenant) = tenant.filter(|_| counts)
        && tx.otp_failures(tenant, cx.now - policy.otp_budget.window).await? == policy.otp_budget.failures
    {
        tx.append_audit(&AuditEvent::new(cx, Action::SignInBudgetSpent, Some(tenant), Some(Target::Tenant(tenant)))).await?;
    }
    tx.commit().await
}
