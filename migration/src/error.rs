use std::{io, path::PathBuf};

use sea_orm_migration::DbErr;

/// Why a database could not be migrated, or its status not be read. No text has the address's password.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The address is none that Tenantry understands.
    #[error(
        "the database address is not valid: expected `sqlite://path/to/tenantry.db` or `postgres://user:password@host:5432/database`, \
         with other characters than letters, digits and `-._~` in the password percent-encoded"
    )]
    InvalidUrl,
    /// A database that only one connection sees, and that ends with it.
    #[error("a SQLite database in memory can't be migrated: use a file, such as `sqlite://tenantry.db`")]
    InMemory,
    /// SQLite makes the file, not the folder.
    #[error("the folder `{}` doesn't exist: create it, or correct the database address", folder.display())]
    FolderMissing {
        /// The folder of the address.
        folder: PathBuf,
    },
    /// The file is there or could be made, but not by this process.
    #[error("`{}` can't be opened as a SQLite database: check that it is one, and that this process may write it and its folder", file.display())]
    FileRefused {
        /// The file of the address.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        source: DbErr,
    },
    /// Nobody answers at the address.
    #[error("no PostgreSQL answers at {server}: check the address and port, and that the server runs and may be reached")]
    Unreachable {
        /// Host and port, or the socket.
        server: String,
        /// What the connection ended with.
        #[source]
        source: DbErr,
    },
    /// The server answers and doesn't know the user, its password, or this host.
    #[error("PostgreSQL at {server} refused the user `{user}`: check the user, the password, and the server's pg_hba.conf")]
    Refused {
        /// Host and port, or the socket.
        server: String,
        /// The user of the address.
        user: String,
    },
    /// The server answers and has no such database.
    #[error("PostgreSQL at {server} has no database `{database}`: create it with `createdb {database}`, or correct the address")]
    DatabaseMissing {
        /// Host and port, or the socket.
        server: String,
        /// The database of the address.
        database: String,
    },
    /// The file that keeps other migrators of a SQLite database waiting can't be made or locked.
    #[error("the lock file `{}` can't be used: check that this process may write it", file.display())]
    LockFile {
        /// The lock file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another migrator is at work on the database.
    #[error("another tenantry-migrator is at work on the database: wait until it has ended, then try again")]
    Busy,
    /// The database has steps that this version doesn't know.
    #[error("the database was migrated by a newer version, which has {}: use that version's migrator", steps.join(", "))]
    NewerSchema {
        /// The unknown steps.
        steps: Vec<String>,
    },
    /// A step found something that it must not decide; nothing was changed.
    #[error("a step was refused and nothing was changed: {reason}")]
    StepRefused {
        /// What is in the way, and what to do about it.
        reason: String,
    },
    /// The steps left a row that refers to a missing one; nothing was changed.
    #[error("the steps would leave rows of `{table}` that refer to missing ones, so nothing was changed")]
    DanglingReference {
        /// The table of the referring rows.
        table: String,
    },
    /// Anything else; nothing was changed.
    #[error("the database failed, and nothing was changed")]
    Failed(#[source] DbErr),
}

impl From<DbErr> for MigrateError {
    fn from(failure: DbErr) -> Self {
        match failure {
            DbErr::Migration(reason) => Self::StepRefused { reason },
            other => Self::Failed(other),
        }
    }
}
