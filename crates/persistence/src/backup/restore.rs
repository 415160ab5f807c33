use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use sea_orm::{DbBackend, EntityTrait, QueryTrait};
use tenantry_domain::{Action, AuditEvent, Context};

use crate::entities::audit_events;

use super::{
    BackupError, Contents, checksum, database_file,
    file::{MAIN, Opened},
    is_same, keep,
    replace::{self, BACKUP, Table},
    settle::{self, Settled},
};

/// How a backup is restored.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Whether the database may hold rows, which are then replaced.
    pub replace_rows: bool,
    /// Whether sessions and open sign-ins of the backup go on, except those that the replaced database knows to be over.
    pub keep_sessions: bool,
    /// Where what is replaced is kept, if it is anything: a file that doesn't exist.
    pub keep_replaced_in: PathBuf,
}

/// What became of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup holds.
    pub contents: Contents,
    /// What was replaced, as it is kept; `None` where the database was empty.
    pub replaced: Option<Contents>,
    /// What was replaced and isn't in the backup.
    pub gone: GoneSince,
    /// Sessions of tenants and operators that were ended.
    pub sessions_ended: u64,
    /// Messages that wait in the backup and had been sent or given up since; they aren't sent again.
    pub messages_sent: u64,
}

/// What the replaced database knew and the backup doesn't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoneSince {
    /// Activations: their codes can be used again.
    pub activations: u64,
    /// Codes that were issued since: they are worth nothing now.
    pub codes: u64,
    /// Tenants.
    pub tenants: u64,
    /// Operators that had been removed, and are back.
    pub operators_back: u64,
}

/// Replaces what the SQLite database at `url` holds by what the backup `file` holds, also while servers serve: in one transaction, so that
/// everybody sees the one or the other, whenever this process ends. Writers wait meanwhile; readers don't.
///
/// Before it is committed every table is held against the backup's, row by row, and every reference is checked. What is replaced is kept as
/// a backup of its own, made while nobody else could write. Sessions, API keys and passwords that were ended since stay ended, and
/// links for the first operator go. An event of the audit trail says that it happened.
///
/// # Errors
/// [`BackupError`]; nothing was changed then.
pub async fn restore(url: &str, file: &Path, options: &RestoreOptions, cx: &Context<'_>) -> Result<Restored, BackupError> {
    let database = database_file(url)?;
    if is_same(&database, file) {
        return Err(BackupError::Itself { file: database });
    }
    let contents = look_at(file).await?;
    let mut opened = Opened::database(url).await?;
    let restored = restore_into(&mut opened, url, file, contents, options, cx).await;
    opened.close().await;
    restored
}

/// Sees whether a file is a sound backup.
async fn look_at(file: &Path) -> Result<Contents, BackupError> {
    let mut backup = Opened::backup(file).await?;
    backup.refuse_foreign(MAIN, file).await?;
    backup.refuse_unfinished(MAIN, file).await?;
    backup.refuse_damaged(file).await?;
    checksum::refuse_altered(file)?;
    let bytes = fs::metadata(file).map(|found| found.len()).unwrap_or(0);
    let contents = backup.contents(bytes).await.map_err(BackupError::of("reading the backup"))?;
    backup.close().await;
    Ok(contents)
}

async fn restore_into(
    opened: &mut Opened,
    url: &str,
    file: &Path,
    contents: Contents,
    options: &RestoreOptions,
    cx: &Context<'_>,
) -> Result<Restored, BackupError> {
    opened.run(format!("ATTACH $1 AS {BACKUP}"), [address(file).into()]).await.map_err(BackupError::of("opening the backup"))?;
    let failed = BackupError::of("looking at the database");
    // From here on nobody else writes, and what is seen is what is replaced. Dropped with its connection, it leaves no trace.
    opened.run("BEGIN IMMEDIATE", []).await.map_err(BackupError::of("waiting for a turn to write"))?;
    let tables = same_schema(opened, file).await?;
    let before = opened.contents(0).await.map_err(&failed)?;
    let empty = holds_nothing(&before);
    if !empty && !options.replace_rows {
        return Err(BackupError::HoldsRows { rows: before.rows(), tenants: before.rows_of("tenants") });
    }
    let replaced = if empty { None } else { Some(keep_replaced(url, &options.keep_replaced_in).await?) };
    let gone = gone_since(opened).await.map_err(&failed)?;
    settle::note(opened).await.map_err(&failed)?;
    replace::replace(opened, &tables, file).await?;
    let settled = settle::settle(opened, options.keep_sessions, cx.now).await;
    let Settled { sessions_ended, messages_sent } = settled.map_err(BackupError::of("ending what is over"))?;
    let restored = Restored { contents, replaced, gone, sessions_ended, messages_sent };
    audit(opened, &restored, options, cx).await.map_err(BackupError::of("writing the audit event"))?;
    opened.run("COMMIT", []).await.map_err(BackupError::of("the commit"))?;
    Ok(restored)
}

/// A file's address for ATTACH, which only reads it.
fn address(file: &Path) -> String {
    let mut address = "file:".to_owned();
    for &byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => address.push(char::from(byte)),
            // Writing to a string succeeds.
            _ => drop(write!(address, "%{byte:02X}")),
        }
    }
    address + "?mode=ro"
}

/// The tables of both, whose schemas must have the same steps.
async fn same_schema(opened: &mut Opened, file: &Path) -> Result<Vec<Table>, BackupError> {
    let failed = BackupError::of("comparing the schemas");
    let file = file.to_owned();
    let (ours, theirs) = (opened.steps(MAIN).await.map_err(&failed)?, opened.steps(BACKUP).await.map_err(&failed)?);
    let beyond =
        |some: &[String], others: &[String]| some.iter().filter(|step| !others.contains(step)).cloned().collect::<Vec<_>>();
    let (missing, newer) = (beyond(&ours, &theirs), beyond(&theirs, &ours));
    if !newer.is_empty() {
        return Err(BackupError::Newer { file, steps: newer });
    }
    if !missing.is_empty() {
        return Err(BackupError::Older { file, steps: missing });
    }
    let tables = replace::tables(opened).await.map_err(failed)?;
    tables.map_err(|table| BackupError::OtherTable { file, table })
}

/// Whether nobody has worked with the database: what a server writes by itself at its start is nothing.
fn holds_nothing(contents: &Contents) -> bool {
    ["plans", "tenants", "operators", "api_keys", "llm_project_config"].into_iter().all(|table| contents.rows_of(table) == 0)
}

/// Keeps what is about to be replaced, by a connection of its own: this one's transaction is under way, and nobody else's can be.
async fn keep_replaced(url: &str, file: &Path) -> Result<Contents, BackupError> {
    let mut opened = Opened::database(url).await?;
    let kept = keep::keep(&mut opened, file, false).await;
    opened.close().await;
    kept
}

async fn gone_since(opened: &mut Opened) -> sqlx::Result<GoneSince> {
    let activations = "SELECT count(*) FROM main.redemptions WHERE returned_at IS NULL
        AND id NOT IN (SELECT id FROM backup.redemptions WHERE returned_at IS NULL)";
    let gone = |table: &str| format!("SELECT count(*) FROM main.{table} WHERE id NOT IN (SELECT id FROM backup.{table})");
    Ok(GoneSince {
        activations: opened.count(activations).await?,
        codes: opened.count(gone("activation_codes")).await?,
        tenants: opened.count(gone("tenants")).await?,
        operators_back: opened
            .count("SELECT count(*) FROM backup.operators WHERE id NOT IN (SELECT id FROM main.operators)")
            .await?,
    })
}

async fn audit(opened: &mut Opened, restored: &Restored, options: &RestoreOptions, cx: &Context<'_>) -> sqlx::Result<()> {
    let sessions = if options.keep_sessions { "kept" } else { "ended" };
    let event = AuditEvent::new(cx, Action::DatabaseRestored, None, None)
        .with("rows", restored.contents.rows())
        .with("rows_replaced", restored.replaced.as_ref().map_or(0, Contents::rows))
        .with("activations_gone", restored.gone.activations)
        .with("sessions", sessions);
    let insert = audit_events::Entity::insert(audit_events::ActiveModel::from(&event)).build(DbBackend::Sqlite);
    opened.run_built(insert).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_address_has_no_sign_that_means_something_there() {
        assert_eq!(address(Path::new("/a b/50%?#.db")), "file:/a%20b/50%25%3F%23.db?mode=ro");
    }
}
