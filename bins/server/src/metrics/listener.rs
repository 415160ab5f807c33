//! The metrics' own listener: `GET /metrics`, and nothing else. What is asked here goes through nothing of the API's.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    rt, web,
};
use tenantry_domain::Clock;
use tenantry_persistence::DatabaseStore;
use tracing::{error, info};

use super::{Metrics, scrape::Scrape};

/// What the answer is, for whoever parses it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A few scrapers, and no crowd.
const MOST_CONNECTIONS: usize = 64;

/// A listener at work.
pub struct MetricsServer(ServerHandle);

impl MetricsServer {
    /// Takes no more connections, and drops those at hand.
    pub async fn stop(self) {
        self.0.stop(false).await;
    }
}

/// Serves metrics on a listener.
///
/// # Errors
/// Where the listener can't be used.
pub fn serve(metrics: Metrics, store: DatabaseStore, clock: Arc<dyn Clock>, listener: TcpListener) -> io::Result<MetricsServer> {
    let address: SocketAddr = listener.local_addr()?;
    let scrape = web::Data::new(Scrape { metrics, store, clock, looked: Default::default() });
    let app = move || {
        let resource = web::resource("/metrics").route(web::get().to(answer)).default_service(web::to(nothing));
        App::new().app_data(scrape.clone()).service(resource).default_service(web::to(nothing))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(MOST_CONNECTIONS)
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(1))
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    rt::spawn(async move {
        if let Err(failure) = server.await {
            error!(error = %failure, "metrics are served no longer");
        }
    });
    info!(metrics.address = %address, "serving metrics");
    Ok(MetricsServer(handle))
}

async fn answer(scrape: web::Data<Scrape>) -> HttpResponse {
    match scrape.text().await {
        Ok(text) => {
            HttpResponse::Ok().insert_header((CONTENT_TYPE, OPEN_METRICS)).insert_header((CACHE_CONTROL, "no-store")).body(text)
        }
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn nothing() -> HttpResponse {
    HttpResponse::NotFound().finish()
}
