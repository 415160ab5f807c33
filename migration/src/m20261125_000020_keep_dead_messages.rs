//! Messages that could not be sent stay, with what they say and why, until somebody puts them back or discards them.
//!
//! The version before claims what isn't settled, so it leaves the dead alone; what it gives up it drops, as it always has. SQLite can't
//! change a CHECK, so there the table is made anew.

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
        sql::run(manager, COLUMNS).await?;
        match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => sql::run(manager, ANEW).await?,
            _ => sql::run(manager, ALLOW_DEAD).await?,
        }
        sql::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BURY).await?;
        match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => sql::run(manager, AS_BEFORE).await,
            _ => sql::run(manager, FORBID_DEAD).await,
        }
    }
}

/// `attempts` only grows, so that a claim is told from every later one; `forgiven` are those that don't count any more.
const COLUMNS: &[&str] = &[
    "ALTER TABLE outbox ADD COLUMN forgiven bigint NOT NULL DEFAULT 0 CHECK (forgiven >= 0)",
    "ALTER TABLE outbox ADD COLUMN last_error text",
];

const ALLOW_DEAD: &[&str] = &[
    "ALTER TABLE outbox DROP CONSTRAINT outbox_outcome_check",
    "ALTER TABLE outbox ADD CONSTRAINT outbox_outcome_check CHECK (outcome IN ('sent', 'dropped', 'dead'))",
];

const ANEW: &[&str] = &[
    "CREATE TABLE outbox_anew (
        id {uuid} NOT NULL PRIMARY KEY,
        topic text NOT NULL,
        key_id text NOT NULL,
        payload {bytes},
        available_at {timestamp} NOT NULL,
        not_after {timestamp},
        attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        settled_at {timestamp},
        outcome text CHECK (outcome IN ('sent', 'dropped', 'dead')),
        created_at {timestamp} NOT NULL,
        forgiven bigint NOT NULL DEFAULT 0 CHECK (forgiven >= 0),
        last_error text
    )",
    "INSERT INTO outbox_anew SELECT id, topic, key_id, payload, available_at, not_after, attempts, settled_at, outcome, created_at,
        forgiven, last_error FROM outbox",
    "DROP TABLE outbox",
    "ALTER TABLE outbox_anew RENAME TO outbox",
    DUE,
    SETTLED,
];

/// The indexes that went with the table.
const DUE: &str = "CREATE INDEX outbox_due ON outbox (available_at, id) WHERE settled_at IS NULL";
const SETTLED: &str = "CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL";

const INDEXES: &[&str] = &[
    // For lists: what waits and what is dead is little among all that was sent.
    "CREATE INDEX outbox_waiting ON outbox (id) WHERE settled_at IS NULL",
    "CREATE INDEX outbox_dead ON outbox (id) WHERE outcome = 'dead'",
    // For the wiping of what is of no use any more.
    "CREATE INDEX outbox_dead_expiring ON outbox (not_after) WHERE outcome = 'dead' AND payload IS NOT NULL",
];

/// What is dead is dropped, as the version before would have done at once.
const BURY: &[&str] = &[
    "DROP INDEX outbox_dead_expiring",
    "DROP INDEX outbox_dead",
    "DROP INDEX outbox_waiting",
    "UPDATE outbox SET outcome = 'dropped', payload = NULL WHERE outcome = 'dead'",
];

const FORBID_DEAD: &[&str] = &[
    "ALTER TABLE outbox DROP CONSTRAINT outbox_outcome_check",
    "ALTER TABLE outbox ADD CONSTRAINT outbox_outcome_check CHECK (outcome IN ('sent', 'dropped'))",
    "ALTER TABLE outbox DROP COLUMN last_error",
    "ALTER TABLE outbox DROP COLUMN forgiven",
];

const AS_BEFORE: &[&str] = &[
    "CREATE TABLE outbox_before (
        id {uuid} NOT NULL PRIMARY KEY,
        topic text NOT NULL,
        key_id text NOT NULL,
        payload {bytes},
        available_at {timestamp} NOT NULL,
        not_after {timestamp},
        attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        settled_at {timestamp},
        outcome text CHECK (outcome IN ('sent', 'dropped')),
        created_at {timestamp} NOT NULL
    )",
    "INSERT INTO outbox_before SELECT id, topic, key_id, payload, available_at, not_after, attempts, settled_at, outcome, created_at
        FROM outbox",
    "DROP TABLE outbox",
    "ALTER TABLE outbox_before RENAME TO outbox",
    DUE,
    SETTLED,
];
