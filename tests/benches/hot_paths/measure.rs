//! One database: its rows, its server, and what both came to.

use std::{fs, sync::Arc, time::Duration};

use tempfile::TempDir;
use tenantry_auth::KeyRing;
use tenantry_tests::{DatabaseKind, DatabaseUrl, PostgresCluster, World};

use crate::{
    compare::{Bench, WARM_UP},
    fill::{Sizes, fill},
    load::Figures,
    operation::Operation,
    options::Options,
    pgbench::CHECKED,
    prepare::{prepare, project_row, writers_of},
    probe::{address_of, probe, unlimited},
    template::Template,
    usage::{Processors, Usage},
};

/// After its start a server is left alone for so long before its memory is called idle.
const SETTLED: Duration = Duration::from_secs(3);

/// What each operation runs.
pub type Templates = Vec<(Operation, Template)>;

/// What was found on one database.
pub struct Measured {
    pub kind: DatabaseKind,
    pub pairs: Vec<Pair>,
    pub bulk: Bulk,
    /// The server's memory before its first request, in KiB.
    pub idle: u64,
    /// What of it is in no file: the rest is the program, which the system shares, and drops where it is short of memory.
    pub idle_own: u64,
}

/// Server and limit at the same work.
pub struct Pair {
    pub operation: Operation,
    pub server: Figures,
    pub limit: Figures,
    /// The server at a fixed rate.
    pub steady: Figures,
    pub steady_rate: f64,
    /// For 1,000 calls of the server, and of the limit.
    pub processors: Processors,
    pub limit_processors: Processors,
    /// The most memory that the server had, in KiB.
    pub peak: u64,
}

/// Codes issued at once, in rows a second.
#[derive(Default)]
pub struct Bulk {
    pub count: usize,
    pub server: f64,
    pub limit: f64,
    pub processors: Processors,
    pub peak: u64,
    pub errors: Vec<String>,
}

/// Starts a server of a world, which makes the key ring, and on SQLite the schema, and reads the ring.
pub async fn made_keys(world: &World) -> KeyRing {
    world.server().await.terminate().await;
    KeyRing::parse(&fs::read_to_string(world.keys_file()).expect("the server's key ring")).expect("a key ring")
}

/// Measures every operation on a world's database. On PostgreSQL it learns what they run; on SQLite it has to be told.
pub async fn measure(world: &World, options: &Options, learned: Option<Templates>) -> (Measured, Templates) {
    let keys = made_keys(world).await;
    let items = CHECKED + 2 + WARM_UP + (options.rounds + 1) * options.rows;
    let Options { tenants, sessions, projects, codes, .. } = *options;
    assert!(
        project_row(items, tenants, writers_of(tenants)) < projects.min(codes),
        "{items} activations need more projects and codes, or fewer tenants"
    );
    let url = world.database_url().as_str();
    eprintln!("{:?}: fills the database", world.kind());
    fill(world.kind(), url, &keys, Sizes { tenants, sessions, projects, codes, challenges: items, ended: 0 }).await;
    let rows = Arc::new(prepare(url, &keys, tenants, writers_of(tenants), items).await);
    let templates = match learned {
        Some(templates) => templates,
        None => probe(world, &rows).await,
    };
    let copies = tempfile::tempdir().expect("a temporary folder");
    let copy = copy_of(world, &copies).await;

    let mails = tempfile::tempdir().expect("a temporary folder");
    // Mail goes where it costs least: a mail server on the same processors would be measured, too.
    let builder = unlimited(world).env("TENANTRY__MAIL__URL", format!("file://{}", mails.path().display()));
    let builder = options.settings.iter().fold(builder, |builder, (name, value)| builder.env(name, value));
    let mut server = builder.start().await;
    tokio::time::sleep(SETTLED).await;
    let usage = Usage::of(world).await;
    let (idle, idle_own) = (usage.resident(), usage.own());
    let bench = Bench { world, server: &server, address: address_of(&server), copy, usage, rows, options };
    bench.check_page().await;
    let mut pairs = Vec::new();
    for (operation, template) in templates.iter().filter(|(operation, _)| options.measures(world.kind(), operation.name())) {
        eprintln!("{:?}: {}", world.kind(), operation.name());
        pairs.push(bench.compare(*operation, template).await);
    }
    let bulk = if options.measures(world.kind(), "codes issued at once") {
        eprintln!("{:?}: {} codes at once", world.kind(), options.bulk);
        bench.compare_bulk().await
    } else {
        Bulk::default()
    };
    server.terminate().await;
    (Measured { kind: world.kind(), pairs, bulk, idle, idle_own }, templates)
}

/// The limit's database. Nobody is connected to the server's.
async fn copy_of(world: &World, folder: &TempDir) -> DatabaseUrl {
    match world.kind() {
        DatabaseKind::Postgres => PostgresCluster::shared().await.copy_of(world.database_url()).await,
        DatabaseKind::Sqlite => {
            let file = folder.path().join("limit.db");
            // The log was folded in when the last connection closed.
            fs::copy(world.database_url().as_str().trim_start_matches("sqlite://"), &file).expect("a copy");
            DatabaseUrl::sqlite(&file)
        }
    }
}
