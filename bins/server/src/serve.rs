//! Serving: everything is put together here, and taken down in order.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{dev::ServerHandle, rt};
use tenantry_domain::{Clock, Context, Entropy, SystemClock, SystemEntropy};
use tenantry_http::{AppState, ConsoleSettings, Health};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    bootstrap_link,
    config::{Config, Environment, Key, PublicUrl},
    database::{self, DatabaseError, DatabaseReadiness},
    database_keys::{self, DatabaseKeysError},
    demo::{self, DemoError},
    greeting::{Greeting, reachable},
    housekeeping::{Housekeeper, RunningHousekeeper},
    keys::{self, KeysError},
    mail::{Mailer, RunningMailer, Transport, TransportError},
    metrics::{self, Metrics},
    observer::RequestObserver,
    older_codes,
    operator_key::OperatorKeys,
    service_manager::{ServiceManager, Told},
    terminal,
    webhooks::{CallRules, Caller, CallerError, Notifier, RunningNotifier, SystemResolver},
};

/// How long the database's connections have to close.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Why the server doesn't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("--demo is for development, and this server is in production")]
    DemoInProduction,
    #[error("can't listen on {address}; --bind or {} chooses another address", Key::HTTP_BIND.env_name())]
    Listen { address: SocketAddr, source: io::Error },
    #[error("can't listen on {address} for metrics; {} chooses another address", Key::METRICS_BIND.env_name())]
    ListenForMetrics { address: SocketAddr, source: io::Error },
    #[error("signals can't be waited for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    DatabaseKeys(#[from] DatabaseKeysError),
    #[error(transparent)]
    Mail(#[from] TransportError),
    #[error(transparent)]
    Webhooks(#[from] CallerError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("the HTTP server failed")]
    Http(#[source] io::Error),
}

/// Serves until a signal says to stop.
pub async fn serve(config: Config, with_demo: bool) -> Result<(), ServeError> {
    if with_demo && config.environment == Environment::Production {
        return Err(ServeError::DemoInProduction);
    }
    warn_of(&config);
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let unbound = |source| ServeError::Listen { address: config.http.bind, source };
    let listener = TcpListener::bind(config.http.bind).map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    let metrics_listener = match config.metrics.bind {
        Some(address) => {
            let unbound = |source| ServeError::ListenForMetrics { address, source };
            Some(TcpListener::bind(address).map_err(unbound)?)
        }
        None => None,
    };
    let metrics = Metrics::new(clock.now());
    let found = keys::find(&config.keys_file, config.environment)?;
    let store = tokio::select! {
        opened = database::open(&config.database) => opened?,
        // Another process's migration can be waited for, and not be waited for any longer.
        () = signals.next() => return Ok(()),
    };
    let keys = database_keys::found_or_made(&config, found, &store, entropy.as_ref()).await?;
    let operators = OperatorKeys::new(&config, &keys, entropy.as_ref());
    database_keys::admit(&config, &store, &Context::system(clock.now(), entropy.as_ref()), &keys).await?;
    let keys = Arc::new(older_codes::read_by(keys, &config, &store, clock.as_ref()).await);
    let demo_code = match with_demo {
        true => Some(demo::prepare(&store, clock.as_ref(), entropy.as_ref(), &keys).await?),
        false => None,
    };
    let public_url = config.http.public_url(reachable(address));
    let cx = Context::system(clock.now(), entropy.as_ref());
    let link = bootstrap_link::for_start(&store, &cx, &keys, &config.policy).await;

    let mailer = RunningMailer::start(Mailer {
        store: store.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        keys: Arc::clone(&keys),
        transport: Transport::new(&config.mail, config.http.public_url.as_ref())?,
        from: config.mail.from.clone(),
        brand: config.brand.clone(),
        public_url: public_url.clone(),
        metrics: metrics.clone(),
    });
    let housekeeper = RunningHousekeeper::start(Housekeeper {
        store: store.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        interval: config.housekeeping.interval,
        retention: config.housekeeping.retention,
        metrics: metrics.clone(),
    });
    let rules =
        CallRules { allow_private: config.webhooks.allow_private, https_only: config.environment == Environment::Production };
    let notifier = RunningNotifier::start(Notifier {
        store: store.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        keys: Arc::clone(&keys),
        caller: Caller::new(rules, Arc::new(SystemResolver))?,
        metrics: metrics.clone(),
    });
    let health = Health::new(DatabaseReadiness::new(store.clone(), config.database.url.clone()));
    let metrics_server = match metrics_listener {
        Some(listener) => {
            let (store, clock) = (store.clone(), Arc::clone(&clock));
            Some(metrics::serve(metrics.clone(), store, clock, listener).map_err(ServeError::Http)?)
        }
        None => None,
    };
    let state = AppState {
        store: store.clone(),
        clock,
        entropy,
        keys,
        policy: Arc::new(config.policy.clone()),
        issuer: public_url.as_str().into(),
        operator_keys: operators.keys.into(),
        health: health.clone(),
        webhooks_https_only: rules.https_only,
        console: Arc::new(ConsoleSettings {
            brand: config.brand.name.clone(),
            secure_cookies: config.environment == Environment::Production
                || config.http.public_url.as_ref().is_some_and(PublicUrl::is_https),
            public_origin: config.http.public_url.as_ref().map(PublicUrl::to_string),
        }),
        mail_waiting: mailer.waker(),
        observer: Arc::new(RequestObserver(metrics)),
    };
    let server = tenantry_http::serve(state, config.http.settings(), listener).map_err(ServeError::Http)?;
    let handle = server.handle();
    let mut serving = rt::spawn(server);
    let told = Told::start(ServiceManager::of_this_process(), reachable(address));

    let link_address = link.as_ref().map(|link| (bootstrap_link::address(&public_url, link), link.link.expires_at));
    let greeting = Greeting {
        config: &config,
        address,
        public_url: &public_url,
        operator_key: operators.shown.as_ref(),
        link: link_address,
    };
    let greeting = greeting.text();
    terminal::say(greeting);
    if let Some(code) = demo_code {
        terminal::say(demo::lines(&format!("http://{}", reachable(address)), &code, &config.mail.to_string()));
    }
    // From here on key and link are known to whoever reads the terminal, and to the digests in the state and the store.
    drop((operators.shown, link));

    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = signals.next() => {
            info!("stopping: the requests at hand are finished");
            told.stopping();
            health.drain();
            tokio::select! {
                () = sleep(config.http.drain) => stop(&handle, &mut signals).await,
                () = signals.next() => handle.stop(false).await,
            }
            serving.await
        }
    };
    told.end();
    housekeeper.stop().await;
    tokio::join!(mailer.stop(), notifier.stop());
    if let Some(server) = metrics_server {
        server.stop().await;
    }
    if timeout(STORE_PATIENCE, store.close()).await.is_err() {
        warn!("the database's connections did not close in time");
    }
    ended.map_err(io::Error::other).flatten().map_err(ServeError::Http)?;
    info!("stopped");
    Ok(())
}

/// Says what is allowed and yet not advised.
fn warn_of(config: &Config) {
    if config.webhooks.allow_private && config.environment == Environment::Production {
        warn!("{} is true: a tenant's webhook can reach what this server can reach", Key::WEBHOOKS_ALLOW_PRIVATE);
    }
    let for_others = config.metrics.bind.is_some_and(|address| !address.ip().to_canonical().is_loopback());
    if for_others && config.environment == Environment::Production {
        warn!("{} is an address that others can reach: metrics ask nobody who they are", Key::METRICS_BIND);
    }
    if config.http.public_url.as_ref().is_some_and(|url| !url.is_https()) && config.environment == Environment::Production {
        warn!("{} is not https: whoever is on the way can read sign-in codes and sessions", Key::HTTP_PUBLIC_URL);
    }
}

/// Finishes the requests at hand, or, at a second signal, drops them.
async fn stop(handle: &ServerHandle, signals: &mut Signals) {
    tokio::select! {
        () = handle.stop(true) => {}
        () = signals.next() => {
            warn!("a second signal: the requests at hand are dropped");
            handle.stop(false).await;
        }
    }
}

/// The signals that ask the server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
