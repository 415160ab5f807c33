//! The tables of the file.

use std::marker::PhantomData;

use tenantry_domain::{
    AdoptedRow, ApiKey, ApiKeyId, AuditEvent, Batch, BootstrapLink, CalendarMonth, Code, CodeId, Id, KeyClaim, Operator,
    OperatorSession, OperatorSessionId, OtpChallenge, OutboxMessage, Plan, Project, Redemption, SealedPayload, Session,
    SessionId, SigningKey, StoredMessage, Subscription, Tenant, TenantId, Timestamp, Webhook,
};

/// A table: its name in the file, the type of its keys and that of its rows.
pub struct Table<K, V> {
    pub name: &'static str,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Table<K, V> {}

/// A key as bytes that sort like the key.
pub trait Key {
    fn bytes(&self) -> Vec<u8>;
}

impl<K> Key for Id<K> {
    fn bytes(&self) -> Vec<u8> {
        self.uuid().as_bytes().to_vec()
    }
}

/// A digest.
impl Key for [u8; 32] {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }
}

/// A tenant's month.
impl Key for (TenantId, CalendarMonth) {
    fn bytes(&self) -> Vec<u8> {
        let (tenant, CalendarMonth { year, month }) = self;
        [tenant.bytes().as_slice(), &year.to_be_bytes(), &[*month]].concat()
    }
}

/// A text.
impl Key for String {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $constant:ident = $name:literal: $key:ty => $row:ty;)+) => {
        $($(#[$doc])* pub const $constant: Table<$key, $row> = Table { name: $name, types: PhantomData };)+

        /// The names of all tables: a snapshot knows those alone that were made before.
        pub const NAMES: &[&str] = &[$($name),+];
    };
}

tables! {
    /// By portal, table and key there.
    ADOPTED = "adopted": String => AdoptedRow;
    API_KEYS = "api_keys": Id<ApiKey> => ApiKey;
    /// For each API key the time when its use was last audited.
    API_KEY_AUDITS = "api_key_audits": ApiKeyId => Timestamp;
    AUDIT = "audit": Id<AuditEvent> => AuditEvent;
    BATCHES = "batches": Id<Batch> => Batch;
    BOOTSTRAP_LINKS = "bootstrap_links": [u8; 32] => BootstrapLink;
    /// For each bucket the time when it will be full again.
    BUCKETS = "buckets": [u8; 32] => Timestamp;
    CHALLENGES = "challenges": Id<OtpChallenge> => OtpChallenge;
    CODES = "codes": Id<Code> => Code;
    CODES_BY_DIGEST = "codes_by_digest": [u8; 32] => CodeId;
    IDEMPOTENCY_KEYS = "idempotency_keys": [u8; 32] => (KeyClaim, Option<SealedPayload>);
    /// How many activations a tenant had in a month.
    MONTHS = "months": (TenantId, CalendarMonth) => u32;
    OPERATORS = "operators": Id<Operator> => Operator;
    OPERATOR_SESSIONS = "operator_sessions": Id<OperatorSession> => OperatorSession;
    OPERATOR_SESSIONS_BY_DIGEST = "operator_sessions_by_digest": [u8; 32] => OperatorSessionId;
    OUTBOX = "outbox": Id<OutboxMessage> => StoredMessage;
    PLANS = "plans": Id<Plan> => Plan;
    PROJECTS = "projects": Id<Project> => Project;
    REDEMPTIONS = "redemptions": Id<Redemption> => Redemption;
    SESSIONS = "sessions": Id<Session> => Session;
    SESSIONS_BY_DIGEST = "sessions_by_digest": [u8; 32] => SessionId;
    SIGNING_KEYS = "signing_keys": String => SigningKey;
    /// By their tenant, which has one.
    SUBSCRIPTIONS = "subscriptions": TenantId => Subscription;
    TENANTS = "tenants": Id<Tenant> => Tenant;
    WEBHOOKS = "webhooks": Id<Webhook> => Webhook;
}
