//! Sign-in by a one-time password from the account's mailbox.

use tenantry_domain::{
    Action, AuditEvent, BucketKey, ChallengeId, Context, Id, OtpAccount, OtpChallenge, OtpPurpose, OtpStrength, OutboxMessage,
    Rate, RateDecision, StoreError, Target, ports::*,
};
use time::Duration;
use tracing::info;

use crate::{
    AuthPolicy, KeyRing, OtpMail, PlainOtp, PlainToken,
    account::{Account, AccountSession, SessionStart},
};

/// The answer to whoever asked for a one-time password, the same whether the account exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpRequested {
    /// What the password is to be presented with.
    pub challenge_id: ChallengeId,
    /// How long it is valid.
    pub expires_in: Duration,
}

/// Why no one-time password was sent.
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

/// Begins a sign-in: makes a challenge, and puts the mail with its password into the outbox.
///
/// `name` is what the account signs in with: a tenant's slug, an operator's address. The [crate's page](crate#a-first-sign-in)
/// has a whole sign-in.
///
/// An unknown account and a suspended one get a decoy: the same rows, the same answer, and a mail that is never sent.
///
/// # Errors
/// See [`RequestOtpError`].
///
/// # Example
/// Requests are limited by account, by address and all together, for accounts that don't exist too:
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::{memory::MemoryStore, ports::*, *};
/// # use time::Duration;
/// # futures_executor::block_on(async {
/// # let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
/// # let cx = Context::system(SystemClock.now(), &SystemEntropy);
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// let name = Slug::parse("acme")?;
/// for _ in 0..policy.otp_per_account.burst {
///     request_otp::<_, Tenant>(&store, &cx, &keys, &policy, &name).await?;
/// }
/// let limited = request_otp::<_, Tenant>(&store, &cx, &keys, &policy, &name).await;
/// assert!(matches!(limited, Err(RequestOtpError::Limited { .. })));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn request_otp<S: Store, A: Account>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    name: &A::Name,
) -> Result<OtpRequested, RequestOtpError> {
    let mut tx = store.begin().await?;
    let mut limits: Vec<(BucketKey, Rate)> = Vec::with_capacity(3);
    limits.extend(cx.client_ip.map(|address| (keys.address_bucket(address), policy.otp_per_address)));
    limits.push((keys.account_bucket(A::PURPOSE, &A::counted_as(name)), policy.otp_per_account));
    limits.push((keys.global_bucket(), policy.otp_global));
    for (bucket, rate) in limits {
        if let RateDecision::Limited { retry_after } = tx.take_token(bucket, rate, cx.now).await? {
            // What the buckets before this one gave stays taken.
            tx.commit().await?;
            return Err(RequestOtpError::Limited { retry_after });
        }
    }

    let named = A::find_to_mail(&mut tx, name).await?;
    let account = named.as_ref().filter(|account| account.may_sign_in());
    // A decoy asks for failures too, of an account that nobody has, so that both ways take the same statements.
    let counted = account.map_or_else(|| Id::generate(cx.now, cx.entropy), A::id);
    let failures = tx.otp_failures(A::account(counted), cx.now - policy.otp_budget.window).await?;
    let spent = failures >= policy.otp_budget.failures;
    let strength = if spent { OtpStrength::Wide } else { OtpStrength::SixDigits };

    let otp = PlainOtp::generate(strength, cx.entropy);
    let challenge = new_challenge(cx, keys, policy, account, strength, &otp);
    tx.insert_challenge(&challenge).await?;
    tx.enqueue_message(&new_mail(cx, keys, account, &challenge, &otp)).await?;
    let action = if named.is_some() && account.is_none() { Action::OtpRefused } else { Action::OtpRequested };
    let event = about(cx, action, A::PURPOSE, named.map(|account| A::account(account.id())));
    tx.append_audit(&event.with("challenge_id", challenge.id).with("strength", strength.as_str())).await?;
    tx.commit().await?;
    Ok(OtpRequested { challenge_id: challenge.id, expires_in: policy.otp_ttl })
}

/// An event of a sign-in that isn't there yet. A tenant's concerns the tenant; an operator's is about the operator.
fn about(cx: &Context<'_>, action: Action, purpose: OtpPurpose, account: Option<OtpAccount>) -> AuditEvent {
    let operator = account.and_then(OtpAccount::operator);
    let event = AuditEvent::new(cx, action, account.and_then(OtpAccount::tenant), operator.map(Target::Operator));
    event.with("purpose", purpose.as_str())
}

fn new_challenge<A: Account>(
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    account: Option<&A>,
    strength: OtpStrength,
    otp: &PlainOtp,
) -> OtpChallenge {
    let id = Id::generate(cx.now, cx.entropy);
    let account = account.map(|account| A::account(account.id()));
    let (code_mac, key_id) = keys.otp_mac(A::PURPOSE, account, id, otp);
    OtpChallenge {
        id,
        account,
        code_mac,
        key_id,
        purpose: A::PURPOSE,
        strength,
        attempts: 0,
        expires_at: cx.now + policy.otp_ttl,
        consumed_at: None,
        created_at: cx.now,
    }
}

fn new_mail<A: Account>(
    cx: &Context<'_>,
    keys: &KeyRing,
    account: Option<&A>,
    challenge: &OtpChallenge,
    otp: &PlainOtp,
) -> OutboxMessage {
    let mail = OtpMail {
        to: account.map(|account| account.email().clone()),
        account_name: account.map(|account| account.name().to_owned()).unwrap_or_default(),
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
        forgiven: 0,
        cause: cx.cause(),
        created_at: cx.now,
    }
}

/// A session that was just made, with its token: the only moment that this is known.
#[derive(Debug)]
pub struct NewSession<A: Account> {
    /// The token, to be shown once.
    pub token: PlainToken<A::Token>,
    /// The session.
    pub session: A::Session,
    /// Who is signed in.
    pub account: A,
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

/// Ends a sign-in: signs an account in by the password of a challenge, once.
///
/// `presented` is the password as it was typed. `user_agent` is what the session says of the program: at most 200 characters of
/// it are kept. The answer has the session's token, which nobody sees again.
///
/// The try is claimed, and the claim committed, before the password is compared: of any number of parallel guesses, as many are compared
/// as the budget has. The challenge is consumed in the transaction that makes the session.
///
/// # Errors
/// See [`VerifyOtpError`].
pub async fn verify_otp<S: Store, A: Account>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    challenge: ChallengeId,
    presented: &str,
    user_agent: Option<&str>,
) -> Result<NewSession<A>, VerifyOtpError> {
    let mut tx = store.begin().await?;
    let claimed = tx.claim_otp_attempt(challenge, A::PURPOSE, policy.otp_budget, cx.now).await?;
    tx.commit().await?;

    if let Some(claimed) = claimed.as_ref().filter(|claimed| is_right(keys, claimed, presented))
        && let Some(session) = sign_in(store, cx, keys, policy, claimed, user_agent).await?
    {
        return Ok(session);
    }
    audit_failure::<S, A>(store, cx, policy, challenge, claimed).await?;
    Err(VerifyOtpError::InvalidOtp)
}

fn is_right(keys: &KeyRing, challenge: &OtpChallenge, presented: &str) -> bool {
    let Ok(otp) = PlainOtp::parse(presented) else { return false };
    let mac = keys.otp_mac_by(&challenge.key_id, challenge.purpose, challenge.account, challenge.id, &otp);
    mac == Some(challenge.code_mac)
}

/// Consumes the challenge and makes the session; `None` for a decoy, a suspended account, or a lost race.
async fn sign_in<S: Store, A: Account>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    challenge: &OtpChallenge,
    user_agent: Option<&str>,
) -> Result<Option<NewSession<A>>, StoreError> {
    let Some(id) = challenge.account.and_then(A::id_of) else { return Ok(None) };
    let new = NewlyMade::<A>::of(cx, keys, policy, id, user_agent);
    if let Some(account) = A::sign_in_at_once(store, challenge.id, &new.session, &new.event).await? {
        info!(account.id = %id, session.id = %new.session.id(), "signed in");
        return Ok(Some(new.of_account(account)));
    }
    let mut tx = store.begin().await?;
    // Locked, so that whoever suspends or deletes the account, or ends all its sessions, sees this one, or comes first.
    let Some(account) = A::lock(&mut tx, id).await?.filter(A::may_sign_in) else { return Ok(None) };
    if !tx.consume_challenge(challenge.id, cx.now).await? {
        return Ok(None);
    }
    new.write(&mut tx).await?;
    tx.commit().await?;
    info!(account.id = %id, session.id = %new.session.id(), "signed in");
    Ok(Some(new.of_account(account)))
}

/// Makes a session of an account that may have one, and audits the sign-in.
pub(crate) async fn start_session<T: Transaction, A: Account>(
    tx: &mut T,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    account: A,
    user_agent: Option<&str>,
) -> Result<NewSession<A>, StoreError> {
    let new = NewlyMade::<A>::of(cx, keys, policy, account.id(), user_agent);
    new.write(tx).await?;
    Ok(new.of_account(account))
}

/// A session that isn't stored yet, and what will be said of it.
struct NewlyMade<A: Account> {
    token: PlainToken<A::Token>,
    session: A::Session,
    event: AuditEvent,
}

impl<A: Account> NewlyMade<A> {
    fn of(cx: &Context<'_>, keys: &KeyRing, policy: &AuthPolicy, account: Id<A>, user_agent: Option<&str>) -> Self {
        let token = PlainToken::generate(cx.entropy);
        let start = SessionStart {
            token_digest: keys.token_digest(&token),
            expires_at: policy.session_end(cx.now, cx.now),
            user_agent: user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect()),
        };
        let session = A::Session::start(cx, account, start);
        let cx = Context { actor: session.actor(), ..cx.clone() };
        let tenant = A::account(account).tenant();
        let event = AuditEvent::new(&cx, Action::SignInSucceeded, tenant, Some(A::Session::target(session.id())));
        Self { token, session, event }
    }

    async fn write<T: Transaction>(&self, tx: &mut T) -> Result<(), StoreError> {
        self.session.insert(tx).await?;
        tx.append_audit(&self.event).await
    }

    fn of_account(self, account: A) -> NewSession<A> {
        NewSession { token: self.token, session: self.session, account }
    }
}

async fn audit_failure<S: Store, A: Account>(
    store: &S,
    cx: &Context<'_>,
    policy: &AuthPolicy,
    challenge: ChallengeId,
    claimed: Option<OtpChallenge>,
) -> Result<(), StoreError> {
    let account = claimed.as_ref().and_then(|claimed| claimed.account);
    let counts = claimed.as_ref().is_some_and(|claimed| claimed.strength == OtpStrength::SixDigits);
    let mut tx = store.begin().await?;
    tx.append_audit(&about(cx, Action::SignInFailed, A::PURPOSE, account).with("challenge_id", challenge)).await?;
    if let Some(account) = account.filter(|_| counts)
        && tx.otp_failures(account, cx.now - policy.otp_budget.window).await? == policy.otp_budget.failures
    {
        let event = AuditEvent::new(cx, Action::SignInBudgetSpent, account.tenant(), Some(account.target()));
        tx.append_audit(&event).await?;
    }
    tx.commit().await
}
