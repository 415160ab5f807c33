//! What a test of the whole system stands on: a database, a mail server, keys.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api::{Api, otp_in},
    database,
    mail_server::MailServer,
    postgres::{DatabaseUrl, PostgresCluster},
    server::{Server, ServerBuilder, api_key},
};

/// A fresh database, a mail server and a key ring that servers share.
///
/// Keep it until the test ends: the mail server and the folders go with it.
pub struct World {
    kind: DatabaseKind,
    database: DatabaseUrl,
    mail: MailServer,
    folder: Arc<TempDir>,
    api_key: &'static str,
    servers: AtomicUsize,
}

/// Which of the two databases a world stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// One file, one server.
    Sqlite,
    /// Any number of servers.
    Postgres,
}

/// A tenant that has signed in.
pub struct SignedIn {
    /// A client with the tenant's session.
    pub api: Api,
    /// The tenant as the operator's request answered it.
    pub tenant: Value,
    /// The texts of its codes, shown once.
    pub codes: Vec<String>,
    /// Its contact address.
    pub email: String,
}

impl World {
    /// A world on a SQLite file that the first server makes and migrates.
    pub async fn sqlite() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let database = DatabaseUrl::sqlite(&folder.path().join("data/tenantry.db"));
        Self::new(DatabaseKind::Sqlite, database, folder).await
    }

    /// A world on a database of the shared PostgreSQL, at the newest step of the schema.
    pub async fn postgres() -> Self {
        Self::on(PostgresCluster::shared().await).await
    }

    /// A world on a database of this PostgreSQL, for tests that stop or crash it.
    pub async fn on(cluster: &PostgresCluster) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::new(DatabaseKind::Postgres, cluster.migrated_database().await, folder).await
    }

    async fn new(kind: DatabaseKind, database: DatabaseUrl, folder: Arc<TempDir>) -> Self {
        let mail = MailServer::start().await;
        Self { kind, database, mail, folder, api_key: api_key().await, servers: AtomicUsize::new(0) }
    }

    /// Starts a server. On PostgreSQL any number share the database and the keys; on SQLite one at a time.
    pub async fn server(&self) -> Server {
        self.builder().start().await
    }

    /// As many servers as the database is made for: two on PostgreSQL, one on SQLite.
    pub async fn servers(&self) -> Vec<Server> {
        self.servers_with(|builder| builder).await
    }

    /// The same, with settings.
    pub async fn servers_with(&self, configure: impl Fn(ServerBuilder) -> ServerBuilder) -> Vec<Server> {
        let mut servers = vec![configure(self.builder()).start().await];
        if self.kind == DatabaseKind::Postgres {
            servers.push(configure(self.builder()).start().await);
        }
        servers
    }

    /// A server of this world with settings still to be added.
    pub fn builder(&self) -> ServerBuilder {
        let data = match self.kind {
            DatabaseKind::Sqlite => "data".to_owned(),
            DatabaseKind::Postgres => format!("data-{}", self.servers.fetch_add(1, Ordering::Relaxed)),
        };
        Server::builder()
            .keeping(Arc::clone(&self.folder))
            .data_dir(&self.folder.path().join(data))
            .database_url(&self.database)
            .keys_file(&self.keys_file())
            .mail_url(&self.mail.url())
            .env("TENANTRY__BOOTSTRAP__API_KEY", self.api_key)
            // All tests come from one address. Those that are about its limit take `builder_with_strict_limits`.
            .env("TENANTRY__OTP__REQUESTS_PER_ADDRESS_BURST", 1_000_000)
            .env("TENANTRY__OTP__REQUESTS_GLOBAL_BURST", 1_000_000)
            .env("TENANTRY__HTTP__FLOOD_BURST", 0)
            // Those that race by a text that was replaced meanwhile are no guessers.
            .env("TENANTRY__ACTIVATION__UNKNOWN_CODES_BURST", 1_000_000)
    }

    /// [`builder`](Self::builder) with the limits that a server has unless told otherwise.
    pub fn builder_with_strict_limits(&self) -> ServerBuilder {
        self.builder()
            .without("TENANTRY__OTP__REQUESTS_PER_ADDRESS_BURST")
            .without("TENANTRY__OTP__REQUESTS_GLOBAL_BURST")
            .without("TENANTRY__HTTP__FLOOD_BURST")
            .without("TENANTRY__ACTIVATION__UNKNOWN_CODES_BURST")
    }

    /// A client with the operator's API key.
    pub fn admin(&self, server: &Server) -> Api {
        server.api().with_bearer(self.api_key)
    }

    /// Creates a plan (quota 100, so ten codes) and a tenant, and signs the tenant in.
    pub async fn tenant(&self, server: &Server, slug: &str) -> SignedIn {
        let admin = self.admin(server);
        let plan = admin.create_plan(&format!("Plan of {slug}"), 100).await;
        let plan_id = plan["id"].as_str().expect("a plan has an id");
        let email = format!("{slug}@tenant.example");
        let (tenant, codes) = admin.create_tenant(slug, plan_id, &email).await;
        SignedIn { api: server.api().sign_in(slug, &email, &self.mail).await, tenant, codes, email }
    }

    /// Creates that many tenants, asks a password for each and reads it from its mail: each a challenge and its password.
    pub async fn asked_passwords(&self, server: &Server, prefix: &str, count: usize) -> Vec<(String, String)> {
        let admin = self.admin(server);
        let plan = admin.create_plan(&format!("Plan of {prefix}"), 10).await;
        let mut asked = Vec::new();
        for number in 0..count {
            let slug = format!("{prefix}-{number}");
            let email = format!("{slug}@tenant.example");
            admin.create_tenant(&slug, plan["id"].as_str().expect("a plan has an id"), &email).await;
            let challenge = server.api().ask_for_otp(&slug).await;
            let mails = self.mail.wait_for(&email, 1, Duration::from_secs(30)).await;
            asked.push((challenge, otp_in(&mails[0].text).expect("the mail holds a password").to_owned()));
        }
        asked
    }

    /// The mail server that every server of this world sends through.
    pub fn mail(&self) -> &MailServer {
        &self.mail
    }

    /// Where the database is.
    pub fn database_url(&self) -> &DatabaseUrl {
        &self.database
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The key ring's file.
    pub fn keys_file(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// The operator's API key.
    pub fn api_key(&self) -> &str {
        self.api_key
    }

    /// The rows of a query past the server, each as a JSON object.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        database::rows(&self.database, sql).await
    }

    /// How many tries the only challenge has had.
    pub async fn attempts_of_the_only_challenge(&self) -> i64 {
        let rows = self.rows("SELECT attempts FROM otp_challenges").await;
        assert_eq!(rows.len(), 1, "one challenge");
        rows[0]["attempts"].as_i64().expect("a number of tries")
    }

    /// An identifier (`ten_..`) as SQL writes it.
    pub fn uuid_literal(&self, id: &str) -> String {
        let hex = id.split_once('_').expect("an identifier").1;
        match self.kind {
            DatabaseKind::Postgres => format!("'{hex}'"),
            DatabaseKind::Sqlite => format!("x'{hex}'"),
        }
    }

    /// Inserts a project as an older system left it: without a tenant, its identifier given in the form `8-4-4-4-12`.
    pub async fn insert_legacy_project(&self, id: &str, slug: &str, client_name: &str) {
        let (id, now) = match self.kind {
            DatabaseKind::Postgres => (format!("'{id}'"), "now()"),
            DatabaseKind::Sqlite => (format!("x'{}'", id.replace('-', "")), "'2025-01-01T00:00:00+00:00'"),
        };
        let insert = format!(
            "INSERT INTO llm_project_config (id, project_id, client_name, created_at, updated_at) VALUES ({id}, '{slug}', '{client_name}', {now}, {now})"
        );
        assert_eq!(database::execute(&self.database, &insert).await.expect("a legacy project"), 1);
    }

    /// All that the database holds, as a thief of a backup would get it, to search for secrets: `pg_dump`'s text, or the bytes of the
    /// SQLite file and its write-ahead log with what isn't UTF-8 replaced.
    pub fn stolen_database(&self) -> String {
        match self.kind {
            DatabaseKind::Postgres => PostgresCluster::dump(&self.database),
            DatabaseKind::Sqlite => ["tenantry.db", "tenantry.db-wal"]
                .iter()
                .filter_map(|name| fs::read(self.folder.path().join("data").join(name)).ok())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .collect(),
        }
    }
}
