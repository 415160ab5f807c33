//! The store keeps every rule of `tenantry_domain::conformance`, each on a file of its own.
#![expect(clippy::expect_used, reason = "a test may panic")]

use own_store::RedbStore;
use tempfile::TempDir;

/// The folder that the store's file is in goes when the rule is done.
fn on_a_fresh_file(rule: impl AsyncFnOnce(RedbStore)) {
    let folder = TempDir::new().expect("a temporary folder");
    let store = RedbStore::open(folder.path().join("tenantry.redb")).expect("a store");
    futures_executor::block_on(rule(store));
}

tenantry_domain::conformance_suite! { run = on_a_fresh_file }
