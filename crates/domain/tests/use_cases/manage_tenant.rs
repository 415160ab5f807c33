use tenantry_domain::{Expected, Id, ManageTenantError, delete_tenant, ports::*, resume_tenant, suspend_tenant};

use crate::support::{Portal, block_on, noon};

#[test]
fn suspending_twice_changes_and_audits_once() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let (store, cx) = (&portal.store, &portal.cx(noon()));
        for _ in 0..2 {
            suspend_tenant(store, cx, tenant).await.unwrap();
        }
        assert_eq!(store.reader().tenant(tenant).await.unwrap().unwrap().suspended_at, Some(noon()));
        for _ in 0..2 {
            resume_tenant(store, cx, tenant).await.unwrap();
        }
        assert_eq!(store.reader().tenant(tenant).await.unwrap().unwrap().suspended_at, None);
        assert_eq!(portal.audited(tenant).await, ["codes.issued", "tenant.created", "tenant.resumed", "tenant.suspended"]);
    });
}

#[test]
fn an_unknown_tenant_is_neither_suspended_nor_deleted() {
    block_on(async {
        let portal = Portal::new();
        let unknown = Id::from_uuid(uuid::Uuid::from_u128(7));
        let (store, cx) = (&portal.store, &portal.cx(noon()));
        let answers = [
            suspend_tenant(store, cx, unknown).await,
            resume_tenant(store, cx, unknown).await,
            delete_tenant(store, cx, unknown, &Expected::Any).await,
        ];
        assert!(answers.iter().all(|answer| matches!(answer, Err(ManageTenantError::UnknownTenant))), "{answers:?}");
    });
}

#[test]
fn a_deleted_tenant_is_gone_but_for_its_audit_trail() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, batch) = portal.tenant("acme").await;
        delete_tenant(&portal.store, &portal.cx(noon()), tenant, &Expected::Any).await.unwrap();
        let mut reader = portal.store.reader();
        assert_eq!(reader.tenant(tenant).await.unwrap(), None);
        assert_eq!(reader.code(tenant, batch.codes.first().unwrap().id).await.unwrap(), None);
        assert_eq!(portal.audited(tenant).await, ["codes.issued", "tenant.created", "tenant.deleted"]);
    });
}
