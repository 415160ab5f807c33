//! Projects gain a tenant, and tenants sessions. Projects from before keep every column, without a tenant.

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DeriveMigrationName, QueryResult, Statement, TryGetable, sqlx::types::Uuid},
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
        fold_non_ascii(manager).await?;
        sql::run(manager, INDEXES).await?;
        sql::run(manager, TENANT_SESSIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        refuse_shared_slugs(manager).await?;
        sql::run(manager, BACK).await
    }
}

/// One column a statement: SQLite takes no more.
const COLUMNS: &[&str] = &[
    "ALTER TABLE llm_project_config ADD COLUMN tenant_id {uuid} NULL REFERENCES tenants (id) ON DELETE CASCADE",
    "ALTER TABLE llm_project_config ADD COLUMN activation_code_id {uuid} NULL REFERENCES activation_codes (id) ON DELETE SET NULL",
    "ALTER TABLE llm_project_config ADD COLUMN project_status varchar(20) NOT NULL DEFAULT 'active'",
    "ALTER TABLE llm_project_config ADD COLUMN started_at {timestamp} NULL",
    "ALTER TABLE llm_project_config ADD COLUMN completed_at {timestamp} NULL",
    "ALTER TABLE llm_project_config ADD COLUMN search_text text NOT NULL DEFAULT ''",
    "UPDATE llm_project_config
        SET search_text = lower(client_name || '\n' || project_id || '\n' || coalesce(description, ''))",
];

const INDEXES: &[&str] = &[
    "DROP INDEX llm_project_config_project_id",
    "CREATE UNIQUE INDEX llm_project_config_slug ON llm_project_config (tenant_id, project_id)",
    "CREATE UNIQUE INDEX llm_project_config_legacy_slug ON llm_project_config (project_id) WHERE tenant_id IS NULL",
    "CREATE INDEX llm_project_config_page ON llm_project_config (tenant_id, id)",
    "CREATE INDEX llm_project_config_legacy_page ON llm_project_config (id) WHERE tenant_id IS NULL",
    "CREATE INDEX llm_project_config_activation_code ON llm_project_config (activation_code_id)",
];

const TENANT_SESSIONS: &[&str] = &[
    "CREATE TABLE tenant_sessions (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        token_digest {bytes} NOT NULL,
        last_activity {timestamp} NOT NULL,
        expires_at {timestamp} NOT NULL,
        client_ip text,
        user_agent text,
        revoked_at {timestamp},
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL
    )",
    "CREATE UNIQUE INDEX tenant_sessions_token_digest ON tenant_sessions (token_digest)",
    "CREATE INDEX tenant_sessions_page ON tenant_sessions (tenant_id, id)",
];

const BACK: &[&str] = &[
    "DROP TABLE tenant_sessions",
    "DROP INDEX llm_project_config_activation_code",
    "DROP INDEX llm_project_config_legacy_page",
    "DROP INDEX llm_project_config_page",
    "DROP INDEX llm_project_config_legacy_slug",
    "DROP INDEX llm_project_config_slug",
    "ALTER TABLE llm_project_config DROP COLUMN search_text",
    "ALTER TABLE llm_project_config DROP COLUMN completed_at",
    "ALTER TABLE llm_project_config DROP COLUMN started_at",
    "ALTER TABLE llm_project_config DROP COLUMN project_status",
    "ALTER TABLE llm_project_config DROP COLUMN activation_code_id",
    "ALTER TABLE llm_project_config DROP COLUMN tenant_id",
    "CREATE UNIQUE INDEX llm_project_config_project_id ON llm_project_config (project_id)",
];

/// Lowers what the database's own `lower` left: beyond ASCII it folds by locale on PostgreSQL and not at all on SQLite.
async fn fold_non_ascii(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const BATCH: &str = "SELECT id, client_name, project_id, description FROM llm_project_config
        WHERE octet_length(search_text) <> length(search_text) AND id > $1 ORDER BY id LIMIT 500";
    const FOLD: &str = "UPDATE llm_project_config SET search_text = $2 WHERE id = $1";

    let db = manager.get_connection();
    let backend = db.get_database_backend();
    let mut after = Uuid::nil();
    loop {
        let rows = db.query_all_raw(Statement::from_sql_and_values(backend, BATCH, [after.into()])).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            after = column(&row, "id")?;
            let client_name = column::<String>(&row, "client_name")?.to_lowercase();
            let slug = column::<String>(&row, "project_id")?.to_lowercase();
            let description = column::<Option<String>>(&row, "description")?.unwrap_or_default().to_lowercase();
            let folded = format!("{client_name}\n{slug}\n{description}");
            db.execute_raw(Statement::from_sql_and_values(backend, FOLD, [after.into(), folded.into()])).await?;
        }
    }
}

/// Without tenants a slug is unique among all projects; where it isn't, nobody but the operator can say which project gives way.
async fn refuse_shared_slugs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const SHARED: &str =
        "SELECT project_id FROM llm_project_config GROUP BY project_id HAVING count(*) > 1 ORDER BY project_id LIMIT 1";

    let db = manager.get_connection();
    match db.query_one_raw(Statement::from_string(db.get_database_backend(), SHARED)).await? {
        None => Ok(()),
        Some(row) => Err(DbErr::Migration(format!(
            "without tenants a project_id is unique, and several projects have `{}`: rename or delete all but one, then try again",
            column::<String>(&row, "project_id")?
        ))),
    }
}

fn column<T: TryGetable>(row: &QueryResult, name: &str) -> Result<T, DbErr> {
    row.try_get("", name)
}
