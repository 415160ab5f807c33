//! The server: sockets, workers, limits.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use ipnet::IpNet;
use tenantry_domain::{Rate, ports::Store};
use tokio::sync::Semaphore;

use crate::{
    envelope::{Envelope, envelope},
    flood::Floods,
    long_work::LongPlaces,
    problem::Problem,
    routes,
    state::AppState,
};

/// The most connections of a worker: what is slow, or idle, holds one of them and little more.
const MOST_CONNECTIONS: usize = 8192;

/// How the server treats connections and requests.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The most requests that are worked on at once, over all workers; one more is answered 503 at once. Those whose body is still arriving
    /// don't count.
    pub max_in_flight: usize,
    /// How often one address may ask what needs nobody signed in, and how often it may present tokens that open nothing; more is refused in
    /// memory, before the database is asked. `None` refuses nothing.
    pub flood: Option<Rate>,
    /// How long a request may take from its head to its answer, the reading of its body included. An answer that is streamed may take longer;
    /// work that is known to be long has ten minutes.
    pub request_timeout: Duration,
    /// How long the head of a connection's first request may take to arrive. Between requests a connection may rest.
    pub header_timeout: Duration,
    /// How long requests at hand are waited for when the server stops.
    pub shutdown_timeout: Duration,
    /// How many threads answer.
    pub workers: usize,
    /// Whether answers tell browsers to come back by TLS alone.
    pub hsts: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            max_in_flight: 1024,
            flood: Some(Rate { burst: 100, interval: time::Duration::milliseconds(100) }),
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(30),
            workers: 2,
            hsts: false,
        }
    }
}

/// Serves on a listener until the returned server is stopped by its handle. It installs no signal handlers.
///
/// # Errors
/// Where the listener can't be used.
pub fn serve<S: Store>(state: AppState<S>, settings: HttpSettings, listener: TcpListener) -> io::Result<Server> {
    let shared = Arc::new(Envelope {
        clock: Arc::clone(&state.clock),
        entropy: Arc::clone(&state.entropy),
        trusted_proxies: settings.trusted_proxies,
        in_flight: Arc::new(Semaphore::new(settings.max_in_flight.min(Semaphore::MAX_PERMITS))),
        request_timeout: settings.request_timeout,
        hsts: settings.hsts,
        observer: Arc::clone(&state.observer),
        templates: routes::Templates::new::<S>(),
        console: Arc::clone(&state.console),
    });
    let state = web::Data::new(state);
    let long_places = web::Data::new(LongPlaces::default());
    let floods = web::Data::new(Floods::new(settings.flood));
    let app = move || {
        let shared = Arc::clone(&shared);
        App::new()
            .app_data(state.clone())
            .app_data(floods.clone())
            .app_data(long_places.clone())
            .app_data(web::PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
            .app_data(web::QueryConfig::default().error_handler(|error, _| Problem::bad_query(&error).into()))
            .wrap(from_fn(move |request, next| envelope(Arc::clone(&shared), request, next)))
            .configure(routes::configure::<S>)
    };
    let server = HttpServer::new(app)
        .workers(settings.workers.max(1))
        .client_request_timeout(settings.header_timeout)
        .max_connections(MOST_CONNECTIONS)
        .client_disconnect_timeout(Duration::from_secs(5))
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
