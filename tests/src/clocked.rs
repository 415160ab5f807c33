//! The real HTTP service on a real database, in this process, with a clock that a test sets: for limits that take hours.

use std::{future::Future, net::TcpListener, pin::Pin, sync::Arc, thread};

use tenantry_auth::{ApiKeyToken, AuthPolicy, KeyRing, OperatorKey, OtpMail, create_bootstrap_link};
use tenantry_domain::{
    BootstrapPurpose, Clock as _, Context, Delivery, KeyId, ManualClock, SystemEntropy, Timestamp,
    ports::{OutboxWrites as _, Store as _, Transaction as _},
};
use tenantry_http::{AppState, ConsoleSettings, Health, HttpSettings, Observer, Readiness, Unobserved, serve};
use tenantry_persistence::{DatabaseStore, Options};
use time::macros::datetime;
use tokio::sync::oneshot;

use crate::{api::Api, operators::Door, world::World};

/// A server whose clock stands still until it is told to move. It sends no mail: [`Clocked::otp`] takes it from the outbox.
pub struct Clocked {
    /// The server's clock.
    pub clock: ManualClock,
    store: DatabaseStore,
    keys: Arc<KeyRing>,
    url: String,
    api_key: String,
    stop: Option<oneshot::Sender<()>>,
}

struct AlwaysReady;

impl Readiness for AlwaysReady {
    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async { Ok(()) })
    }
}

impl Clocked {
    /// Starts on a world's database, with the figures of sign-in as they are unless told otherwise, at noon on the first of March 2026.
    pub async fn start(world: &World) -> Self {
        Self::observed(world, Arc::new(Unobserved)).await
    }

    /// The same, with somebody who is told of requests on the thread that answers them.
    pub async fn observed(world: &World, observer: Arc<dyn Observer>) -> Self {
        let database = world.database_url().as_str();
        if let Some(file) = database.strip_prefix("sqlite://") {
            let folder = std::path::Path::new(file).parent().expect("a folder");
            std::fs::create_dir_all(folder).expect("a data folder");
            tenantry_migration::up(database).await.expect("a migrated database");
        }
        let store = DatabaseStore::connect(&Options::new(database)).await.expect("a store");
        let line = KeyRing::generate_line(&KeyId::parse("k1").expect("a key id"), &SystemEntropy);
        let keys = Arc::new(KeyRing::parse(&line).expect("a key ring"));
        let clock = ManualClock::new(Timestamp::new(datetime!(2026-03-01 12:00 UTC)));
        let api_key = ApiKeyToken::parse(world.api_key()).expect("an API key");
        let state = AppState {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            operator_keys: Arc::new([OperatorKey::new("tests", &api_key, &keys)]),
            keys: Arc::clone(&keys),
            policy: Arc::new(AuthPolicy::default()),
            issuer: Arc::from("https://portal.example"),
            health: Health::new(AlwaysReady),
            webhooks_https_only: false,
            console: Arc::new(ConsoleSettings { brand: "Tenantry".to_owned(), secure_cookies: false, public_origin: None }),
            mail_waiting: Arc::new(|| {}),
            observer,
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = serve(state, HttpSettings::default(), listener).expect("a server");
                let handle = server.handle();
                actix_web::rt::spawn(async move {
                    stopped.await.ok();
                    handle.stop(false).await;
                });
                server.await.expect("the server ends well");
            });
        });
        Self { clock, store, keys, url, api_key: world.api_key().to_owned(), stop: Some(stop) }
    }

    /// A client that isn't signed in.
    pub fn api(&self) -> Api {
        Api::new(&self.url)
    }

    /// A client with the operator's API key.
    pub fn admin(&self) -> Api {
        self.api().with_bearer(&self.api_key)
    }

    /// The one-time password that waits in the outbox, which must hold one.
    pub async fn otp(&self) -> String {
        let mut tx = self.store.begin().await.expect("a transaction");
        let now = self.clock.now();
        let messages = tx.claim_messages(now, time::Duration::DAY, 2).await.expect("messages");
        assert_eq!(messages.len(), 1, "one mail waits");
        assert!(tx.settle_message(messages[0].id, messages[0].attempts, &Delivery::Sent, now).await.expect("a settled message"));
        tx.commit().await.expect("a commit");
        let opened = self.keys.open(messages[0].id, &messages[0].payload).expect("a payload that opens");
        OtpMail::from_bytes(&opened).expect("a mail").otp
    }

    /// A link for the first operator: its path.
    pub async fn bootstrap_path(&self) -> String {
        let cx = Context::system(self.clock.now(), &SystemEntropy);
        let purpose = BootstrapPurpose::FirstOperator;
        let made = create_bootstrap_link(&self.store, &cx, &self.keys, &AuthPolicy::default(), purpose).await;
        format!("/bootstrap/{}", made.expect("a link").token.reveal())
    }

    /// Creates an operator and signs it in.
    pub async fn operator(&self, role: &str, email: &str) -> Api {
        self.admin().create_operator(email, role).await;
        let challenge = self.api().ask_at(Door::Operator, email).await.expect(202).text_at("/challenge_id");
        let session = self.api().answer_at(Door::Operator, &challenge, &self.otp().await).await.expect(200);
        self.api().with_bearer(&session.text_at("/session_token"))
    }

    /// Creates a tenant and signs it in.
    pub async fn tenant(&self, slug: &str) -> Api {
        let admin = self.admin();
        let plan = admin.create_plan(&format!("Plan of {slug}"), 10).await;
        admin.create_tenant(slug, plan["id"].as_str().expect("an id"), &format!("{slug}@tenant.example")).await;
        self.sign_in(slug).await
    }

    /// Signs a tenant in.
    pub async fn sign_in(&self, slug: &str) -> Api {
        let challenge = self.api().ask_for_otp(slug).await;
        let otp = self.otp().await;
        let session = self.api().verify_otp(&challenge, &otp).await.expect(200);
        self.api().with_bearer(&session.text_at("/session_token"))
    }
}

impl Drop for Clocked {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }
}
