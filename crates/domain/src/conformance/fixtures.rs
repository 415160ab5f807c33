//! The rows that the rules are about.

use time::Duration;

use super::world::{World, first_page, later, noon};
use crate::{
    ActivateError, ActivateProject, ActivateWith, AuditFilter, Branding, Cause, ClientName, Code, CodeId, CodeOrder, Delivery,
    Email, KeyId, LONGEST_TTL, NewTenant, OtpAccount, OtpChallenge, OtpMac, OtpPurpose, OtpStrength, OutboxMessage, PlainCode,
    Plan, PlanId, PlanName, Project, ProjectDetails, ProjectId, ProjectStatus, Quota, SealedPayload, Session, Slug, Subscription,
    SubscriptionState, Tenant, TenantId, TenantName, Timestamp, TokenDigest, activate_project, generate_codes,
    memory::PlainHasher, ports::*,
};

/// An issued code and its text.
#[derive(Clone)]
pub struct Issued {
    pub id: CodeId,
    pub text: PlainCode,
}

impl Issued {
    /// To activate by this code's text.
    pub fn by_text(&self) -> ActivateWith {
        ActivateWith::Code(self.text.clone().into())
    }

    /// To activate by this code's identifier.
    pub fn by_id(&self) -> ActivateWith {
        ActivateWith::CodeId(self.id)
    }
}

/// Details of a project for this client, and nothing more.
pub fn details(client_name: &str) -> ProjectDetails {
    let client_name = ClientName::parse(client_name).unwrap();
    ProjectDetails { client_name, description: None, objectives: None, priority: None }
}

impl<S: Store> World<S> {
    /// A plan that isn't stored.
    pub fn new_plan(&self, quota: i64) -> Plan {
        let (id, created_at, updated_at) = (self.id(noon()), noon(), noon());
        let name = PlanName::parse(&format!("Plan {}", self.number())).unwrap();
        Plan { id, name, monthly_run_quota: Quota::new(quota).unwrap(), archived_at: None, created_at, updated_at }
    }

    /// A tenant that isn't stored.
    pub fn new_tenant(&self, slug: &str, at: Timestamp) -> Tenant {
        Tenant {
            id: self.id(at),
            slug: Slug::parse(slug).unwrap(),
            name: TenantName::parse("Acme Corporation").unwrap(),
            contact_email: Email::parse("it@acme.example").unwrap(),
            branding: Branding::default(),
            suspended_at: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// A subscription that isn't stored.
    pub fn new_subscription(&self, tenant: TenantId, plan: &Plan, state: SubscriptionState) -> Subscription {
        let month = noon().month();
        Subscription {
            id: self.id(noon()),
            tenant_id: tenant,
            plan_id: plan.id,
            state,
            current_period_start: month.start(),
            current_period_end: month.end(),
            created_at: noon(),
            updated_at: noon(),
        }
    }

    /// A tenant that isn't made yet.
    pub fn tenant_to_be(&self, plan_id: PlanId) -> NewTenant {
        NewTenant {
            slug: Slug::parse(&format!("tenant-{}", self.number())).unwrap(),
            name: TenantName::parse("Acme Corporation").unwrap(),
            contact_email: Email::parse("it@acme.example").unwrap(),
            plan_id,
            branding: Branding::default(),
        }
    }

    /// An active tenant with plenty of quota.
    pub async fn tenant(&self) -> TenantId {
        self.tenant_on(10_000, SubscriptionState::Active).await
    }

    /// A tenant with this quota and subscription.
    pub async fn tenant_on(&self, quota: i64, state: SubscriptionState) -> TenantId {
        let plan = self.new_plan(quota);
        let tenant = self.new_tenant(&format!("tenant-{}", self.number()), noon());
        let subscription = self.new_subscription(tenant.id, &plan, state);
        self.write(async |tx| {
            assert!(tx.insert_plan(&plan).await?, "a new plan's name is free");
            assert!(tx.insert_tenant(&tenant).await?, "a new tenant's slug is free");
            tx.insert_subscription(&subscription).await
        })
        .await;
        tenant.id
    }

    /// Codes, issued at `at`.
    pub async fn codes(&self, tenant: TenantId, order: CodeOrder, at: Timestamp) -> Vec<Issued> {
        let batch = generate_codes(&self.store, &self.cx(at), &PlainHasher, tenant, order).await.unwrap();
        batch.codes.into_iter().map(|issued| Issued { id: issued.id, text: issued.code }).collect()
    }

    /// A code for this many projects, valid for ever.
    pub async fn code(&self, tenant: TenantId, max_uses: u32) -> Issued {
        let codes = self.codes(tenant, CodeOrder { max_uses, ..CodeOrder::default() }, noon()).await;
        codes.into_iter().next().unwrap()
    }

    /// A code for one project that expires at `expires_at`, issued at `issued_at`, or as early as a code that lives until then can be.
    pub async fn code_until(&self, tenant: TenantId, expires_at: Timestamp, issued_at: Timestamp) -> Issued {
        let issued_at = issued_at.max(expires_at - LONGEST_TTL);
        let order = CodeOrder { ttl: Some(expires_at - issued_at), ..CodeOrder::default() };
        self.codes(tenant, order, issued_at).await.into_iter().next().unwrap()
    }

    /// A code as the store has it.
    pub async fn stored_code(&self, tenant: TenantId, id: CodeId) -> Code {
        self.read().code(tenant, id).await.unwrap().unwrap()
    }

    /// A project that isn't stored: pending, and for nobody if `tenant` is `None`.
    pub fn new_project(&self, tenant: Option<TenantId>, slug: &str, at: Timestamp) -> Project {
        Project {
            id: self.id(at),
            slug: Slug::parse(slug).unwrap(),
            tenant_id: tenant,
            activation_code_id: None,
            details: details("Client"),
            status: ProjectStatus::Pending,
            started_at: None,
            completed_at: None,
            created_by: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// Stores a project that must not be refused.
    pub async fn insert_project(&self, project: &Project) {
        assert!(self.write(async |tx| tx.insert_project(project).await).await, "a new project's slug is free");
    }

    /// A pending project.
    pub async fn project(&self, tenant: TenantId) -> ProjectId {
        self.project_in(tenant, ProjectStatus::Pending).await
    }

    /// A project that stands so, without a code.
    pub async fn project_in(&self, tenant: TenantId, status: ProjectStatus) -> ProjectId {
        // Before noon, so that what happens at noon happens later.
        let project = self.new_project(Some(tenant), &format!("project-{}", self.number()), later(-1));
        let project = Project { status, ..project };
        self.insert_project(&project).await;
        project.id
    }

    /// Pending projects.
    pub async fn projects(&self, tenant: TenantId, count: usize) -> Vec<ProjectId> {
        let mut projects = Vec::new();
        for _ in 0..count {
            projects.push(self.project(tenant).await);
        }
        projects
    }

    /// A project as the store has it.
    pub async fn stored_project(&self, tenant: TenantId, id: ProjectId) -> Project {
        self.read().project(tenant, id).await.unwrap().unwrap()
    }

    /// Activates at `now`.
    pub async fn activate(
        &self,
        tenant: TenantId,
        project: ProjectId,
        with: ActivateWith,
        now: Timestamp,
    ) -> Result<Project, ActivateError> {
        activate_project(&self.store, &self.cx(now), &PlainHasher, &ActivateProject { tenant, project, with, guesses: None })
            .await
    }

    /// A session that isn't stored: made at `at`, for half an hour.
    pub fn new_session(&self, tenant: TenantId, at: Timestamp) -> Session {
        Session {
            id: self.id(at),
            tenant_id: tenant,
            token_digest: TokenDigest::from_bytes(self.bytes()),
            last_activity: at,
            expires_at: at + Duration::minutes(30),
            client_ip: None,
            user_agent: None,
            revoked_at: None,
            created_at: at,
        }
    }

    /// A session, made at `at`.
    pub async fn session(&self, tenant: TenantId, at: Timestamp) -> Session {
        let session = self.new_session(tenant, at);
        self.write(async |tx| tx.insert_session(&session).await).await;
        session
    }

    /// A challenge of six digits that isn't stored: made at `at`, for ten minutes; a tenant's decoy if `account` is `None`.
    pub fn new_challenge(&self, account: Option<OtpAccount>, at: Timestamp) -> OtpChallenge {
        OtpChallenge {
            id: self.id(at),
            account,
            code_mac: OtpMac::from_bytes(self.bytes()),
            key_id: KeyId::parse("k1").unwrap(),
            purpose: match account {
                Some(OtpAccount::Operator(_)) => OtpPurpose::OperatorSignIn,
                Some(OtpAccount::Tenant(_)) | None => OtpPurpose::TenantSignIn,
            },
            strength: OtpStrength::SixDigits,
            attempts: 0,
            expires_at: at + Duration::minutes(10),
            consumed_at: None,
            created_at: at,
        }
    }

    /// A challenge of six digits, made at `at`.
    pub async fn challenge(&self, account: Option<OtpAccount>, at: Timestamp) -> OtpChallenge {
        let challenge = self.new_challenge(account, at);
        self.write(async |tx| tx.insert_challenge(&challenge).await).await;
        challenge
    }

    /// A message that isn't stored: made at `at`, and due at once.
    pub fn new_message(&self, at: Timestamp) -> OutboxMessage {
        OutboxMessage {
            id: self.id(at),
            topic: "mail.otp".to_owned(),
            payload: SealedPayload { key_id: KeyId::parse("k1").unwrap(), bytes: self.bytes().to_vec() },
            available_at: at,
            not_after: None,
            attempts: 0,
            forgiven: 0,
            cause: Cause::default(),
            created_at: at,
        }
    }

    /// A message, made at `at` and due at once.
    pub async fn message(&self, at: Timestamp) -> OutboxMessage {
        let message = self.new_message(at);
        self.write(async |tx| tx.enqueue_message(&message).await).await;
        message
    }

    /// Claims messages for a minute.
    pub async fn claim(&self, now: Timestamp, limit: u16) -> Vec<OutboxMessage> {
        self.write(async |tx| tx.claim_messages(now, Duration::MINUTE, limit).await).await
    }

    /// Settles a claimed message.
    pub async fn settle(&self, message: &OutboxMessage, delivery: &Delivery, now: Timestamp) -> bool {
        self.write(async |tx| tx.settle_message(message.id, message.attempts, delivery, now).await).await
    }

    /// The actions of a tenant's audit events, oldest first.
    pub async fn audited(&self, tenant: TenantId) -> Vec<String> {
        let events = self.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        events.into_iter().rev().map(|event| event.action).collect()
    }
}
