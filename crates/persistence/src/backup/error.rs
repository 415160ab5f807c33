use std::{io, path::PathBuf};

use crate::{ConnectError, error::Cause};

use super::file::is_full;

/// Why there is no backup, or why one was not restored; the database is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database can't be opened.
    #[error(transparent)]
    Connect(ConnectError),
    /// There is no such file.
    #[error("there is no file `{}`", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The name is taken.
    #[error("`{}` exists already: choose another name, or say that it is to be replaced", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// What was to be replaced is something else, or a database that is in use.
    #[error("`{}` is no backup, or is in use as a database, so it isn't replaced: choose another name", file.display())]
    NoBackup {
        /// The file.
        file: PathBuf,
    },
    /// There is no room for the file.
    #[error("the disk of `{}` is full: make room for as much as the database takes, or choose another folder; nothing was changed", folder.display())]
    Full {
        /// Where it was to be.
        folder: PathBuf,
    },
    /// The rows are those of a copy that isn't complete.
    #[error("`{}` holds an unfinished copy: let `tenantry-migrator copy` finish it, by the command that began it", file.display())]
    UnfinishedCopy {
        /// The file.
        file: PathBuf,
    },
    /// The backup and the database are one.
    #[error("`{}` is the database itself, or belongs to it", file.display())]
    Itself {
        /// The file.
        file: PathBuf,
    },
    /// The file can't be written.
    #[error("can't write `{}`", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is no database, or one of another program.
    #[error("`{}` is not a database of Tenantry", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The file's pages or its references are broken.
    #[error("`{}` is damaged: {detail}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite found first.
        detail: String,
    },
    /// The file isn't what it was when it was made.
    #[error(
        "`{}` isn't what its checksum `{}` was made of: take another backup; if you changed it yourself, remove the checksum",
        file.display(), checksum.display()
    )]
    Altered {
        /// The file.
        file: PathBuf,
        /// The file beside it.
        checksum: PathBuf,
    },
    /// The backup lacks steps of the schema.
    #[error(
        "`{}` is from an older version and lacks {} step(s) of the schema, from {} on: take a copy of it up by `tenantry-migrator up \
         --database-url sqlite://COPY` and restore that; to go back to the older version, restore it by that version's own program \
         where there is no database yet",
        file.display(), steps.len(), steps.first().map_or("?", String::as_str)
    )]
    Older {
        /// The backup.
        file: PathBuf,
        /// The steps that it lacks.
        steps: Vec<String>,
    },
    /// The backup has steps of the schema that the database lacks.
    #[error(
        "`{}` is from a newer version, which has {}: upgrade `tenantry-server` to that version, then restore",
        file.display(), steps.join(", ")
    )]
    Newer {
        /// The backup.
        file: PathBuf,
        /// The steps that the database lacks.
        steps: Vec<String>,
    },
    /// The steps are the same, and a table isn't: somebody changed it by hand.
    #[error("`{}` has another table `{table}` than the database, though their schemas have the same steps", file.display())]
    OtherTable {
        /// The backup.
        file: PathBuf,
        /// The table.
        table: String,
    },
    /// The database isn't empty, and nobody said that what it holds is to go.
    #[error("the database holds {rows} row(s), {tenants} tenant(s) among them, which would be replaced: say so if that is meant")]
    HoldsRows {
        /// All its rows.
        rows: u64,
        /// Its tenants.
        tenants: u64,
    },
    /// What was copied isn't what the backup holds; nothing was changed.
    #[error("the rows of `{table}` were not the backup's after they were copied, so nothing was changed")]
    CopyDiffers {
        /// The table.
        table: String,
    },
    /// The disk of the database is full; nothing was changed.
    #[error(
        "{doing} needs more room than the database's disk has: make room for as much as the backup takes, twice; nothing was changed"
    )]
    NoRoom {
        /// What was being done.
        doing: &'static str,
    },
    /// The database failed; nothing was changed.
    #[error("{doing} failed, and nothing was changed")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What SQLite says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BackupError {
    /// A failure of the driver.
    pub(super) fn of(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |failure| match is_full(&failure) {
            true => Self::NoRoom { doing },
            false => Self::Failed { doing, source: Box::new(Cause::of_driver(&failure)) },
        }
    }
}
