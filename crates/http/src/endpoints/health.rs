//! Whether the server is alive, and whether it is ready.

use actix_web::HttpResponse;
use serde_json::json;
use tenantry_domain::ports::Store;

use super::{Answer, State};
use crate::{errors::ErrorCode, problem::Problem};

/// Alive: the process answers. Asks no database, so that a database that is away restarts no server.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// Ready: the database is reachable, no step of the schema is missing, and the server isn't draining.
pub(crate) async fn ready<S: Store>(state: State<S>) -> Answer {
    match state.health.check().await {
        Ok(()) => Ok(HttpResponse::Ok().json(json!({ "status": "ready" }))),
        Err(reason) => Err(Problem::new(ErrorCode::Unavailable, reason).retry_after(time::Duration::SECOND)),
    }
}
