//! Whether the server is alive, and whether it is ready.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use tenantry_domain::ports::Store;
use utoipa::ToSchema;

use super::{Answer, State};
use crate::{
    errors::ErrorCode,
    operation::{Operation, get},
    problem::Problem,
};

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct HealthJson {
    /// `live`, or `ready`.
    status: &'static str,
}

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/health/live", web::to(live))
            .public()
            .says("Ask whether the server is alive", "Asks no database, so that a database that is away restarts no server.")
            .answers::<HealthJson>(StatusCode::OK),
        get("/health/ready", web::to(ready::<S>))
            .public()
            .says(
                "Ask whether the server is ready",
                "The database answers, its schema is complete, and the server isn't shutting down.",
            )
            .answers::<HealthJson>(StatusCode::OK),
    ]
}

/// Alive: the process answers. Asks no database, so that a database that is away restarts no server.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(HealthJson { status: "live" })
}

/// Ready: the database is reachable, no step of the schema is missing, and the server isn't draining.
pub(crate) async fn ready<S: Store>(state: State<S>) -> Answer {
    match state.health.check().await {
        Ok(()) => Ok(HttpResponse::Ok().json(HealthJson { status: "ready" })),
        Err(reason) => Err(Problem::new(ErrorCode::Unavailable, reason).retry_after(time::Duration::SECOND)),
    }
}
