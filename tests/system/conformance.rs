//! Every store keeps every rule, on a runtime. (The in-memory store keeps them without one in its own crate.)

mod memory {
    use tenantry_domain::memory::MemoryStore;

    tenantry_domain::conformance_suite! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        store = MemoryStore::new(),
    }
}

mod sqlite {
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;
    use tenantry_persistence::{DatabaseStore, Options};
    use tokio::sync::OnceCell;

    /// The folder that the store's file is in goes when the rule is done, and the connections with it.
    async fn on_a_fresh_file(rule: impl AsyncFnOnce(DatabaseStore)) {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("tenantry.db");
        std::fs::copy(migrated().await, &file).expect("a copy of the migrated file");
        let url = format!("sqlite://{}", file.display());
        let store = DatabaseStore::connect(&Options::new(url)).await.expect("a store");
        rule(store.clone()).await;
        store.close().await;
    }

    /// A migrated file, made once.
    async fn migrated() -> &'static Path {
        static MIGRATED: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
        let migrate = async || {
            let folder = TempDir::new().expect("a temporary folder");
            let file = folder.path().join("tenantry.db");
            tenantry_migration::up(&format!("sqlite://{}", file.display())).await.expect("a migrated database");
            (folder, file)
        };
        &MIGRATED.get_or_init(migrate).await.1
    }

    fn run(rule: impl AsyncFnOnce(DatabaseStore)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(on_a_fresh_file(rule));
    }

    tenantry_domain::conformance_suite! { run = run }
}

mod postgres {
    use tenantry_domain::ports::Store as _;
    use tenantry_persistence::{DatabaseStore, Options};
    use tenantry_tests::PostgresCluster;

    async fn on_a_fresh_database(rule: impl AsyncFnOnce(DatabaseStore)) {
        let url = PostgresCluster::shared().await.migrated_database().await;
        let options = Options::new(url.as_str());
        let store = DatabaseStore::connect(&options).await.expect("a store");
        // All connections open before the rule, or its racers come one by one, as they open.
        let mut open = Vec::new();
        for _ in 0..options.max_connections {
            open.push(store.begin().await.expect("a connection"));
        }
        drop(open);
        rule(store.clone()).await;
        store.close().await;
    }

    fn run(rule: impl AsyncFnOnce(DatabaseStore)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(on_a_fresh_database(rule));
    }

    tenantry_domain::conformance_suite! { run = run }
}
