//! Messages that wait to be sent.

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
        sql::run(manager, OUTBOX).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE outbox"]).await
    }
}

/// A claim's lease is in `available_at`; `payload` is wiped, and `outcome` is `sent` or `dropped`, once `settled_at` is set.
const OUTBOX: &[&str] = &[
    "CREATE TABLE outbox (
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
    "CREATE INDEX outbox_due ON outbox (available_at, id) WHERE settled_at IS NULL",
];
