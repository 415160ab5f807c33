//! An activation in one round trip: what the use case does step by step, where nothing stands against it.
//!
//! The conditions are those of the steps, in the same order, and the same rows are locked in the same order (decision 0008). Where any of
//! them fails, nothing is written, and the use case finds out by its steps which one it was.

use std::sync::LazyLock;

use sea_orm::{DbBackend, IdenStatic as _, Iterable as _, Statement, Value};
use tenantry_domain::{
    CodeId, Id, Limit, Project, StoreError,
    ports::{Activation, ActivationBy},
};
use uuid::Uuid;

use crate::{
    DatabaseStore,
    entities::{
        audit_events,
        projects::{self, ProjectRow},
    },
    error::{commit_failure, is_division_by_zero},
    limits::latest,
    timestamp::DbTime,
};

/// The places of the statements' values, the same on both databases.
///
/// $1 tenant, $2 project, $3 the code's digest or identifier, $4 now, $5 and $6 the month, $7 the bucket, $8 its latest moment, $9 the row of
/// the ledger, from $10 on the event.
const EVENT_FROM: usize = 10;

/// Where the event's details name a code that isn't known yet.
const NO_CODE: CodeId = Id::from_uuid(Uuid::nil());

impl DatabaseStore {
    pub(crate) async fn activate(&self, activation: &Activation<'_>) -> Result<Option<Project>, StoreError> {
        let statement = statement(self.backend(), activation);
        let row = self.connections().at_once(statement).await;
        match row {
            Ok(row) => row.map(|row| row.value::<ProjectRow>()).transpose(),
            // The month was counted, and then the subscription had changed.
            Err(failure) if is_division_by_zero(&failure) => Ok(None),
            Err(failure) => Err(commit_failure("activation", &failure)),
        }
    }
}

fn statement(backend: DbBackend, activation: &Activation<'_>) -> Statement {
    let month = activation.now.month();
    let now = || Value::from(DbTime::from(activation.now));
    let code = match activation.with {
        ActivationBy::Digest(digest) => digest.as_bytes().to_vec().into(),
        ActivationBy::Id(id) => id.uuid().into(),
        ActivationBy::NextAvailable => Value::Bytes(None),
    };
    // A bucket that there isn't is full.
    let (bucket, latest) = match activation.within {
        Some(Limit { bucket, rate }) => (bucket.as_bytes().to_vec(), latest(rate, activation.now)),
        None => (Vec::new(), 0),
    };
    let mut values = vec![
        activation.tenant.uuid().into(),
        activation.project.uuid().into(),
        code,
        now(),
        i64::from(month.year).into(),
        i64::from(month.month).into(),
        bucket.into(),
        latest.into(),
        activation.redemption.uuid().into(),
    ];
    let event = activation.event.clone().about_code(NO_CODE).with("activation_code_id", NO_CODE);
    values.extend(audit_events::values(&event));
    let text = if backend == DbBackend::Postgres { &POSTGRES } else { &SQLITE }.of(activation);
    let states: Vec<_> = activation.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    let sql = text.replace(STATES, &states.join(", "));
    Statement::from_sql_and_values(backend, sql, values)
}

/// Where a text has the states of a subscription that allow it.
const STATES: &str = "{states}";

/// A database's texts, which are written once, by what a code is looked up by.
struct Texts {
    digest: String,
    id: String,
    next_available: String,
}

static POSTGRES: LazyLock<Texts> = LazyLock::new(|| {
    let by = |column: &str| {
        postgres(&format!(
            "SELECT c.id FROM activation_codes c, project WHERE c.{column} = $3 AND {OWN} AND {ACTIVE} FOR NO KEY UPDATE OF c"
        ))
    };
    let next = format!("SELECT {} AS id FROM project", next_available("FOR NO KEY UPDATE SKIP LOCKED"));
    Texts { digest: by("code_digest"), id: by("id"), next_available: postgres(&next) }
});

static SQLITE: LazyLock<Texts> = LazyLock::new(|| {
    let by =
        |column: &str| sqlite(&format!("(SELECT c.id FROM activation_codes c WHERE c.{column} = $3 AND {OWN} AND {ACTIVE})"));
    Texts { digest: by("code_digest"), id: by("id"), next_available: sqlite(&next_available("")) }
});

impl Texts {
    fn of(&self, activation: &Activation<'_>) -> &str {
        match activation.with {
            ActivationBy::Digest(_) => &self.digest,
            ActivationBy::Id(_) => &self.id,
            ActivationBy::NextAvailable => &self.next_available,
        }
    }
}

/// Whether a code `c`, which is looked up by what no other has, is the tenant's. The tenant is named in a way that leads to no index:
/// PostgreSQL, which takes a new tenant to have no codes, would look through all of them.
const OWN: &str = "COALESCE(c.tenant_id, c.tenant_id) = $1";

/// Whether such a code is active.
const ACTIVE: &str = "c.revoked_at IS NULL AND c.use_count < c.max_uses AND (c.expires_at IS NULL OR c.expires_at > $4)";

/// The first of the tenant's codes that expire, or the first of those that don't: see `consume_free`.
fn next_available(lock: &str) -> String {
    let first = |end: &str| {
        format!(
            "(SELECT c.id FROM activation_codes c
            WHERE c.tenant_id = $1 AND c.revoked_at IS NULL AND c.use_count < c.max_uses AND c.expires_at {end}
            ORDER BY c.expires_at, c.id LIMIT 1 {lock})"
        )
    };
    format!("COALESCE({}, {})", first("> $4"), first("IS NULL"))
}

/// What the tenant is entitled to, if it may activate anything and nobody listens.
fn entitled() -> String {
    format!(
        "SELECT p.monthly_run_quota AS quota, s.updated_at AS version
        FROM tenants t JOIN subscriptions s ON s.tenant_id = t.id JOIN plans p ON p.id = s.plan_id
        WHERE t.id = $1 AND t.suspended_at IS NULL AND s.state IN ({STATES})
            AND NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.tenant_id IS NULL AND w.disabled_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.tenant_id = t.id AND w.disabled_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM rate_buckets b WHERE b.bucket = $7 AND b.tat > $8)"
    )
}

/// The columns of the trail, and the event's values for a code whose identifier is `code`, in hexadecimal `hex`.
fn trail(code: &str, hex: &str) -> (String, String) {
    let columns: Vec<_> = audit_events::Column::iter().map(|column| column.as_str().to_owned()).collect();
    let values = columns.iter().enumerate().map(|(place, column)| {
        let place = EVENT_FROM + place;
        match column.as_str() {
            "code_id" => code.to_owned(),
            "details" => format!("replace(${place}, '{NO_CODE}', 'code_' || {hex})"),
            _ => format!("${place}"),
        }
    });
    (columns.join(", "), values.collect::<Vec<_>>().join(", "))
}

fn project_columns(of: &str) -> String {
    projects::READ.map(|column| format!("{of}{}", column.as_str())).join(", ")
}

/// One statement. A part that writes reads from the part before it, so that they run in this order, and each where the one before came to
/// something. The month's count and the confirmed subscription come before what they allow: only where the latter fails is there something
/// to undo, and a division by zero does so.
fn postgres(code: &str) -> String {
    let entitled = entitled();
    let (columns, values) = trail("started.activation_code_id", "replace(started.activation_code_id::text, '-', '')");
    let (returned, answered) = (project_columns("l."), project_columns("started."));
    format!(
        "WITH entitled AS MATERIALIZED ({entitled} FOR KEY SHARE OF t),
        project AS MATERIALIZED (
            SELECT l.id FROM llm_project_config l, entitled
            WHERE l.id = $2 AND l.tenant_id = $1 AND l.project_status = 'pending' AND l.updated_at < $4
            FOR NO KEY UPDATE OF l
        ),
        code AS MATERIALIZED ({code}),
        counted AS (
            INSERT INTO usage_months (tenant_id, year, month, activations, updated_at)
            SELECT $1, $5, $6, 1, $4 FROM code WHERE code.id IS NOT NULL
            ON CONFLICT (tenant_id, year, month) DO UPDATE
            SET activations = usage_months.activations + 1, updated_at = excluded.updated_at
            WHERE usage_months.activations < (SELECT quota FROM entitled)
            RETURNING activations
        ),
        confirmed AS MATERIALIZED (
            SELECT s.tenant_id FROM subscriptions s, entitled, counted
            WHERE s.tenant_id = $1 AND s.updated_at = entitled.version
            FOR SHARE OF s
        ),
        consumed AS (
            UPDATE activation_codes c SET use_count = c.use_count + 1, used_at = $4, updated_at = $4
            FROM code, confirmed WHERE c.id = code.id AND {OWN}
            RETURNING c.id
        ),
        started AS (
            UPDATE llm_project_config l
            SET project_status = 'active', activation_code_id = consumed.id, started_at = $4, updated_at = $4
            FROM consumed WHERE l.id = $2 AND l.tenant_id = $1
            RETURNING {returned}
        ),
        written AS (
            INSERT INTO redemptions (id, tenant_id, activation_code_id, project_id, redeemed_at)
            SELECT $9, $1, started.activation_code_id, started.id, $4 FROM started
        ),
        told AS (INSERT INTO audit_events ({columns}) SELECT {values} FROM started)
        SELECT {answered}, 1 / (CASE WHEN started.id IS NULL THEN 0 ELSE 1 END) AS whole
        FROM counted LEFT JOIN started ON true"
    )
}

/// Several statements, one behind the other; SQLite's writer has nobody beside it. The first decides: where it writes nothing, none that
/// follows is run, and where it does, each of them writes a row.
fn sqlite(code: &str) -> String {
    let entitled = entitled();
    // Rows are given as values: what is selected into a table with triggers is collected in a table of its own first.
    let consumed = "(SELECT activation_code_id FROM llm_project_config WHERE id = $2)";
    let (columns, values) = trail(consumed, &format!("lower(hex({consumed}))"));
    let answered = project_columns("");
    format!(
        "UPDATE llm_project_config
        SET project_status = 'active', activation_code_id = {code}, started_at = $4, updated_at = $4
        WHERE id = $2 AND tenant_id = $1 AND project_status = 'pending' AND updated_at < $4 AND {code} IS NOT NULL
            AND EXISTS (SELECT 1 FROM ({entitled}) AS entitled WHERE quota > COALESCE(
                (SELECT u.activations FROM usage_months u WHERE u.tenant_id = $1 AND u.year = $5 AND u.month = $6), 0));
        UPDATE activation_codes SET use_count = use_count + 1, used_at = $4, updated_at = $4 WHERE id = {consumed};
        INSERT INTO usage_months (tenant_id, year, month, activations, updated_at) VALUES ($1, $5, $6, 1, $4)
        ON CONFLICT (tenant_id, year, month) DO UPDATE SET activations = activations + 1, updated_at = excluded.updated_at;
        INSERT INTO redemptions (id, tenant_id, activation_code_id, project_id, redeemed_at) VALUES ($9, $1, {consumed}, $2, $4);
        INSERT INTO audit_events ({columns}) VALUES ({values});
        SELECT {answered} FROM llm_project_config WHERE id = $2"
    )
}
