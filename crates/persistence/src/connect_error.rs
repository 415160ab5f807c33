use std::path::PathBuf;

use sqlx::{error::DatabaseError, postgres::PgConnectOptions};

use crate::error::Cause;

/// Why a database can't be opened. No text has the address's password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none that Tenantry understands.
    #[error(
        "the database address is not valid: expected `sqlite://path/to/tenantry.db` or `postgres://user:password@host:5432/database`, \
         with other characters than letters, digits and `-._~` in the password percent-encoded"
    )]
    InvalidUrl,
    /// A SQLite database that each connection would have one of its own of.
    #[error("a SQLite database in memory can't be shared by connections: use a file, such as `sqlite://tenantry.db`")]
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
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody answers at the address.
    #[error("no PostgreSQL answers at {server}: check the address and port, and that the server runs and may be reached")]
    Unreachable {
        /// Host and port, or the socket.
        server: String,
        /// What the connection ended with.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
}

impl ConnectError {
    /// What PostgreSQL, or the way to it, says against a first connection.
    pub(crate) fn from_postgres(options: &PgConnectOptions, failure: &sqlx::Error) -> Self {
        let server = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let user = options.get_username();
        match failure.as_database_error().and_then(DatabaseError::code).as_deref() {
            Some("28P01" | "28000") => Self::Refused { server, user: user.to_owned() },
            Some("3D000") => Self::DatabaseMissing { server, database: options.get_database().unwrap_or(user).to_owned() },
            _ => Self::Unreachable { server, source: Box::new(Cause::of_driver(failure)) },
        }
    }
}
