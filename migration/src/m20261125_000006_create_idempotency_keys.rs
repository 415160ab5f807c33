//! Requests that are carried out once: the keys that they are sent with, and their answers.

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
        sql::run(manager, IDEMPOTENCY_KEYS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE idempotency_keys"]).await
    }
}

/// `answer` is missing while the request is under way, or was when its server ended: `locked_until` tells.
const IDEMPOTENCY_KEYS: &[&str] = &[
    "CREATE TABLE idempotency_keys (
        key_digest {bytes} NOT NULL PRIMARY KEY,
        fingerprint {bytes} NOT NULL,
        claim_id {uuid} NOT NULL,
        answer {bytes},
        key_id text,
        locked_until {timestamp} NOT NULL,
        expires_at {timestamp} NOT NULL,
        created_at {timestamp} NOT NULL,
        CHECK ((answer IS NULL) = (key_id IS NULL))
    )",
    // For the deletion of what has expired.
    "CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at)",
];
