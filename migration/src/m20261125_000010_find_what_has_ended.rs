//! What finds the rows that have ended, so that deleting some doesn't read all.
//!
//! Sessions by when they were made: `expires_at` is written at each use, and an index of it would be too.

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
        sql::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BACK).await
    }
}

const INDEXES: &[&str] = &[
    "CREATE INDEX tenant_sessions_made ON tenant_sessions (created_at)",
    "CREATE INDEX operator_sessions_made ON operator_sessions (created_at)",
    "CREATE INDEX otp_challenges_made ON otp_challenges (created_at)",
    "CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL",
];

const BACK: &[&str] = &[
    "DROP INDEX outbox_settled",
    "DROP INDEX otp_challenges_made",
    "DROP INDEX operator_sessions_made",
    "DROP INDEX tenant_sessions_made",
];
