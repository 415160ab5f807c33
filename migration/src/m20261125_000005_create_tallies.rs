//! Tallies: what a dashboard shows, counted while it happens, so that reading it costs the same however much there was before.
//!
//! A tally says how many rows of another table have something in common. Triggers keep it, so it holds whatever statement writes, and
//! what is deleted is counted no longer:
//!
//! - `code_tallies`: the codes of a tenant, and under the nil identifier those of all, by the UTC day that they expire on, in days since
//!   1970. On later days those that aren't revoked are expired.
//! - `code_expiry_tallies`: the codes of a tenant by the very moment that they expire at, for the day that is passing. The codes of one
//!   issue share their moment: a million are one row, which they wouldn't be in an index.
//! - `usage_days`: activations, returns, and refusals of tenants that there are, by UTC day.
//! - `project_tallies`: projects by status, those without a tenant among them.
//!
//! On PostgreSQL a count is spread over slots. Whoever writes takes one that no other transaction holds, and makes one where all are held:
//! nobody waits for a tally, so that tallies are no part of the order of locks. The count is the sum of its slots; a slot alone may be
//! below zero. On SQLite, whose writers take turns, there is one slot.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DeriveMigrationName},
};

use crate::sql;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (slot, storage, triggers, fill) = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => (sqlite::SLOT, sqlite::STORAGE, sqlite::triggers(), fill(sqlite::DAY, sqlite::EVERYBODY)),
            _ => (postgres::SLOT, postgres::STORAGE, postgres::triggers(), fill(postgres::DAY, postgres::EVERYBODY)),
        };
        let tables = TABLES.iter().map(|table| table.replace("{slot}", slot).replace("{storage}", storage));
        run(manager, tables.collect()).await?;
        // On PostgreSQL these keep writers out until the commit, so that nothing comes between them and what is filled in.
        run(manager, triggers).await?;
        run(manager, fill).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let triggers = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => sqlite::TRIGGERS.iter().map(|name| format!("DROP TRIGGER {name}")).collect(),
            // The triggers go with the functions that they call.
            _ => postgres::FUNCTIONS.iter().map(|name| format!("DROP FUNCTION {name} CASCADE")).collect(),
        };
        run(manager, triggers).await?;
        sql::run(manager, BACK).await
    }
}

pub(crate) async fn run(manager: &SchemaManager<'_>, statements: Vec<String>) -> Result<(), DbErr> {
    sql::run(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await
}

const TABLES: &[&str] = &[
    "CREATE TABLE code_tallies (
        tenant_id {uuid} NOT NULL,
        expires_on bigint NOT NULL,
        slot {slot},
        codes bigint NOT NULL,
        revoked bigint NOT NULL,
        exhausted bigint NOT NULL,
        PRIMARY KEY (tenant_id, expires_on, slot)
    ) {storage}",
    "CREATE TABLE code_expiry_tallies (
        tenant_id {uuid} NOT NULL,
        expires_at {timestamp} NOT NULL,
        slot {slot},
        codes bigint NOT NULL,
        revoked bigint NOT NULL,
        exhausted bigint NOT NULL,
        PRIMARY KEY (tenant_id, expires_at, slot)
    ) {storage}",
    "CREATE INDEX code_expiry_tallies_moment ON code_expiry_tallies (expires_at)",
    "CREATE TABLE usage_days (
        day bigint NOT NULL,
        slot {slot},
        activations bigint NOT NULL,
        returns bigint NOT NULL,
        refusals bigint NOT NULL,
        PRIMARY KEY (day, slot)
    ) {storage}",
    "CREATE TABLE project_tallies (
        slot {slot},
        pending bigint NOT NULL,
        active bigint NOT NULL,
        paused bigint NOT NULL,
        completed bigint NOT NULL,
        PRIMARY KEY (slot)
    ) {storage}",
    // For all tenants' use of one month.
    "CREATE INDEX usage_months_month ON usage_months (year, month)",
];

const BACK: &[&str] = &[
    "DROP INDEX usage_months_month",
    "DROP TABLE project_tallies",
    "DROP TABLE usage_days",
    "DROP TABLE code_expiry_tallies",
    "DROP TABLE code_tallies",
];

/// The day of codes that never expire: later than every day.
const NEVER: &str = "2147483647";

/// What there is already. `day` turns a moment into its day; `everybody` is the nil identifier.
fn fill(day: fn(&str) -> String, everybody: &str) -> Vec<String> {
    let expires_on = expires_on(day, "expires_at");
    let counts = "count(*), count(revoked_at), count(CASE WHEN revoked_at IS NULL AND use_count >= max_uses THEN 1 END)";
    let (redeemed, returned, refused) = (day("redeemed_at"), day("returned_at"), day("created_at"));
    vec![
        format!(
            "INSERT INTO code_tallies (tenant_id, expires_on, codes, revoked, exhausted)
            SELECT tenant_id, {expires_on}, {counts} FROM activation_codes GROUP BY 1, 2
            UNION ALL SELECT {everybody}, {expires_on}, {counts} FROM activation_codes GROUP BY 1, 2"
        ),
        format!(
            "INSERT INTO code_expiry_tallies (tenant_id, expires_at, codes, revoked, exhausted)
            SELECT tenant_id, expires_at, {counts} FROM activation_codes WHERE expires_at IS NOT NULL GROUP BY 1, 2"
        ),
        format!(
            "INSERT INTO usage_days (day, activations, returns, refusals)
            SELECT day, sum(activations), sum(returns), sum(refusals) FROM (
                SELECT {redeemed} AS day, 1 AS activations, 0 AS returns, 0 AS refusals FROM redemptions
                UNION ALL SELECT {returned}, 0, 1, 0 FROM redemptions WHERE returned_at IS NOT NULL
                UNION ALL SELECT {refused}, 0, 0, 1 FROM audit_events
                    WHERE action = 'activation.refused' AND tenant_id IN (SELECT id FROM tenants)
            ) AS happened GROUP BY day"
        ),
        "INSERT INTO project_tallies (pending, active, paused, completed)
        SELECT count(CASE project_status WHEN 'pending' THEN 1 END), count(CASE project_status WHEN 'active' THEN 1 END),
            count(CASE project_status WHEN 'paused' THEN 1 END), count(CASE project_status WHEN 'completed' THEN 1 END)
        FROM llm_project_config"
            .to_owned(),
    ]
}

/// The day that codes expire on, by their moment.
pub(crate) fn expires_on(day: fn(&str) -> String, expires_at: &str) -> String {
    format!("coalesce({}, {NEVER})", day(expires_at))
}
