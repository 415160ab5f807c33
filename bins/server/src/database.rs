//! The database: opened at the start, watched afterwards.

use std::{
    fs::{DirBuilder, OpenOptions},
    future::Future,
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tenantry_domain::Chain;
use tenantry_http::Readiness;
use tenantry_migration::MigrateError;
use tenantry_persistence::{ConnectError, DatabaseStore, Options};
use tracing::{info, warn};

use crate::config::{DatabaseConfig, DatabaseUrl};

/// Why the database can't be served from.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The embedded database's file or folder can't be made.
    #[error("can't make the database {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// A database server lacks steps of the schema; there, migrating is a decision.
    #[error(
        "the database lacks {missing} step(s) of its schema, from {first} on: run `tenantry-migrator up` on it, then start the server"
    )]
    Behind { missing: usize, first: String },
    /// Rows are missing.
    #[error(
        "the database holds an unfinished copy: let `tenantry-migrator copy` finish it, by the command that began it, then try again"
    )]
    UnfinishedCopy,
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Opens the database. The embedded one is made and migrated first, where it has to be.
pub async fn open(config: &DatabaseConfig) -> Result<DatabaseStore, DatabaseError> {
    let url = config.url.reveal();
    let embedded = config.url.sqlite_file();
    if let Some(file) = &embedded {
        make_file(file).map_err(|source| DatabaseError::Unwritable { path: file.clone(), source })?;
    }
    let status = tenantry_migration::status(url).await?;
    if status.unfinished_copy {
        return Err(DatabaseError::UnfinishedCopy);
    }
    if let Some(first) = status.pending().into_iter().next() {
        if embedded.is_none() {
            return Err(DatabaseError::Behind { missing: status.pending().len(), first });
        }
        let steps = tenantry_migration::up(url).await?;
        info!(steps = steps.len(), "migrated the database");
    }
    if !status.newer().is_empty() {
        info!(steps = status.newer().len(), "the database was migrated by a newer version, which this one tolerates");
    }
    let options = Options { max_connections: config.max_connections, ..Options::new(url) };
    Ok(DatabaseStore::connect(&options).await?)
}

/// Makes an empty database where there is none, and its folder. SQLite gives the files that it puts beside it the same mode: its owner's
/// alone, wherever it lies.
fn make_file(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether the database answers and has every step of the schema.
pub struct DatabaseReadiness {
    store: DatabaseStore,
    url: DatabaseUrl,
    schema_seen: Mutex<Instant>,
    last: tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>,
}

impl DatabaseReadiness {
    /// How long a schema that was complete is taken to be so: looking costs a connection.
    const TRUSTED: Duration = Duration::from_secs(30);
    /// How long an answer is given again: anyone may ask, and asking must cost the database nothing to speak of.
    const FRESH: Duration = Duration::from_secs(1);

    /// Watches a store that [`open`] has just found complete.
    pub fn new(store: DatabaseStore, url: DatabaseUrl) -> Self {
        Self { store, url, schema_seen: Mutex::new(Instant::now()), last: tokio::sync::Mutex::default() }
    }

    /// What was last found out, or, after [`FRESH`](Self::FRESH), a new look: one for all who ask meanwhile, however many they are.
    async fn look(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((_, found)) = last.as_ref().filter(|(at, _)| at.elapsed() < Self::FRESH) {
            return found.clone();
        }
        let found = self.find_out().await;
        *last = Some((Instant::now(), found.clone()));
        found
    }

    async fn find_out(&self) -> Result<(), String> {
        if let Err(failure) = self.store.ping().await {
            warn!(error = %Chain(&failure), "not ready: the database does not answer");
            return Err("the database does not answer".to_owned());
        }
        if self.schema_seen.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < Self::TRUSTED {
            return Ok(());
        }
        let pending = match tenantry_migration::status(self.url.reveal()).await {
            Ok(status) if status.unfinished_copy => {
                warn!("not ready: the database holds an unfinished copy; let `tenantry-migrator copy` finish it");
                return Err("the database holds an unfinished copy".to_owned());
            }
            Ok(status) => status.pending(),
            Err(failure) => {
                warn!(error = %Chain(&failure), "not ready: the database's schema can't be read");
                return Err("the database's schema can't be read".to_owned());
            }
        };
        if !pending.is_empty() {
            warn!(steps = pending.join(", "), "not ready: the database lacks steps of its schema; run `tenantry-migrator up`");
            return Err("the database lacks steps of its schema".to_owned());
        }
        *self.schema_seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }
}

impl Readiness for DatabaseReadiness {
    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(self.look())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn config(file: &Path) -> DatabaseConfig {
        DatabaseConfig { url: DatabaseUrl::of_file(file), max_connections: 8 }
    }

    #[tokio::test]
    async fn the_embedded_database_is_made_complete_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("new/100% data/tenantry.db"));
        let store = open(&config).await.unwrap();
        let made = config.url.sqlite_file().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(made.parent().unwrap()), mode(&made)), (0o700, 0o600));
        let readiness = DatabaseReadiness::new(store.clone(), config.url.clone());
        assert_eq!(readiness.find_out().await, Ok(()));
        store.close().await;
        assert_eq!(readiness.find_out().await, Err("the database does not answer".to_owned()));
        open(&config).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_server_whose_schema_was_taken_back_is_not_ready() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("tenantry.db"));
        let store = open(&config).await.unwrap();
        let Some(long_ago) = Instant::now().checked_sub(DatabaseReadiness::TRUSTED) else { return };
        let readiness =
            DatabaseReadiness { schema_seen: Mutex::new(long_ago), ..DatabaseReadiness::new(store, config.url.clone()) };
        assert_eq!(readiness.find_out().await, Ok(()));
        *readiness.schema_seen.lock().unwrap() = long_ago;
        tenantry_migration::down(config.url.reveal(), 1).await.unwrap();
        assert_eq!(readiness.find_out().await, Err("the database lacks steps of its schema".to_owned()));
    }
}
