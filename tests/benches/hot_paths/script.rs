//! What the driver runs for each request: the server's statements and transactions, with values like the server's.

use sqlx::types::{
    Uuid,
    chrono::{DateTime, Utc},
};
use tenantry_auth::AuthPolicy;
use tenantry_domain::{
    Action, Actor, AuditEvent, Clock as _, Context, Entropy as _, Id, OtpPurpose, Quota, RedemptionId, Session, SessionId,
    SystemClock, SystemEntropy, Target, TenantId, Timestamp, TraceId,
};
use tenantry_tests::DatabaseKind;

use crate::{
    http::USER_AGENT,
    prepare::{Activation, SignIn, SignedIn},
    sql,
};

/// One step of a request's work.
pub enum Step {
    /// A statement on its own.
    Alone(Statement),
    /// Statements in a transaction, which is committed; on SQLite it waits for its turn to write.
    Together(Vec<Statement>),
}

/// A statement with its values.
pub struct Statement {
    pub sql: &'static str,
    pub values: Vec<Value>,
    pub expects: Expects,
}

/// What a statement has to come to.
#[derive(Clone, Copy)]
pub enum Expects {
    /// So many rows in its answer.
    Rows(usize),
    /// One row written.
    Written,
}

/// A value of a statement.
pub enum Value {
    Uuid(Uuid),
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
    Time(DateTime<Utc>),
    NoText,
    NoTime,
}

/// GET /api/tenant/projects
pub fn page(who: &SignedIn) -> Vec<Step> {
    vec![Step::Alone(session_check(who)), Step::Alone(read(sql::PAGE_OF_PROJECTS, 21, vec![uuid(who.tenant)]))]
}

/// POST /api/tenant/auth/otp/verify
pub fn sign_in(kind: DatabaseKind, item: &SignIn) -> Vec<Step> {
    let session: SessionId = Id::generate(SystemClock.now(), &SystemEntropy);
    let cx = context(item.tenant, session);
    let policy = AuthPolicy::default();
    let (tenant, challenge, now) = (|| uuid(item.tenant), || uuid(item.challenge), || time(cx.now));
    let mut digest = vec![0; 32];
    SystemEntropy.fill(&mut digest);
    let new_session = vec![
        uuid(session),
        tenant(),
        Value::Bytes(digest),
        now(),
        time(policy.session_end(cx.now, cx.now)),
        text("127.0.0.1"),
        text(USER_AGENT),
        Value::NoTime,
        now(),
        now(),
    ];
    let attempts = Value::Number(policy.otp_budget.attempts.into());
    let event = AuditEvent::new(&cx, Action::SignInSucceeded, Some(item.tenant), Some(Target::Session(session)));
    let lock_tenant = || (kind == DatabaseKind::Postgres).then(|| read(sql::LOCK_TENANT, 1, vec![tenant()]));
    let find = read(sql::CHALLENGE, 1, vec![challenge(), text(OtpPurpose::TenantSignIn.as_str())]);
    let claim = [
        read(sql::FAILURES, 1, vec![tenant(), time(cx.now - policy.otp_budget.window)]),
        read(sql::CLAIM_ATTEMPT, 1, vec![Value::Number(1), challenge(), now(), attempts]),
    ];
    let sign_in = [
        read(sql::ENTITLEMENT, 1, vec![tenant()]),
        read(sql::TENANT, 1, vec![tenant()]),
        write(sql::CONSUME_CHALLENGE, vec![now(), challenge(), now()]),
        write(sql::INSERT_SESSION, new_session),
        audit(event),
    ];
    vec![
        Step::Together([find].into_iter().chain(lock_tenant()).chain(claim).collect()),
        Step::Together(lock_tenant().into_iter().chain(sign_in).collect()),
    ]
}

/// POST /api/tenant/projects/{id}/activate
pub fn activation(kind: DatabaseKind, who: &SignedIn, item: &Activation) -> Vec<Step> {
    let cx = context(who.tenant, who.session);
    let (tenant, project, code) = (|| uuid(who.tenant), || uuid(item.project), || uuid(item.code));
    let now = || time(cx.now);
    let (hold_tenant, lock_project) = match kind {
        DatabaseKind::Sqlite => (sql::ENTITLEMENT, sql::PROJECT),
        DatabaseKind::Postgres => (sql::HOLD_TENANT, sql::LOCK_PROJECT),
    };
    let redemption: RedemptionId = Id::generate(cx.now, cx.entropy);
    let month = cx.now.month();
    let counted = vec![
        tenant(),
        Value::Number(month.year.into()),
        Value::Number(month.month.into()),
        Value::Number(1),
        now(),
        Value::Number(1),
        Value::Number(Quota::MAX.into()),
    ];
    let event = AuditEvent::new(&cx, Action::ProjectActivated, Some(who.tenant), Some(Target::Project(item.project)));
    let activate = vec![
        read(hold_tenant, 1, vec![tenant()]),
        read(lock_project, 1, vec![project(), tenant()]),
        read(sql::CODE, 1, vec![Value::Bytes(item.digest.as_bytes().to_vec())]),
        write(sql::CONSUME_CODE, vec![Value::Number(1), now(), now(), code(), tenant(), now()]),
        read(sql::START_PROJECT, 1, vec![text("active"), now(), code(), now(), project(), tenant(), text("pending")]),
        write(sql::INSERT_REDEMPTION, vec![uuid(redemption), tenant(), code(), project(), now(), Value::NoTime]),
        write(sql::COUNT_ACTIVATION, counted),
        audit(event.with("activation_code_id", item.code)),
    ];
    vec![Step::Alone(session_check(who)), Step::Together(activate)]
}

fn session_check(who: &SignedIn) -> Statement {
    read(sql::SESSION_AND_TENANT, 1, vec![Value::Bytes(who.digest.as_bytes().to_vec())])
}

fn audit(event: AuditEvent) -> Statement {
    let details: serde_json::Map<_, _> =
        event.details.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let optional = |value: Option<String>| value.map_or(Value::NoText, Value::Text);
    write(
        sql::INSERT_AUDIT,
        vec![
            uuid(event.id),
            uuid(event.tenant_id.expect("a tenant's event")),
            text(event.actor.kind()),
            optional(event.actor.name()),
            Value::Text(event.action),
            optional(event.target),
            optional(event.client_ip.map(|address| address.to_string())),
            optional(event.request_id),
            Value::Text(serde_json::Value::Object(details).to_string()),
            time(event.at),
        ],
    )
}

fn read(sql: &'static str, rows: usize, values: Vec<Value>) -> Statement {
    Statement { sql, values, expects: Expects::Rows(rows) }
}

fn write(sql: &'static str, values: Vec<Value>) -> Statement {
    Statement { sql, values, expects: Expects::Written }
}

fn uuid<K>(id: Id<K>) -> Value {
    Value::Uuid(id.uuid())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn time(moment: Timestamp) -> Value {
    Value::Time(DateTime::from_timestamp_micros(moment.unix_micros()).expect("a moment that chrono knows"))
}

/// The context of a tenant's request, as the server makes it.
fn context(tenant: TenantId, session: SessionId) -> Context<'static> {
    let now = SystemClock.now();
    let request_id = Id::<Session>::generate(now, &SystemEntropy).uuid();
    Context {
        now,
        entropy: &SystemEntropy,
        actor: Actor::Tenant { tenant, session },
        client_ip: Some([127, 0, 0, 1].into()),
        request_id: Some(format!("req_{}", request_id.as_simple())),
        trace_id: Some(TraceId::generate(&SystemEntropy)),
    }
}
