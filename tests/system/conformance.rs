//! The databases keep every rule that a store must keep. (The in-memory store is held to them in its own crate.)

mod sqlite {
    use tempfile::TempDir;
    use tenantry_persistence::{DatabaseStore, Options};

    /// The folder that the store's file is in goes when the rule is done, and the connections with it.
    async fn on_a_fresh_file(rule: impl AsyncFnOnce(DatabaseStore)) {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("tenantry.db").display());
        tenantry_migration::up(&url).await.expect("a migrated database");
        let store = DatabaseStore::connect(&Options::new(url)).await.expect("a store");
        rule(store.clone()).await;
        store.close().await;
    }

    fn run(rule: impl AsyncFnOnce(DatabaseStore)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(on_a_fresh_file(rule));
    }

    tenantry_domain::conformance_suite! { run = run }
}

mod postgres {
    use tenantry_persistence::{DatabaseStore, Options};
    use tenantry_tests::PostgresCluster;

    async fn on_a_fresh_database(rule: impl AsyncFnOnce(DatabaseStore)) {
        let url = PostgresCluster::shared().await.migrated_database().await;
        let store = DatabaseStore::connect(&Options::new(url.as_str())).await.expect("a store");
        rule(store.clone()).await;
        store.close().await;
    }

    fn run(rule: impl AsyncFnOnce(DatabaseStore)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(on_a_fresh_database(rule));
    }

    tenantry_domain::conformance_suite! { run = run }
}
