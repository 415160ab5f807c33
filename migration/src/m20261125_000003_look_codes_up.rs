//! What finds codes and their events: indexes for the lists of codes, and the code or the issue that an event of the audit trail concerns.
//!
//! Each index is paid for where it changes: those of used and of revoked codes when a code gets there, those of labels and hints by every code
//! that is issued, so they hold nothing else. Decision 0016 says what that costs.
//!
//! Events from before are told what they concern where they say so; a refused try of a code by its text said nothing.

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
        let fill = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => FILL_SQLITE,
            _ => FILL_POSTGRES,
        };
        sql::run(manager, CODES).await?;
        sql::run(manager, COLUMNS).await?;
        sql::run(manager, fill).await?;
        sql::run(manager, EVENTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BACK).await
    }
}

const CODES: &[&str] = &[
    "CREATE INDEX activation_codes_hint ON activation_codes (hint)",
    "CREATE INDEX activation_codes_label ON activation_codes (label, tenant_id) WHERE label IS NOT NULL",
    "CREATE INDEX activation_codes_used_up ON activation_codes (tenant_id, expires_at, id)
        WHERE revoked_at IS NULL AND use_count >= max_uses",
    "CREATE INDEX activation_codes_revoked ON activation_codes (tenant_id, id) WHERE revoked_at IS NOT NULL",
];

const COLUMNS: &[&str] =
    &["ALTER TABLE audit_events ADD COLUMN code_id {uuid}", "ALTER TABLE audit_events ADD COLUMN batch_id {uuid}"];

/// An identifier is its kind's prefix and the hexadecimal digits of its bytes.
const FILL_SQLITE: &[&str] = &[
    "UPDATE audit_events SET code_id = unhex(substr(details ->> '$.activation_code_id', 6))
        WHERE details ->> '$.activation_code_id' LIKE 'code_%'",
    "UPDATE audit_events SET batch_id = unhex(substr(details ->> '$.batch_id', 5)) WHERE details ->> '$.batch_id' LIKE 'bat_%'",
];

const FILL_POSTGRES: &[&str] = &[
    "UPDATE audit_events SET code_id = substr(details::jsonb ->> 'activation_code_id', 6)::uuid
        WHERE details::jsonb ->> 'activation_code_id' LIKE 'code_%'",
    "UPDATE audit_events SET batch_id = substr(details::jsonb ->> 'batch_id', 5)::uuid
        WHERE details::jsonb ->> 'batch_id' LIKE 'bat_%'",
];

const EVENTS: &[&str] = &[
    "CREATE INDEX audit_events_code ON audit_events (code_id, id) WHERE code_id IS NOT NULL",
    "CREATE INDEX audit_events_batch ON audit_events (batch_id, id) WHERE batch_id IS NOT NULL",
];

const BACK: &[&str] = &[
    "DROP INDEX audit_events_batch",
    "DROP INDEX audit_events_code",
    "ALTER TABLE audit_events DROP COLUMN batch_id",
    "ALTER TABLE audit_events DROP COLUMN code_id",
    "DROP INDEX activation_codes_revoked",
    "DROP INDEX activation_codes_used_up",
    "DROP INDEX activation_codes_label",
    "DROP INDEX activation_codes_hint",
];
