//! The API's document, and the pages that show it. Everything comes from this server: nothing is loaded from elsewhere.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web::{self, Data, Path, ServiceConfig},
};
use utoipa_swagger_ui::{Config, Url};

use super::Answer;
use crate::{
    OPENAPI,
    operation::{Operation, get},
    problem::Problem,
};

/// What Swagger UI needs: its own scripts and styles, the styles that it writes into its page, and the document.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        get("/openapi.json", web::to(document))
            .public()
            .says("Read this document", "OpenAPI 3.1. `/docs` shows it as pages.")
            .answers::<serde_json::Value>(StatusCode::OK),
    ]
}

/// Registers the pages, which the document doesn't speak of.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let settings = Arc::new(Config::new([Url::new("Tenantry", "/openapi.json")]).try_it_out_enabled(true).validator_url("none"));
    config
        .service(web::redirect("/docs", "/docs/").permanent())
        .service(web::resource("/docs/{file:.*}").app_data(Data::new(settings)).route(web::get().to(page)));
}

async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type(header::ContentType::json()).body(OPENAPI)
}

async fn page(file: Path<String>, settings: Data<Arc<Config<'static>>>) -> Answer {
    let found = utoipa_swagger_ui::serve(&file, Arc::clone(&settings)).map_err(|_| Problem::internal())?;
    let file = found.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(file.bytes.into_owned()))
}
