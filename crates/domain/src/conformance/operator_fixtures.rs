//! The rows of operators that the rules are about.

use time::Duration;

use super::world::{World, noon};
use crate::{
    ApiKey, ApiKeyName, BootstrapLink, BootstrapPurpose, Email, Operator, OperatorId, OperatorName, OperatorSession, OtpAccount,
    Role, Scope, Scopes, Timestamp, TokenDigest, ports::*,
};

impl<S: Store> World<S> {
    /// An operator that isn't stored.
    pub fn new_operator(&self, role: Role, at: Timestamp) -> Operator {
        Operator {
            id: self.id(at),
            name: OperatorName::parse("Ada Lovelace").unwrap(),
            email: Email::parse(&format!("operator-{}@portal.example", self.number())).unwrap(),
            role,
            created_at: at,
            updated_at: at,
        }
    }

    /// Stores an operator whose address must be free.
    pub async fn insert_operator(&self, operator: &Operator) {
        assert!(self.write(async |tx| tx.insert_operator(operator).await).await, "a new operator's address is free");
    }

    /// An operator.
    pub async fn operator(&self, role: Role) -> Operator {
        let operator = self.new_operator(role, noon());
        self.insert_operator(&operator).await;
        operator
    }

    /// One account of each kind that signs in.
    pub async fn accounts(&self) -> [OtpAccount; 2] {
        [self.tenant().await.into(), self.operator(Role::Manager).await.id.into()]
    }

    /// A session that isn't stored: made at `at`, for half an hour.
    pub fn new_operator_session(&self, operator: OperatorId, at: Timestamp) -> OperatorSession {
        OperatorSession {
            id: self.id(at),
            operator_id: operator,
            token_digest: TokenDigest::from_bytes(self.bytes()),
            last_activity: at,
            expires_at: at + Duration::minutes(30),
            client_ip: None,
            user_agent: None,
            revoked_at: None,
            created_at: at,
        }
    }

    /// A session, made at `at`.
    pub async fn operator_session(&self, operator: OperatorId, at: Timestamp) -> OperatorSession {
        let session = self.new_operator_session(operator, at);
        self.write(async |tx| tx.insert_operator_session(&session).await).await;
        session
    }

    /// An API key that isn't stored: made at `at`, valid for ever.
    pub fn new_api_key(&self, at: Timestamp) -> ApiKey {
        ApiKey {
            id: self.id(at),
            name: ApiKeyName::parse("Deployment").unwrap(),
            token_digest: TokenDigest::from_bytes(self.bytes()),
            scopes: Scopes::from_iter([Scope::CodesRead, Scope::CodesWrite]),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            created_by: None,
            created_at: at,
        }
    }

    /// An API key, made at `at`.
    pub async fn insert_api_key(&self, key: &ApiKey) {
        self.write(async |tx| tx.insert_api_key(key).await).await;
    }

    /// A link, made at noon for an hour.
    pub async fn bootstrap_link(&self, purpose: BootstrapPurpose) -> BootstrapLink {
        let token_digest = TokenDigest::from_bytes(self.bytes());
        let link = BootstrapLink { token_digest, purpose, expires_at: noon() + Duration::HOUR, created_at: noon() };
        self.write(async |tx| tx.insert_bootstrap_link(&link).await).await;
        link
    }
}
