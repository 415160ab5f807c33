//! What tells those who sign in apart, tenants and operators, so that signing in is written once.

use std::{
    borrow::Cow,
    fmt,
    future::{self, Future},
};

use tenantry_domain::{
    Actor, AuditEvent, ChallengeId, Context, Email, Id, OtpAccount, OtpPurpose, StoreError, Target, Timestamp, TokenDigest,
    id::Kind, ports::*,
};

use crate::TokenKind;

/// An account that signs in by one-time passwords, and has sessions: a [`Tenant`](tenantry_domain::Tenant) or an
/// [`Operator`](tenantry_domain::Operator).
///
/// Signing in is written once for both, so its functions ask which one is meant: `request_otp::<_, Tenant>(..)`. There is nothing
/// to implement here, and little to call: the methods are what sign-in asks of an account.
pub trait Account: Kind + Clone + fmt::Debug + Send + Sync + 'static {
    /// A session of such an account.
    type Session: AccountSession<Account = Self>;
    /// Marks the tokens of its sessions.
    type Token: TokenKind;
    /// What it signs in with.
    type Name: Sync;

    /// What its one-time passwords are good for.
    const PURPOSE: OtpPurpose;

    /// What its requests for passwords are counted by: the same for every spelling of its name.
    fn counted_as(name: &Self::Name) -> Cow<'_, str>;

    /// Its identifier.
    fn id(&self) -> Id<Self>;

    /// The account that an identifier stands for.
    fn account(id: Id<Self>) -> OtpAccount;

    /// The identifier of an account of this kind.
    fn id_of(account: OtpAccount) -> Option<Id<Self>>;

    /// Where its one-time passwords go.
    fn email(&self) -> &Email;

    /// What it is called.
    fn name(&self) -> &str;

    /// Whether it may sign in, and its sessions count.
    fn may_sign_in(&self) -> bool;

    /// The account that signs in with this name. Its address stays what it is until the transaction ends: whoever gives it another sees the
    /// challenges that this transaction makes, or comes first.
    fn find_to_mail<T: Transaction>(
        tx: &mut T,
        name: &Self::Name,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    /// Keeps the account from being deleted until the transaction ends, where deleting it could deadlock with what follows.
    fn hold<T: Transaction>(tx: &mut T, id: Id<Self>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The account, locked: whoever suspends or deletes it, or ends all its sessions, sees what this transaction does, or comes first.
    fn lock<T: Transaction>(tx: &mut T, id: Id<Self>) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    /// The end of its sign-in in one step, as [`Store::sign_in_at_once`] does; `None` where that isn't to be had.
    fn sign_in_at_once<S: Store>(
        store: &S,
        challenge: ChallengeId,
        session: &Self::Session,
        event: &AuditEvent,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send {
        let _ = (store, challenge, session, event);
        future::ready(Ok(None))
    }

    /// The session that has one of these digests, and its account: one round trip.
    fn find_session<R: Reader>(
        reader: &mut R,
        digests: &[TokenDigest],
    ) -> impl Future<Output = Result<Option<(Self::Session, Self)>, StoreError>> + Send;
}

/// A session of an [`Account`]: a tenant's [`Session`](tenantry_domain::Session) or an
/// [`OperatorSession`](tenantry_domain::OperatorSession).
pub trait AccountSession: Kind + Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// Whose session it is.
    type Account: Account<Session = Self>;

    /// A session that begins at `cx.now`, and where it came from.
    fn start(cx: &Context<'_>, account: Id<Self::Account>, start: SessionStart) -> Self;

    /// Its identifier.
    fn id(&self) -> Id<Self>;

    /// The account that is signed in.
    fn account_id(&self) -> Id<Self::Account>;

    /// The digest that its token was found by.
    fn token_digest(&self) -> TokenDigest;

    /// When it was signed in.
    fn created_at(&self) -> Timestamp;

    /// When it was last used, and until when it is valid.
    fn activity(&mut self) -> (&mut Timestamp, &mut Timestamp);

    /// Whether it still counts at `now`.
    fn is_live(&self, now: Timestamp) -> bool;

    /// Who acts by it.
    fn actor(&self) -> Actor;

    /// It, as what an event is about.
    fn target(id: Id<Self>) -> Target;

    /// Stores it.
    fn insert<T: Transaction>(&self, tx: &mut T) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes its activity, as [`SessionWrites::touch_session`] does.
    fn touch<T: Transaction>(
        tx: &mut T,
        id: Id<Self>,
        touch: SessionTouch,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends it, as [`SessionWrites::revoke_session`] does.
    fn revoke<T: Transaction>(
        tx: &mut T,
        account: Id<Self::Account>,
        id: Id<Self>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends all sessions of an account, as [`SessionWrites::revoke_sessions`] does.
    fn revoke_all<T: Transaction>(
        tx: &mut T,
        account: Id<Self::Account>,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// What a session begins with, for [`AccountSession::start`].
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// The digest of its token.
    pub token_digest: TokenDigest,
    /// Until when it is valid.
    pub expires_at: Timestamp,
    /// By which program it was signed in.
    pub user_agent: Option<String>,
}
