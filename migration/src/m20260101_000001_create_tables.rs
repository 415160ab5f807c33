//! The tables from before projects had tenants.

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
        sql::run(manager, &[PLANS, TENANTS, SUBSCRIPTIONS, ACTIVATION_CODES, LLM_PROJECT_CONFIG]).await?;
        sql::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            "DROP TABLE llm_project_config",
            "DROP TABLE activation_codes",
            "DROP TABLE subscriptions",
            "DROP TABLE tenants",
            "DROP TABLE plans",
        ];
        sql::run(manager, &statements).await
    }
}

const PLANS: &str = "
CREATE TABLE plans (
    id {uuid} NOT NULL PRIMARY KEY,
    name text NOT NULL,
    monthly_run_quota bigint NOT NULL CHECK (monthly_run_quota > 0),
    archived_at {timestamp},
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL
)";

const TENANTS: &str = "
CREATE TABLE tenants (
    id {uuid} NOT NULL PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    contact_email text NOT NULL,
    logo_url text,
    primary_color text,
    domain text,
    suspended_at {timestamp},
    search_text text NOT NULL DEFAULT '',
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL
)";

const SUBSCRIPTIONS: &str = "
CREATE TABLE subscriptions (
    id {uuid} NOT NULL PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    plan_id {uuid} NOT NULL REFERENCES plans (id) ON DELETE RESTRICT,
    state text NOT NULL,
    current_period_start {timestamp} NOT NULL,
    current_period_end {timestamp} NOT NULL,
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL
)";

const ACTIVATION_CODES: &str = "
CREATE TABLE activation_codes (
    id {uuid} NOT NULL PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    code_digest {bytes} NOT NULL,
    key_id text NOT NULL,
    hint text NOT NULL,
    label text,
    max_uses bigint NOT NULL DEFAULT 1 CHECK (max_uses >= 1),
    use_count bigint NOT NULL DEFAULT 0 CHECK (0 <= use_count AND use_count <= max_uses),
    expires_at {timestamp},
    used_at {timestamp},
    revoked_at {timestamp},
    batch_id {uuid} NOT NULL,
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL
)";

const LLM_PROJECT_CONFIG: &str = "
CREATE TABLE llm_project_config (
    id {uuid} NOT NULL PRIMARY KEY,
    project_id text NOT NULL,
    client_name text NOT NULL,
    description text,
    objectives text,
    priority text,
    created_by text,
    created_at {timestamp} NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at {timestamp} NOT NULL DEFAULT CURRENT_TIMESTAMP
)";

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX plans_name ON plans (name)",
    "CREATE UNIQUE INDEX tenants_slug ON tenants (slug)",
    "CREATE UNIQUE INDEX subscriptions_tenant ON subscriptions (tenant_id)",
    "CREATE INDEX subscriptions_plan ON subscriptions (plan_id)",
    "CREATE UNIQUE INDEX activation_codes_digest ON activation_codes (code_digest)",
    "CREATE INDEX activation_codes_page ON activation_codes (tenant_id, id)",
    "CREATE INDEX activation_codes_available ON activation_codes (tenant_id, expires_at, id)
        WHERE revoked_at IS NULL AND use_count < max_uses",
    // An index rather than a constraint: SQLite can drop it later.
    "CREATE UNIQUE INDEX llm_project_config_project_id ON llm_project_config (project_id)",
];
