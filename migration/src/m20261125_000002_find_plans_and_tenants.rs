//! What the filters of plans and tenants look through. A version from before makes plans that a search doesn't find until they change.

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DeriveMigrationName, Statement, sqlx::types::Uuid},
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
        sql::run(manager, &["ALTER TABLE plans ADD COLUMN search_text text NOT NULL DEFAULT ''"]).await?;
        fold_names(manager).await?;
        sql::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BACK).await
    }
}

/// A tenant's identifier comes second: lists go by it, so a page reads its own rows and no more.
const INDEXES: &[&str] = &[
    "DROP INDEX subscriptions_plan",
    "CREATE INDEX subscriptions_plan ON subscriptions (plan_id, tenant_id)",
    "CREATE INDEX subscriptions_state ON subscriptions (state, tenant_id)",
    "CREATE INDEX tenants_suspended ON tenants (id) WHERE suspended_at IS NOT NULL",
];

const BACK: &[&str] = &[
    "DROP INDEX tenants_suspended",
    "DROP INDEX subscriptions_state",
    "DROP INDEX subscriptions_plan",
    "CREATE INDEX subscriptions_plan ON subscriptions (plan_id)",
    "ALTER TABLE plans DROP COLUMN search_text",
];

/// Lower case by Rust's rules: databases fold only ASCII alike.
async fn fold_names(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let backend = db.get_database_backend();
    for plan in db.query_all_raw(Statement::from_string(backend, "SELECT id, name FROM plans")).await? {
        let (id, name): (Uuid, String) = (plan.try_get("", "id")?, plan.try_get("", "name")?);
        let values = [id.into(), name.to_lowercase().into()];
        let fold = "UPDATE plans SET search_text = $2 WHERE id = $1";
        db.execute_raw(Statement::from_sql_and_values(backend, fold, values)).await?;
    }
    Ok(())
}
