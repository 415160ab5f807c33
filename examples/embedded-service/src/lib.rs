//! A service of its own, with activation codes inside: it has customers, gives them codes, and a code activates a project.
//!
//! All of Tenantry that it needs is [`tenantry_domain`]:
//!
//! - [`service`] is what the use cases are called with: a store, whichever it is, a key, a clock and a source of randomness.
//! - [`routes`] serves them by axum, and [`answer`] says in HTTP what they answered: above all 'why not'.
//! - [`hasher`] makes the digests that a store keeps in the place of codes.
//!
//! With the feature `database`, [`database`](mod@database) keeps it all on SQLite or PostgreSQL, by `tenantry-persistence`.

pub mod answer;
#[cfg(feature = "database")]
pub mod database;
pub mod hasher;
pub mod routes;
pub mod service;
