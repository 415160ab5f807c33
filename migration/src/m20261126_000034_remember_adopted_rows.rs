//! What was taken over from an older portal is remembered by its key there.
//!
//! It refers to no table: what was taken over and then deleted isn't taken over again. The version before reads and writes none of it.

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
        sql::run(manager, &[ADOPTED_ROWS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE adopted_rows"]).await
    }
}

const ADOPTED_ROWS: &str = "
CREATE TABLE adopted_rows (
    source text NOT NULL,
    kind text NOT NULL,
    old_key text NOT NULL,
    id {uuid} NOT NULL,
    adopted_at {timestamp} NOT NULL,
    PRIMARY KEY (source, kind, old_key)
)";
