//! An activation writes two trees less, and on SQLite its tallies need no lists in between.
//!
//! Whether a project has a live redemption, and which redemptions it has, is found by one index: its second part is the same for live ones, and
//! each its own for those that were returned. Projects without a code, which nobody looks up by their code, are in no index of codes. And a
//! trigger names each row that it changes by its whole key, so that SQLite goes there and collects nothing first.

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DeriveMigrationName},
};

use crate::{
    m20261125_000005_create_tallies::{
        expires_on,
        sqlite::{DAY, EVERYBODY},
    },
    m20261126_000035_lighten_tallies::{
        CHANGED_CODE, CHANGED_PROJECT, changed_code, changed_project, code_changes, project_changes, replace, trigger,
    },
    sql,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let none = match manager.get_connection().get_database_backend() {
            DbBackend::Sqlite => "x'00000000000000000000000000000000'",
            _ => "'00000000-0000-0000-0000-000000000000'::uuid",
        };
        let live = format!(
            "CREATE UNIQUE INDEX redemptions_live ON redemptions (project_id, (CASE WHEN returned_at IS NULL THEN {none} ELSE id END))"
        );
        let indexes = [
            "DROP INDEX redemptions_live",
            &live,
            "DROP INDEX redemptions_project",
            "DROP INDEX llm_project_config_activation_code",
            "CREATE INDEX llm_project_config_activation_code ON llm_project_config (activation_code_id)
                WHERE activation_code_id IS NOT NULL",
        ];
        sql::run(manager, &indexes).await?;
        let project = format!("UPDATE project_tallies SET {} WHERE slot = 0;", project_changes());
        triggers(manager, &code_by_whole_keys(), &project).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = [
            "DROP INDEX llm_project_config_activation_code",
            "CREATE INDEX llm_project_config_activation_code ON llm_project_config (activation_code_id)",
            "CREATE INDEX redemptions_project ON redemptions (project_id)",
            "DROP INDEX redemptions_live",
            "CREATE UNIQUE INDEX redemptions_live ON redemptions (project_id)
                WHERE returned_at IS NULL AND project_id IS NOT NULL",
        ];
        sql::run(manager, &indexes).await?;
        triggers(manager, &changed_code(), &changed_project()).await
    }
}

/// Makes the triggers of a changed code and a changed project anew.
async fn triggers(manager: &SchemaManager<'_>, code: &str, project: &str) -> Result<(), DbErr> {
    let names = ["tally_changed_code", "tally_changed_project"];
    let [of_code, of_project] = names;
    let new = vec![trigger(of_code, CHANGED_CODE, code), trigger(of_project, CHANGED_PROJECT, project)];
    replace(manager, &names, new).await
}

fn code_by_whole_keys() -> String {
    let (changes, expires_on) = (code_changes(), expires_on(DAY, "NEW.expires_at"));
    let of = |tenant: &str| {
        format!("UPDATE code_tallies SET {changes} WHERE tenant_id = {tenant} AND expires_on = {expires_on} AND slot = 0;")
    };
    let tenants = of("NEW.tenant_id") + &of(EVERYBODY);
    format!(
        "{tenants}
        UPDATE code_expiry_tallies SET {changes} WHERE tenant_id = NEW.tenant_id AND expires_at = NEW.expires_at AND slot = 0;"
    )
}
