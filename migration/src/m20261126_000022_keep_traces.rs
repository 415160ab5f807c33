//! Audit events say in which trace they happened, and messages by which request and in which trace they were caused.
//!
//! The version before writes neither, and reads none of it.

use sea_orm_migration::{DbErr, MigrationTrait, SchemaManager, async_trait::async_trait, sea_orm::DeriveMigrationName};

use crate::sql;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, COLUMNS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, DROPS).await
    }
}

const COLUMNS: &[&str] = &[
    "ALTER TABLE audit_events ADD COLUMN trace_id text",
    "ALTER TABLE outbox ADD COLUMN request_id text",
    "ALTER TABLE outbox ADD COLUMN trace_id text",
];

const DROPS: &[&str] = &[
    "ALTER TABLE outbox DROP COLUMN trace_id",
    "ALTER TABLE outbox DROP COLUMN request_id",
    "ALTER TABLE audit_events DROP COLUMN trace_id",
];
