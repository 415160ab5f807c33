//! The end of a tenant's sign-in in one round trip: what the use case does step by step, where nothing stands against it.

use std::sync::LazyLock;

use sea_orm::{DbBackend, IdenStatic as _, Statement, Value};
use tenantry_domain::{StoreError, Tenant, ports::SignIn};

use crate::{
    DatabaseStore,
    entities::{audit_events, sessions, tenants},
    error::commit_failure,
    timestamp::DbTime,
};

/// $1 tenant, $2 challenge, $3 now; from $4 on the session, then the event.
const SESSION_FROM: usize = 4;

impl DatabaseStore {
    pub(crate) async fn sign_in(&self, sign_in: &SignIn<'_>) -> Result<Option<Tenant>, StoreError> {
        let mut values: Vec<Value> =
            vec![sign_in.session.tenant_id.uuid().into(), sign_in.challenge.uuid().into(), DbTime::from(sign_in.now).into()];
        values.extend(sessions::values(sign_in.session));
        values.extend(audit_events::values(sign_in.event));
        let sql = match self.backend() {
            DbBackend::Postgres => &*POSTGRES,
            _ => &*SQLITE,
        };
        let row = self.connections().at_once(Statement::from_sql_and_values(self.backend(), sql.as_str(), values)).await;
        let row = row.map_err(|failure| commit_failure("sign-in", &failure))?;
        row.map(|row| row.value::<tenants::Model>()).transpose()
    }
}

/// The columns of a table, and the places of their values from one on.
fn columns<C: sea_orm::Iterable + sea_orm::IdenStatic>(first: usize) -> (String, String, usize) {
    let columns: Vec<_> = C::iter().map(|column| column.as_str().to_owned()).collect();
    let places: Vec<_> = (first..first + columns.len()).map(|place| format!("${place}")).collect();
    (columns.join(", "), places.join(", "), first + columns.len())
}

/// What is read of the tenant, in the order of the row.
fn tenant_columns() -> String {
    tenants::READ.into_iter().map(|column| column.as_str().to_owned()).collect::<Vec<_>>().join(", ")
}

static POSTGRES: LazyLock<String> = LazyLock::new(postgres);
static SQLITE: LazyLock<String> = LazyLock::new(sqlite);

/// One statement, whose parts run in this order, each where the one before came to something. The account is locked before the challenge is
/// looked at, as in the steps.
fn postgres() -> String {
    let (session, session_values, event_from) = columns::<sessions::Column>(SESSION_FROM);
    let (event, event_values, _) = columns::<audit_events::Column>(event_from);
    let tenant = tenant_columns();
    format!(
        "WITH account AS MATERIALIZED (
            SELECT {tenant} FROM tenants WHERE id = $1 AND suspended_at IS NULL FOR NO KEY UPDATE
        ),
        consumed AS (
            UPDATE otp_challenges c SET consumed_at = $3 FROM account
            WHERE c.id = $2 AND c.tenant_id = $1 AND c.consumed_at IS NULL AND c.expires_at > $3
            RETURNING c.id
        ),
        begun AS (INSERT INTO tenant_sessions ({session}) SELECT {session_values} FROM consumed),
        told AS (INSERT INTO audit_events ({event}) SELECT {event_values} FROM consumed)
        SELECT account.* FROM account, consumed"
    )
}

/// Several statements, one behind the other. Where the first writes nothing, none that follows is run.
fn sqlite() -> String {
    let (session, session_values, event_from) = columns::<sessions::Column>(SESSION_FROM);
    let (event, event_values, _) = columns::<audit_events::Column>(event_from);
    format!(
        "UPDATE otp_challenges SET consumed_at = $3
        WHERE id = $2 AND tenant_id = $1 AND consumed_at IS NULL AND expires_at > $3
            AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = $1 AND t.suspended_at IS NULL);
        INSERT INTO tenant_sessions ({session}) VALUES ({session_values});
        INSERT INTO audit_events ({event}) VALUES ({event_values});
        SELECT {} FROM tenants WHERE id = $1",
        tenant_columns()
    )
}
