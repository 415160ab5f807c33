//! Tenants as accounts that sign in: by their slug, the mail going to their contact.

use std::borrow::Cow;

use tenantry_domain::{
    Actor, AuditEvent, ChallengeId, Context, Email, Id, OtpAccount, OtpPurpose, Session, SessionId, Slug, StoreError, Target,
    Tenant, TenantId, Timestamp, TokenDigest, ports::*,
};

use crate::{
    account::{Account, AccountSession, SessionStart},
    token,
};

impl Account for Tenant {
    type Session = Session;
    type Token = token::Session;
    type Name = Slug;

    const PURPOSE: OtpPurpose = OtpPurpose::TenantSignIn;

    fn counted_as(name: &Slug) -> Cow<'_, str> {
        name.as_str().into()
    }

    fn id(&self) -> TenantId {
        self.id
    }

    fn account(id: TenantId) -> OtpAccount {
        id.into()
    }

    fn id_of(account: OtpAccount) -> Option<TenantId> {
        account.tenant()
    }

    fn email(&self) -> &Email {
        &self.contact_email
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn may_sign_in(&self) -> bool {
        self.suspended_at.is_none()
    }

    async fn find_to_mail<T: Transaction>(tx: &mut T, name: &Slug) -> Result<Option<Self>, StoreError> {
        tx.lock_tenant_by_slug(name).await
    }

    async fn hold<T: Transaction>(tx: &mut T, id: TenantId) -> Result<(), StoreError> {
        tx.hold_tenant(id).await.map(drop)
    }

    async fn lock<T: Transaction>(tx: &mut T, id: TenantId) -> Result<Option<Self>, StoreError> {
        tx.lock_tenant(id).await?;
        tx.tenant(id).await
    }

    async fn sign_in_at_once<S: Store>(
        store: &S,
        challenge: ChallengeId,
        session: &Session,
        event: &AuditEvent,
    ) -> Result<Option<Self>, StoreError> {
        store.sign_in_at_once(&SignIn { challenge, session, event, now: session.created_at }).await
    }

    async fn find_session<R: Reader>(reader: &mut R, digests: &[TokenDigest]) -> Result<Option<(Session, Self)>, StoreError> {
        reader.session_by_digests(digests).await
    }
}

impl AccountSession for Session {
    type Account = Tenant;

    fn start(cx: &Context<'_>, account: TenantId, start: SessionStart) -> Self {
        Self {
            id: Id::generate(cx.now, cx.entropy),
            tenant_id: account,
            token_digest: start.token_digest,
            last_activity: cx.now,
            expires_at: start.expires_at,
            client_ip: cx.client_ip,
            user_agent: start.user_agent,
            revoked_at: None,
            created_at: cx.now,
        }
    }

    fn id(&self) -> SessionId {
        self.id
    }

    fn account_id(&self) -> TenantId {
        self.tenant_id
    }

    fn token_digest(&self) -> TokenDigest {
        self.token_digest
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn activity(&mut self) -> (&mut Timestamp, &mut Timestamp) {
        (&mut self.last_activity, &mut self.expires_at)
    }

    fn is_live(&self, now: Timestamp) -> bool {
        Self::is_live(self, now)
    }

    fn actor(&self) -> Actor {
        Actor::Tenant { tenant: self.tenant_id, session: self.id }
    }

    fn target(id: SessionId) -> Target {
        Target::Session(id)
    }

    async fn insert<T: Transaction>(&self, tx: &mut T) -> Result<(), StoreError> {
        tx.insert_session(self).await
    }

    async fn touch<T: Transaction>(tx: &mut T, id: SessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        tx.touch_session(id, touch).await
    }

    async fn revoke<T: Transaction>(tx: &mut T, account: TenantId, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
        tx.revoke_session(account, id, now).await
    }

    async fn revoke_all<T: Transaction>(tx: &mut T, account: TenantId, now: Timestamp) -> Result<u64, StoreError> {
        tx.revoke_sessions(account, now).await
    }
}
