//! Being the only migrator of a database, for longer than a transaction.

use std::{fmt, fs::File};

use sea_orm_migration::sea_orm::sqlx::{self, ConnectOptions as _, Row as _, postgres::PgConnection};
use tokio::time;

use crate::{
    MigrateError,
    connection::{PATIENCE, Target, refusal},
    lock::{ADVISORY_KEY, try_lock_file},
};

/// No other migrator is at work on a database: neither `up` and `down`, nor a [`copy`](fn@crate::copy) into it, nor another who is alone. Ends when it is
/// dropped, or with the process.
pub struct Alone {
    _held: Held,
}

enum Held {
    File { _locked: File },
    Session { _connection: Box<PgConnection> },
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alone")
    }
}

impl Alone {
    /// Sees that no other migrator is at work on the database of an address, and keeps others waiting.
    ///
    /// # Errors
    /// [`MigrateError::Busy`] where one is; it isn't waited for.
    pub async fn on(url: &str) -> Result<Self, MigrateError> {
        let held = match Target::parse(url)? {
            Target::Sqlite { file, .. } => Held::File { _locked: try_lock_file(&file).await?.ok_or(MigrateError::Busy)? },
            Target::Postgres(options) => {
                let options = options.application_name("tenantry-migrator").disable_statement_logging();
                let connected = time::timeout(PATIENCE, options.connect()).await;
                let connected = connected.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
                let mut connection = connected.map_err(|failure| refusal(&options, failure))?;
                let lock = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(ADVISORY_KEY).fetch_one(&mut connection).await;
                let locked = lock.and_then(|row| row.try_get::<bool, _>(0)).map_err(|failure| refusal(&options, failure))?;
                if !locked {
                    return Err(MigrateError::Busy);
                }
                Held::Session { _connection: Box::new(connection) }
            }
        };
        Ok(Self { _held: held })
    }
}
