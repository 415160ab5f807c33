//! Tenantry's HTTP API.
//!
//! `routes` is the table of all paths. An endpoint extracts, calls one use case, and answers; `errors` alone decides which status and code
//! an error gets; `envelope` is what every request goes through: its id, its limits, the headers of its answer, its line in the log.
//!
//! The crate knows stores by their ports alone, and takes its configuration as values: reading it is the server's affair.

mod body;
mod client;
mod endpoints;
mod envelope;
mod errors;
mod extract;
mod in_flight;
mod paging;
mod problem;
mod routes;
mod serve;
mod state;

pub use {
    errors::ErrorCode,
    serve::{HttpSettings, serve},
    state::{AppState, Health, Readiness},
};
