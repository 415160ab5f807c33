//! `tenant_tallies`: tenants by the UTC day that they were made on, in days since 1970, and how many of those are suspended.
//!
//! It is kept as the other tallies are, by triggers and in slots; see the step that makes those. Its rows are as many as the days on which
//! a tenant was made, whatever there is of tenants.

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DeriveMigrationName},
};

use crate::{
    m20261125_000005_create_tallies::{postgres, run, sqlite},
    sql,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (slot, storage, triggers, day) = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => (sqlite::SLOT, sqlite::STORAGE, triggers_on_sqlite(), sqlite::DAY),
            _ => (postgres::SLOT, postgres::STORAGE, triggers_on_postgres(), postgres::DAY),
        };
        run(manager, vec![TABLE.replace("{slot}", slot).replace("{storage}", storage)]).await?;
        // On PostgreSQL these keep writers out until the commit, so that nothing comes between them and what is filled in.
        run(manager, triggers).await?;
        let created_on = day("created_at");
        let fill = format!(
            "INSERT INTO tenant_tallies (created_on, tenants, suspended)
            SELECT {created_on}, count(*), count(suspended_at) FROM tenants GROUP BY 1"
        );
        run(manager, vec![fill]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => |name| format!("DROP TRIGGER {name}"),
            // The triggers go with the functions that they call.
            _ => |name| format!("DROP FUNCTION {name} CASCADE"),
        };
        run(manager, TRIGGERS.map(drop).to_vec()).await?;
        sql::run(manager, &["DROP TABLE tenant_tallies"]).await
    }
}

const TABLE: &str = "CREATE TABLE tenant_tallies (
    created_on bigint NOT NULL,
    slot {slot},
    tenants bigint NOT NULL,
    suspended bigint NOT NULL,
    PRIMARY KEY (created_on, slot)
) {storage}";

/// `tally_deleted_tenant` is another: it takes away what was tallied of a tenant's own.
const TRIGGERS: [&str; 3] = ["tally_new_tenants", "tally_changed_tenants", "tally_deleted_tenants"];

fn triggers_on_sqlite() -> Vec<String> {
    let suspended = |row: &str| format!("({row}.suspended_at IS NOT NULL)");
    let day = |row: &str| sqlite::DAY(&format!("{row}.created_at"));
    let more = format!(
        "INSERT INTO tenant_tallies (created_on, tenants, suspended) VALUES ({}, 1, {})
            ON CONFLICT (created_on, slot) DO UPDATE SET tenants = tenants + 1, suspended = suspended + excluded.suspended;",
        day("NEW"),
        suspended("NEW")
    );
    let less = format!(
        "UPDATE tenant_tallies SET tenants = tenants - 1, suspended = suspended - {} WHERE created_on = {};",
        suspended("OLD"),
        day("OLD")
    );
    // Other updates don't come to so much as the condition.
    let changed = "UPDATE OF suspended_at, created_at ON tenants
        WHEN (OLD.suspended_at IS NULL) <> (NEW.suspended_at IS NULL) OR OLD.created_at <> NEW.created_at";
    let moved = format!("{less} {more}");
    let bodies = [("INSERT ON tenants", more), (changed, moved), ("DELETE ON tenants", less)];
    let create = |(name, (event, body))| format!("CREATE TRIGGER {name} AFTER {event} BEGIN {body} END");
    TRIGGERS.into_iter().zip(bodies).map(create).collect()
}

fn triggers_on_postgres() -> Vec<String> {
    let shares = |rows: &str, sign: &str| {
        let created_on = postgres::DAY("created_at");
        format!(
            "SELECT {created_on} AS created_on, {sign}1 AS tenants, {sign}(suspended_at IS NOT NULL)::int AS suspended FROM {rows}"
        )
    };
    let (more, less) = (shares("new_rows", ""), shares("old_rows", "-"));
    let moved = format!("{more} UNION ALL {less}");
    let bodies = [
        ("INSERT ON tenants", postgres::NEW, count(&more)),
        ("UPDATE ON tenants", postgres::CHANGED, count(&moved)),
        ("DELETE ON tenants", postgres::DELETED, count(&less)),
    ];
    let create = |(name, (event, called, body)): (&str, (&str, &str, String))| postgres::create(name, event, called, &body);
    TRIGGERS.into_iter().zip(bodies).flat_map(create).collect()
}

/// Counts tenants on PostgreSQL, those of a day together; of what stays as it was nothing is written.
fn count(shares: &str) -> String {
    let counts = [("tenants", "change.tenants"), ("suspended", "change.suspended")];
    let add = postgres::add("tenant_tallies", &[("created_on", "change.created_on")], &counts);
    format!(
        "FOR change IN
            SELECT created_on, sum(tenants)::bigint AS tenants, sum(suspended)::bigint AS suspended FROM ({shares}) AS shares
            GROUP BY created_on HAVING sum(tenants) <> 0 OR sum(suspended) <> 0
        LOOP
            {add}
        END LOOP;"
    )
}
