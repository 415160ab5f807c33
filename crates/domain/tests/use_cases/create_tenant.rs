use tenantry_domain::{
    AUTO_LABEL, CodeDigest, CodeHasher, CodeOrder, CreatePlanError, CreateTenantError, GenerateCodesError, KeyId,
    KeyedCodeDigest, PlainCode, Plan, Quota, StoreError, SubscriptionState, create_plan, generate_codes, memory::PlainHasher,
    ports::*,
};

use crate::support::{Portal, block_on, first_page, noon};

/// A hasher with a defect: all codes have one digest, so the second of a store collides with the first.
struct OneDigest;

impl CodeHasher for OneDigest {
    fn digest(&self, _code: &PlainCode) -> KeyedCodeDigest {
        KeyedCodeDigest { digest: CodeDigest::from_bytes([1; 32]), key_id: KeyId::parse("k1").unwrap() }
    }

    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest> {
        vec![self.digest(code).digest]
    }
}

#[test]
fn a_new_tenant_receives_a_tenth_of_its_quota_in_labelled_codes() {
    block_on(async {
        for (quota, count) in [(1, 1), (10, 1), (19, 1), (20, 2), (105, 10)] {
            let portal = Portal::new();
            let plan = portal.plan(quota).await;
            let created = portal.create_tenant("acme", plan.id, &PlainHasher).await.unwrap();
            let batch = created.issued.unwrap();
            assert_eq!(batch.codes.len(), count, "of a quota of {quota}");
            let mut reader = portal.store.reader();
            let codes = reader.codes_page(created.tenant.id, &CodeFilter::default(), noon(), first_page()).await.unwrap().items;
            assert_eq!(codes.len(), count);
            for code in codes {
                assert_eq!(code.label.unwrap().as_str(), AUTO_LABEL);
                assert_eq!((code.max_uses, code.use_count, code.expires_at), (1, 0, None));
                assert_eq!(code.batch_id, batch.batch_id);
            }
        }
    });
}

#[test]
fn a_new_tenant_is_active_for_the_calendar_month() {
    block_on(async {
        let portal = Portal::new();
        let plan = portal.plan(10).await;
        let created = portal.create_tenant("acme", plan.id, &PlainHasher).await.unwrap();
        let subscription = portal.store.reader().subscription(created.tenant.id).await.unwrap().unwrap();
        assert_eq!(subscription, created.subscription);
        assert_eq!((subscription.plan_id, subscription.state), (plan.id, SubscriptionState::Active));
        assert_eq!(subscription.current_period_start.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(subscription.current_period_end.to_string(), "2026-04-01T00:00:00Z");
        assert_eq!(portal.audited(created.tenant.id).await, ["codes.issued", "tenant.created"]);
    });
}

#[test]
fn a_tenant_stands_when_its_codes_cannot_be_issued() {
    block_on(async {
        let portal = Portal::new();
        let plan = portal.plan(20).await;
        let created = portal.create_tenant("acme", plan.id, &OneDigest).await.unwrap();
        let failure = created.issued.unwrap_err();
        assert!(matches!(failure, GenerateCodesError::Store(StoreError::Conflict(_))), "{failure:?}");

        let tenant = created.tenant.id;
        let mut reader = portal.store.reader();
        assert_eq!(reader.tenant(tenant).await.unwrap(), Some(created.tenant));
        assert!(reader.entitlement(tenant).await.unwrap().is_some());
        assert_eq!(reader.count_codes(tenant, noon()).await.unwrap(), [0; 4], "all codes of an issue or none");
        assert_eq!(portal.audited(tenant).await, ["codes.issue_failed", "tenant.created"]);

        let order = CodeOrder { count: 2, ..CodeOrder::default() };
        generate_codes(&portal.store, &portal.cx(noon()), &PlainHasher, tenant, order).await.unwrap();
        assert_eq!(reader.count_codes(tenant, noon()).await.unwrap(), [0, 0, 0, 2], "one call issues them again");
    });
}

#[test]
fn a_tenant_needs_a_slug_of_its_own_and_a_plan_that_is_open() {
    block_on(async {
        let portal = Portal::new();
        let plan = portal.plan(10).await;
        let archived = Plan { archived_at: Some(noon()), ..portal.plan(10).await };
        let archived = Plan { id: tenantry_domain::Id::from_uuid(uuid_of(7)), name: name_of("Archived"), ..archived };
        let mut tx = portal.store.begin().await.unwrap();
        assert!(tx.insert_plan(&archived).await.unwrap());
        tx.commit().await.unwrap();

        portal.create_tenant("acme", plan.id, &PlainHasher).await.unwrap();
        let again = portal.create_tenant(" ACME ", plan.id, &PlainHasher).await;
        assert!(matches!(again, Err(CreateTenantError::SlugTaken)), "{again:?}");
        let closed = portal.create_tenant("globex", archived.id, &PlainHasher).await;
        assert!(matches!(closed, Err(CreateTenantError::PlanArchived)), "{closed:?}");
        let unknown = portal.create_tenant("globex", tenantry_domain::Id::from_uuid(uuid_of(8)), &PlainHasher).await;
        assert!(matches!(unknown, Err(CreateTenantError::UnknownPlan)), "{unknown:?}");
        let tenants = portal.store.reader().tenants_page(&TenantFilter::default(), first_page()).await.unwrap().items;
        assert_eq!(tenants.len(), 1, "a refusal leaves nothing");
    });
}

#[test]
fn a_plans_name_is_its_own() {
    block_on(async {
        let portal = Portal::new();
        let create = async || create_plan(&portal.store, &portal.cx(noon()), name_of("Basic"), Quota::new(5).unwrap()).await;
        let plan = create().await.unwrap();
        assert_eq!(portal.store.reader().plan(plan.id).await.unwrap(), Some(plan));
        assert!(matches!(create().await, Err(CreatePlanError::NameTaken)));
    });
}

fn name_of(name: &str) -> tenantry_domain::PlanName {
    tenantry_domain::PlanName::parse(name).unwrap()
}

fn uuid_of(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}
