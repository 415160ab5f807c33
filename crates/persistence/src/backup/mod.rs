//! A SQLite database as one file, made and put back while servers serve: [`back_up`] and [`restore`].
//!
//! What a database holds is read from its own schema, here as there: a table or a column that a step of the schema adds is in both at once.

mod checksum;
mod draft;
mod error;
mod file;
mod keep;
mod replace;
mod restore;
mod settle;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{ConnectError, connection::companions};

use self::file::Opened;
pub use self::{
    error::BackupError,
    restore::{GoneSince, RestoreOptions, Restored, restore},
};

/// What a database file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The size of the file.
    pub bytes: u64,
    /// The names of the steps of its schema, in order.
    pub steps: Vec<String>,
    /// Its tables with the number of their rows, by name; less the one that lists the steps.
    pub tables: Vec<(String, u64)>,
}

impl Contents {
    /// The rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }

    /// The rows of one table; 0 where there is none of the name.
    #[must_use]
    pub fn rows_of(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }
}

/// Writes the SQLite database at `url`, as it is in one moment, into `file`, and answers what it holds. What was committed before the call is
/// in it; servers go on meanwhile.
///
/// The file is complete, checked (SQLite's integrity check, every reference) and on the disk under its name, or isn't there: until then it
/// has the name of a draft beside it. It is its owner's alone (0600). The schema is the database's, whatever this version's is.
///
/// # Errors
/// [`BackupError`]; [`Exists`](BackupError::Exists) where there is such a file already and it isn't to be replaced.
pub async fn back_up(url: &str, file: &Path, replace: bool) -> Result<Contents, BackupError> {
    let database = database_file(url)?;
    if !database.exists() {
        return Err(BackupError::Missing { file: database });
    }
    if is_same(&database, file) || is_beside(&database, file) {
        return Err(BackupError::Itself { file: file.to_owned() });
    }
    let mut opened = Opened::database(url).await?;
    opened.refuse_foreign(file::MAIN, &database).await?;
    opened.refuse_unfinished(file::MAIN, &database).await?;
    let kept = keep::keep(&mut opened, file, replace).await;
    opened.close().await;
    kept
}

/// The file of a SQLite address.
fn database_file(url: &str) -> Result<PathBuf, BackupError> {
    Ok(file::options(url)?.get_filename().to_owned())
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether a path is that of a file which SQLite keeps beside the database.
fn is_beside(database: &Path, file: &Path) -> bool {
    let folder = |path: &Path| fs::canonicalize(draft::folder_of(path)).ok();
    let is_it = |companion: &PathBuf| companion.file_name() == file.file_name() && folder(companion) == folder(file);
    folder(file).is_some() && companions(database).iter().any(is_it)
}

impl From<ConnectError> for BackupError {
    fn from(failure: ConnectError) -> Self {
        Self::Connect(failure)
    }
}
