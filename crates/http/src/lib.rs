//! Tenantry's HTTP API.
//!
//! `routes` is the table of all operations, and `openapi`, where the feature by that name is, makes the document of it; what is served is the one
//! that lies beside the sources. An endpoint extracts, calls one use case, and answers; `errors` alone decides which status and code an error
//! gets; `envelope` is what every request goes through: its id, its limits, the headers of its answer, its line in the log.
//!
//! `console` has the pages of the two consoles, which call the same use cases.
//!
//! The crate knows stores by their ports alone, and takes its configuration as values: reading it is the server's affair.

mod again;
mod body;
mod change;
mod client;
mod conditional;
mod console;
mod csv_answer;
mod csv_lines;
mod endpoints;
mod envelope;
mod errors;
mod extract;
mod flood;
mod import_report;
mod in_flight;
mod kept;
mod long_work;
mod observer;
mod once;
#[cfg(any(test, feature = "openapi"))]
mod openapi;
mod operation;
mod paging;
mod problem;
mod routes;
mod same_origin;
mod schema;
mod serve;
mod state;
mod trace_context;

pub use {
    errors::ErrorCode,
    observer::{Door, Ended, Failure, Observer, Occasion, Unobserved},
    routes::operator_routes,
    serve::{HttpSettings, serve},
    state::{AppState, ConsoleSettings, Health, Readiness},
    trace_context::TraceContext,
};

/// The API's document, OpenAPI 3.1, as every server has it at `/openapi.json`: JSON with a line for each value, ending in a line feed.
///
/// What `openapi`, of the feature by that name, makes of the table; a test of this repository holds the two to each other.
pub const OPENAPI: &str = include_str!("../openapi.json");

#[cfg(any(test, feature = "openapi"))]
pub use openapi::openapi;

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
