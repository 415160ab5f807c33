use std::{fmt, time::Duration};

/// Which database to open, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// `sqlite://path/to/tenantry.db` or `postgres://user:password@host:5432/database`.
    pub url: String,
    /// The most connections to PostgreSQL; eight served best on two cores. SQLite has one that writes and four that read.
    pub max_connections: u32,
    /// How long a call waits for a connection, on SQLite for its turn to write, and on PostgreSQL for a lock, before the store is
    /// called unavailable.
    pub acquire_timeout: Duration,
}

impl Options {
    /// A database with the defaults: eight connections, five seconds.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 8, acquire_timeout: Duration::from_secs(5) }
    }
}

impl fmt::Debug for Options {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish_non_exhaustive()
    }
}
