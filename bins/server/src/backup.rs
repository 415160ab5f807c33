//! `backup` and `restore`: the embedded database as one file.

use std::path::{Path, PathBuf};

use tenantry_domain::{
    Clock as _, Context, StoreError, SystemClock, SystemEntropy, Timestamp, compare_key_ring,
    ports::{SigningKeyReads as _, Store as _},
};
use tenantry_migration::MigrateError;
use tenantry_persistence::{BackupError, Contents, RestoreOptions, Restored};

use crate::{
    config::{Config, Key},
    database::{self, DatabaseError},
    database_keys, keys, terminal,
};

/// Why there is no backup, or none was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupVerbError {
    #[error(
        "the database is PostgreSQL, whose own programs back it up while servers serve: \
         pg_dump --format=custom --no-owner --file=FILE --dbname=\"${}\"",
        Key::DATABASE_URL.env_name()
    )]
    PostgresBackup,
    #[error(
        "the database is PostgreSQL, whose own programs restore it. Stop the servers, then: \
         pg_restore --clean --if-exists --no-owner --single-transaction --exit-on-error --dbname=\"${}\" FILE",
        Key::DATABASE_URL.env_name()
    )]
    PostgresRestore,
    #[error("{0}: --replace")]
    Exists(BackupError),
    #[error("{0}: --yes, after which they are kept as a backup first")]
    HoldsRows(BackupError),
    #[error(transparent)]
    Backup(BackupError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("the database was restored, but can't be read")]
    Unreadable(#[from] StoreError),
}

impl From<BackupError> for BackupVerbError {
    fn from(failure: BackupError) -> Self {
        match failure {
            BackupError::Exists { .. } => Self::Exists(failure),
            BackupError::HoldsRows { .. } => Self::HoldsRows(failure),
            _ => Self::Backup(failure),
        }
    }
}

/// Writes the configured database into a file.
pub async fn make(config: &Config, file: &Path, replace: bool) -> Result<(), BackupVerbError> {
    if config.database.url.sqlite_file().is_none() {
        return Err(BackupVerbError::PostgresBackup);
    }
    let contents = tenantry_persistence::back_up(config.database.url.reveal(), file, replace).await?;
    terminal::say(format!("wrote {}: {}", file.display(), described(&contents)));
    let pending = tenantry_migration::status(config.database.url.reveal()).await?.pending();
    if !pending.is_empty() {
        terminal::remark(format!(
            "The database lacks {} step(s) of this version's schema, and so does the backup.",
            pending.len()
        ));
    }
    terminal::remark(format!(
        "The key ring {} isn't in it: back it up too, elsewhere. Without it nobody can use a code or a session of this backup.",
        config.keys_file.display()
    ));
    Ok(())
}

/// Replaces what the configured database holds by what a backup holds.
pub async fn restore(config: &Config, file: &Path, yes: bool, keep_sessions: bool) -> Result<(), BackupVerbError> {
    let Some(database) = config.database.url.sqlite_file() else { return Err(BackupVerbError::PostgresRestore) };
    if !file.exists() {
        // Said before a database is made for it.
        return Err(BackupError::Missing { file: file.to_owned() }.into());
    }
    let cx = Context::system(SystemClock.now(), &SystemEntropy);
    let options = RestoreOptions { replace_rows: yes, keep_sessions, keep_replaced_in: kept_name(&database, cx.now) };
    let store = database::open(&config.database).await?;
    let restored = tenantry_persistence::restore(config.database.url.reveal(), file, &options, &cx).await;
    let about_keys = match &restored {
        Ok(_) => about_keys(config, &store, cx.now).await,
        Err(_) => Ok(Vec::new()),
    };
    store.close().await;
    tell(&restored?, file, &options);
    for line in about_keys? {
        terminal::remark(line);
    }
    Ok(())
}

/// `tenantry.db.before-restore-20261126T083000.250Z`, beside the database.
fn kept_name(database: &Path, now: Timestamp) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".before-restore-{}", now.to_string().replace(['-', ':'], "")));
    name.into()
}

fn tell(restored: &Restored, file: &Path, options: &RestoreOptions) {
    let Restored { contents, replaced, gone, sessions_ended, messages_sent } = restored;
    terminal::say(format!("restored {}: {}", file.display(), described(contents)));
    if let Some(replaced) = replaced {
        terminal::say(format!("kept what it replaces in {}: {}", options.keep_replaced_in.display(), described(replaced)));
    }
    let notes = [
        (gone.activations, "activation(s) since the backup are gone; their codes can be used again"),
        (gone.codes, "code(s) issued since the backup are gone, and worth nothing"),
        (gone.tenants, "tenant(s) made since the backup are gone"),
        (gone.operators_back, "operator(s) that had been removed since the backup are back: see whether they should be"),
        (*sessions_ended, "session(s) were ended; those who were signed in sign in again"),
        (*messages_sent, "message(s) that waited at the backup were sent since, and aren't sent again"),
    ];
    for (count, note) in notes.into_iter().filter(|(count, _)| *count > 0) {
        terminal::say(format!("{count} {note}"));
    }
    terminal::remark("The key ring isn't part of a backup: it must be the one that the servers of the backup had.");
}

fn described(contents: &Contents) -> String {
    let of = |table, name| format!("{} {name}", contents.rows_of(table));
    let some = [of("tenants", "tenants"), of("activation_codes", "codes"), of("llm_project_config", "projects")].join(", ");
    format!("{}, {} rows in {} tables ({some}), checked", size(contents.bytes), contents.rows(), contents.tables.len())
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

/// What to say of a key ring that isn't the backup's, and of keys that the restored rows need and the key ring lacks.
async fn about_keys(
    config: &Config,
    store: &tenantry_persistence::DatabaseStore,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let Ok(ring) = keys::check(&config.keys_file, config.environment) else {
        return Ok(vec![format!(
            "The key ring {} can't be read: put it there before you start a server.",
            config.keys_file.display()
        )]);
    };
    let mut lines = Vec::new();
    let known = store.reader().signing_keys().await?;
    if let Err(reason) = compare_key_ring(&known, &ring.fingerprints()) {
        let [detail, advice] = [database_keys::detail(&config.keys_file, &reason), database_keys::advice()];
        lines.push(format!("No server starts with this: {detail}. {advice}."));
    }
    let used = store.inspect().await?.keys_in_use(now).await?;
    let missing = used.into_iter().filter(|used| !ring.has(&used.key_id));
    let line = |used: tenantry_persistence::KeyInUse| {
        format!("The key ring lacks {}, which {} {} of the backup need: put it back.", used.key_id, used.rows, used.rows_of)
    };
    lines.extend(missing.map(line));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_is_kept_beside_the_database() {
        let now = Timestamp::from_unix_micros(1_772_366_400_250_000).unwrap();
        let kept = kept_name(Path::new("/data/tenantry.db"), now);
        assert_eq!(kept, Path::new("/data/tenantry.db.before-restore-20260301T120000.25Z"));
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!([12, 4_096, 1_250_000, 2_000_000_000].map(size), ["12 bytes", "4.0 kB", "1.2 MB", "2.0 GB"]);
    }
}
