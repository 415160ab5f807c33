//! A portal in memory: a store, a clock that stands at noon, seeded entropy.

pub use futures_executor::block_on;
use tenantry_domain::{
    AuditFilter, Branding, ClientName, CodeHasher, CodeOrder, Context, CreateTenantError, CreatedTenant, Email, Entropy, Id,
    IssuedBatch, NewProject, NewTenant, PageLimit, PageRequest, Plan, PlanId, PlanName, Project, ProjectDetails, ProjectError,
    Quota, SeededEntropy, Slug, Subscription, SubscriptionState, Tenant, TenantId, TenantName, Timestamp, create_plan,
    create_project, create_tenant, generate_codes,
    memory::{MemoryStore, PlainHasher},
    ports::*,
};
use time::macros::datetime;

pub struct Portal {
    pub store: MemoryStore,
    entropy: SeededEntropy,
}

pub fn noon() -> Timestamp {
    Timestamp::new(datetime!(2026-03-15 12:00 UTC))
}

pub fn details(client_name: &str) -> ProjectDetails {
    let client_name = ClientName::parse(client_name).unwrap();
    ProjectDetails { client_name, description: None, objectives: None, priority: None }
}

pub fn first_page<K>() -> PageRequest<K> {
    PageRequest { limit: PageLimit::new(PageLimit::MAX).unwrap(), after: None, count: false }
}

impl Portal {
    pub fn new() -> Self {
        Self { store: MemoryStore::new(), entropy: SeededEntropy::new(1) }
    }

    pub fn cx(&self, now: Timestamp) -> Context<'_> {
        Context::system(now, &self.entropy)
    }

    pub fn number(&self) -> u16 {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        u16::from_le_bytes(bytes)
    }

    pub async fn plan(&self, quota: i64) -> Plan {
        let name = PlanName::parse(&format!("Plan {}", self.number())).unwrap();
        create_plan(&self.store, &self.cx(noon()), name, Quota::new(quota).unwrap()).await.unwrap()
    }

    pub async fn create_tenant(
        &self,
        slug: &str,
        plan_id: PlanId,
        hasher: &dyn CodeHasher,
    ) -> Result<CreatedTenant, CreateTenantError> {
        let new = NewTenant {
            slug: Slug::parse(slug).unwrap(),
            name: TenantName::parse("Acme").unwrap(),
            contact_email: Email::parse("it@acme.example").unwrap(),
            plan_id,
            branding: Branding::default(),
        };
        create_tenant(&self.store, &self.cx(noon()), hasher, new).await
    }

    /// An active tenant with one code, on a plan of ten activations a month.
    pub async fn tenant(&self, slug: &str) -> (TenantId, IssuedBatch) {
        let plan = self.plan(10).await;
        let created = self.create_tenant(slug, plan.id, &PlainHasher).await.unwrap();
        (created.tenant.id, created.issued.unwrap())
    }

    /// A tenant whose subscription stands so, made beside the use case, which knows active ones alone.
    pub async fn tenant_in(&self, state: SubscriptionState) -> TenantId {
        let (plan, entropy, now) = (self.plan(10).await, &self.entropy, noon());
        let tenant = Tenant {
            id: Id::generate(now, entropy),
            slug: Slug::parse(&format!("tenant-{}", self.number())).unwrap(),
            name: TenantName::parse("Acme").unwrap(),
            contact_email: Email::parse("it@acme.example").unwrap(),
            branding: Branding::default(),
            suspended_at: None,
            created_at: now,
            updated_at: now,
        };
        let subscription = Subscription {
            id: Id::generate(now, entropy),
            tenant_id: tenant.id,
            plan_id: plan.id,
            state,
            current_period_start: now.month().start(),
            current_period_end: now.month().end(),
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store.begin().await.unwrap();
        assert!(tx.insert_tenant(&tenant).await.unwrap());
        tx.insert_subscription(&subscription).await.unwrap();
        tx.commit().await.unwrap();
        tenant.id
    }

    pub async fn codes(&self, tenant: TenantId, order: CodeOrder) -> IssuedBatch {
        generate_codes(&self.store, &self.cx(noon()), &PlainHasher, tenant, order).await.unwrap()
    }

    pub async fn create_project(&self, tenant: TenantId, slug: Option<&str>) -> Result<Project, ProjectError> {
        let slug = slug.map(|slug| Slug::parse(slug).unwrap());
        create_project(&self.store, &self.cx(noon()), tenant, NewProject { slug, details: details("Acme Corp") }).await
    }

    /// The actions of a tenant's events, in no particular order: those of one moment have none.
    pub async fn audited(&self, tenant: TenantId) -> Vec<String> {
        let events = self.store.reader().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        let mut actions: Vec<_> = events.into_iter().map(|event| event.action).collect();
        actions.sort_unstable();
        actions
    }
}
