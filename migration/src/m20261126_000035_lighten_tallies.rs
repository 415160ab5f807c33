//! On SQLite an activation's tallies are one statement where they were several: what a row was and what it is are counted together.
//!
//! A trigger runs within the one writer's turn, for which all others wait. The tallies are the same before and after, whichever version writes.

use sea_orm_migration::{
    DbErr, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DeriveMigrationName},
};

use crate::{
    m20261125_000005_create_tallies::{
        expires_on,
        sqlite::{DAY, EVERYBODY, MORE_USE, add_code, exhausted, revoked, take_code, triggers},
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
        replace(manager, &BEFORE, after()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let before = |trigger: &String| BEFORE.iter().any(|name| trigger.contains(&format!(" {name} ")));
        replace(manager, &AFTER, triggers().into_iter().filter(before).collect()).await
    }
}

/// Makes triggers anew, on SQLite.
pub(crate) async fn replace(manager: &SchemaManager<'_>, former: &[&str], new: Vec<String>) -> Result<(), DbErr> {
    if manager.get_connection().get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let dropped = former.iter().map(|name| format!("DROP TRIGGER {name}"));
    let statements: Vec<String> = dropped.chain(new).collect();
    sql::run(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await
}

const BEFORE: [&str; 3] = ["tally_changed_code", "tally_new_redemption", "tally_changed_project"];
const AFTER: [&str; 5] =
    ["tally_changed_code", "tally_moved_code", "tally_new_redemption", "tally_new_return", "tally_changed_project"];

/// A trigger of SQLite's.
pub(crate) fn trigger(name: &str, event: &str, body: &str) -> String {
    format!("CREATE TRIGGER {name} AFTER {event} BEGIN {body} END")
}

pub(crate) const CHANGED_CODE: &str = "UPDATE ON activation_codes WHEN OLD.expires_at IS NEW.expires_at AND OLD.tenant_id = NEW.tenant_id
                AND ((OLD.revoked_at IS NULL) <> (NEW.revoked_at IS NULL) OR (OLD.use_count >= OLD.max_uses) <> (NEW.use_count >= NEW.max_uses))";

pub(crate) const CHANGED_PROJECT: &str = "UPDATE ON llm_project_config WHEN OLD.project_status <> NEW.project_status";

fn after() -> Vec<String> {
    let day = DAY("NEW.redeemed_at");
    let returned = DAY("NEW.returned_at");
    let bodies = [
        (CHANGED_CODE, changed_code()),
        (
            "UPDATE ON activation_codes WHEN OLD.expires_at IS NOT NEW.expires_at OR OLD.tenant_id <> NEW.tenant_id",
            take_code("OLD") + &add_code("NEW"),
        ),
        (
            "INSERT ON redemptions",
            format!("INSERT INTO usage_days (day, activations, returns, refusals) VALUES ({day}, 1, 0, 0) {MORE_USE};"),
        ),
        (
            "INSERT ON redemptions WHEN NEW.returned_at IS NOT NULL",
            format!("INSERT INTO usage_days (day, activations, returns, refusals) VALUES ({returned}, 0, 1, 0) {MORE_USE};"),
        ),
        (CHANGED_PROJECT, changed_project()),
    ];
    AFTER.into_iter().zip(bodies).map(|(name, (event, body))| trigger(name, event, &body)).collect()
}

/// How a changed code changes its tallies.
pub(crate) fn code_changes() -> String {
    let more = |count: &str, of: fn(&str) -> String| format!("{count} = {count} + {} - {}", of("NEW"), of("OLD"));
    [more("revoked", revoked), more("exhausted", exhausted)].join(", ")
}

pub(crate) fn changed_code() -> String {
    let changes = code_changes();
    let expires_on = expires_on(DAY, "NEW.expires_at");
    format!(
        "UPDATE code_tallies SET {changes} WHERE tenant_id IN (NEW.tenant_id, {EVERYBODY}) AND expires_on = {expires_on};
        UPDATE code_expiry_tallies SET {changes} WHERE tenant_id = NEW.tenant_id AND expires_at = NEW.expires_at;"
    )
}

/// How a changed project changes the tally of all.
pub(crate) fn project_changes() -> String {
    let count =
        |status: &str| format!("{status} = {status} + (NEW.project_status = '{status}') - (OLD.project_status = '{status}')");
    ["pending", "active", "paused", "completed"].map(count).join(", ")
}

pub(crate) fn changed_project() -> String {
    format!("UPDATE project_tallies SET {};", project_changes())
}
