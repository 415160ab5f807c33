//! What was committed is there when the file is opened again, and what wasn't is not.

use own_store::RedbStore;
use tenantry_domain::{
    Clock as _, Context, PlanName, Quota, StoreError, SystemClock, SystemEntropy, create_plan,
    ports::{PlanFilter, PlanReads as _, PlanWrites as _, Store as _},
};
use tenantry_domain::{PageLimit, PageRequest, Plan};

#[test]
fn a_file_has_what_was_committed_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenantry.redb");
    let kept = futures_executor::block_on(async {
        let store = RedbStore::open(&path).unwrap();
        let cx = Context::system(SystemClock.now(), &SystemEntropy);
        let kept = create_plan(&store, &cx, PlanName::parse("Kept").unwrap(), Quota::new(10).unwrap()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let dropped = Plan {
            id: tenantry_domain::Id::generate(cx.now, &SystemEntropy),
            name: PlanName::parse("Dropped").unwrap(),
            ..kept.clone()
        };
        assert!(tx.insert_plan(&dropped).await.unwrap());
        assert!(matches!(RedbStore::open(&path), Err(StoreError::Failed(_))), "a file is opened once");
        kept
    });
    let store = RedbStore::open(&path).unwrap();
    let page = PageRequest { limit: PageLimit::new(10).unwrap(), after: None, count: false };
    let plans = futures_executor::block_on(store.reader().plans_page(&PlanFilter::default(), page)).unwrap();
    assert_eq!(plans.items, [kept]);
}
