//! The in-memory store keeps every rule.

use tenantry_domain::memory::MemoryStore;

tenantry_domain::conformance_suite! {
    block_on = futures_executor::block_on,
    store = MemoryStore::new(),
}
