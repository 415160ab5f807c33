//! The keys that the digests of this database were made with are known by their fingerprints.
//!
//! None is known at first: the next server that starts writes those of its key ring. The version before reads and writes none of it.

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
        sql::run(manager, &[SIGNING_KEYS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE signing_keys"]).await
    }
}

const SIGNING_KEYS: &str = "
CREATE TABLE signing_keys (
    key_id text NOT NULL PRIMARY KEY,
    fingerprint {bytes} NOT NULL,
    known_since {timestamp} NOT NULL
)";
