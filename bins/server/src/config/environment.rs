//! Where the server runs.

use std::net::SocketAddr;

/// What the server is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For its developers or to try it out: what is missing is made, and mail is shown.
    Development,
    /// For its tenants: what is missing or unsafe stops the start.
    Production,
}

impl Environment {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Development, Self::Production].into_iter().find(|environment| environment.as_str() == text)
    }

    /// What a server is run for that doesn't say: whom strangers can reach is not being tried out.
    pub fn by_address(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Development } else { Self::Production }
    }
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For collectors: one object a line.
    Json,
}

impl LogFormat {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pretty, Self::Json].into_iter().find(|format| format.as_str() == text)
    }
}
