//! Operators as accounts that sign in: by their address, to which the mail goes.

use std::borrow::Cow;

use tenantry_domain::{
    Actor, Context, Email, Id, Operator, OperatorId, OperatorSession, OperatorSessionId, OtpAccount, OtpPurpose, StoreError,
    Target, Timestamp, TokenDigest, ports::*,
};

use crate::{
    account::{Account, AccountSession, SessionStart},
    token,
};

impl Account for Operator {
    type Session = OperatorSession;
    type Token = token::OperatorSession;
    type Name = Email;

    const PURPOSE: OtpPurpose = OtpPurpose::OperatorSignIn;

    fn counted_as(name: &Email) -> Cow<'_, str> {
        name.folded().into()
    }

    fn id(&self) -> OperatorId {
        self.id
    }

    fn account(id: OperatorId) -> OtpAccount {
        id.into()
    }

    fn id_of(account: OtpAccount) -> Option<OperatorId> {
        account.operator()
    }

    fn email(&self) -> &Email {
        &self.email
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn may_sign_in(&self) -> bool {
        true
    }

    async fn find_to_mail<T: Transaction>(tx: &mut T, name: &Email) -> Result<Option<Self>, StoreError> {
        // An operator signs in with its address, which never changes.
        tx.operator_by_email(name).await
    }

    async fn hold<T: Transaction>(_: &mut T, _: OperatorId) -> Result<(), StoreError> {
        // Whoever ends an operator's session asks for no lock after that, so a deletion can't be in its way.
        Ok(())
    }

    async fn lock<T: Transaction>(tx: &mut T, id: OperatorId) -> Result<Option<Self>, StoreError> {
        tx.lock_operator(id).await
    }

    async fn find_session<R: Reader>(
        reader: &mut R,
        digests: &[TokenDigest],
    ) -> Result<Option<(OperatorSession, Self)>, StoreError> {
        reader.operator_session_by_digests(digests).await
    }
}

impl AccountSession for OperatorSession {
    type Account = Operator;

    fn start(cx: &Context<'_>, account: OperatorId, start: SessionStart) -> Self {
        Self {
            id: Id::generate(cx.now, cx.entropy),
            operator_id: account,
            token_digest: start.token_digest,
            last_activity: cx.now,
            expires_at: start.expires_at,
            client_ip: cx.client_ip,
            user_agent: start.user_agent,
            revoked_at: None,
            created_at: cx.now,
        }
    }

    fn id(&self) -> OperatorSessionId {
        self.id
    }

    fn account_id(&self) -> OperatorId {
        self.operator_id
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
        Actor::Operator { operator: self.operator_id, session: self.id }
    }

    fn target(id: OperatorSessionId) -> Target {
        Target::OperatorSession(id)
    }

    async fn insert<T: Transaction>(&self, tx: &mut T) -> Result<(), StoreError> {
        tx.insert_operator_session(self).await
    }

    async fn touch<T: Transaction>(tx: &mut T, id: OperatorSessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        tx.touch_operator_session(id, touch).await
    }

    async fn revoke<T: Transaction>(
        tx: &mut T,
        account: OperatorId,
        id: OperatorSessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        tx.revoke_operator_session(account, id, now).await
    }

    async fn revoke_all<T: Transaction>(tx: &mut T, account: OperatorId, now: Timestamp) -> Result<u64, StoreError> {
        tx.revoke_operator_sessions(account, now).await
    }
}
