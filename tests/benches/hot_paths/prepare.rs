//! The rows that the requests need, written through the domain's ports before anything is measured.

use std::{fs, path::Path};

use tenantry_auth::{KeyRing, PlainOtp, SessionToken};
use tenantry_domain::{
    Branding, ChallengeId, ClientName, Clock as _, CodeDigest, CodeHasher as _, CodeId, Description, Email, Id, KeyedCodeDigest,
    NewCode, OtpChallenge, OtpPurpose, OtpStrength, PlainCode, Plan, PlanName, Project, ProjectDetails, ProjectId, ProjectStatus,
    Quota, Session, SessionId, Slug, Subscription, SubscriptionState, SystemClock, SystemEntropy, Tenant, TenantId, TenantName,
    Timestamp, TokenDigest,
    ports::{
        CodeIssue, CodeWrites as _, OtpWrites as _, PlanWrites as _, ProjectWrites as _, SessionWrites as _, Store as _,
        TenantWrites as _, Transaction as _,
    },
};
use tenantry_persistence::{DatabaseStore, Options};
use time::Duration;

/// Tenants whose projects are listed.
pub const READERS: usize = 20;
/// Projects of each of them.
pub const PROJECTS: usize = 1_000;
/// Tenants that sign in and activate, one after the other, so that few requests at once are of one tenant.
pub const WRITERS: usize = 1_000;

/// Rows of one transaction.
const BATCH: usize = 2_000;

/// A tenant's session, which is far from its end and from the next write of its activity.
pub struct SignedIn {
    pub tenant: TenantId,
    pub session: SessionId,
    pub token: String,
    pub digest: TokenDigest,
}

/// A challenge and the password that answers it.
pub struct SignIn {
    pub tenant: TenantId,
    pub challenge: ChallengeId,
    pub otp: String,
}

/// A pending project and a code for it.
pub struct Activation {
    /// Whose, by its place in [`Prepared::writers`].
    pub writer: usize,
    pub project: ProjectId,
    pub code: CodeId,
    pub text: String,
    pub digest: CodeDigest,
}

/// What requests and the driver's statements are made of.
pub struct Prepared {
    pub readers: Vec<SignedIn>,
    pub writers: Vec<SignedIn>,
    pub sign_ins: Vec<SignIn>,
    pub activations: Vec<Activation>,
}

/// Writes all rows, with `items` challenges and as many projects with codes, and keeps what their requests need.
pub async fn prepare(database: &str, keys_file: &Path, items: usize) -> Prepared {
    let keys = KeyRing::parse(&fs::read_to_string(keys_file).expect("the server's key ring")).expect("a key ring");
    let store = DatabaseStore::connect(&Options::new(database)).await.expect("the database");
    let maker = Maker { store, keys, now: SystemClock.now() };
    let readers = maker.tenants("reader", READERS).await;
    let listed: Vec<usize> = (0..READERS * PROJECTS).map(|index| index % READERS).collect();
    maker.projects(&readers, &listed).await;
    let writers = maker.tenants("writer", WRITERS).await;
    let sign_ins = maker.sign_ins(&writers, items).await;
    let activations = maker.activations(&writers, items).await;
    maker.store.close().await;
    Prepared { readers, writers, sign_ins, activations }
}

struct Maker {
    store: DatabaseStore,
    keys: KeyRing,
    now: Timestamp,
}

impl Maker {
    fn id<K: tenantry_domain::id::Kind>(&self) -> Id<K> {
        Id::generate(self.now, &SystemEntropy)
    }

    /// Tenants on a plan that they can't use up, each signed in.
    async fn tenants(&self, kind: &str, count: usize) -> Vec<SignedIn> {
        let now = self.now;
        let plan = Plan {
            id: self.id(),
            name: PlanName::parse(&format!("Plan of {kind}s")).unwrap(),
            monthly_run_quota: Quota::new(Quota::MAX.into()).unwrap(),
            archived_at: None,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store.begin().await.unwrap();
        assert!(tx.insert_plan(&plan).await.unwrap(), "the plan is new");
        let mut made = Vec::new();
        for number in 0..count {
            let tenant = Tenant {
                id: self.id(),
                slug: Slug::parse(&format!("{kind}-{number}")).unwrap(),
                name: TenantName::parse(&format!("Tenant {number}, a {kind}")).unwrap(),
                contact_email: Email::parse(&format!("{kind}-{number}@tenant.example")).unwrap(),
                branding: Branding::default(),
                suspended_at: None,
                created_at: now,
                updated_at: now,
            };
            let subscription = Subscription {
                id: self.id(),
                tenant_id: tenant.id,
                plan_id: plan.id,
                state: SubscriptionState::Active,
                current_period_start: now.month().start(),
                current_period_end: now.month().end(),
                created_at: now,
                updated_at: now,
            };
            assert!(tx.insert_tenant(&tenant).await.unwrap(), "the tenant is new");
            tx.insert_subscription(&subscription).await.unwrap();
            let token = SessionToken::generate(&SystemEntropy);
            let session = Session {
                id: self.id(),
                tenant_id: tenant.id,
                token_digest: self.keys.token_digest(&token),
                last_activity: now + Duration::HOUR,
                expires_at: now + Duration::DAY,
                client_ip: Some([127, 0, 0, 1].into()),
                user_agent: Some(crate::http::USER_AGENT.to_owned()),
                revoked_at: None,
                created_at: now,
            };
            tx.insert_session(&session).await.unwrap();
            let (token, digest) = (token.reveal().to_owned(), session.token_digest);
            made.push(SignedIn { tenant: tenant.id, session: session.id, token, digest });
        }
        tx.commit().await.unwrap();
        made
    }

    /// A pending project for each place in `owners`.
    async fn projects(&self, tenants: &[SignedIn], owners: &[usize]) -> Vec<ProjectId> {
        let mut made = Vec::new();
        for owners in owners.chunks(BATCH) {
            let mut tx = self.store.begin().await.unwrap();
            for &owner in owners {
                let project = self.project(&tenants[owner], made.len());
                assert!(tx.insert_project(&project).await.unwrap(), "the project is new");
                made.push(project.id);
            }
            tx.commit().await.unwrap();
        }
        made
    }

    fn project(&self, owner: &SignedIn, number: usize) -> Project {
        let description = "Answers what customers ask about their orders, from the shop's own documents.";
        Project {
            id: self.id(),
            slug: Slug::parse(&format!("assistant-{number}")).unwrap(),
            tenant_id: Some(owner.tenant),
            activation_code_id: None,
            details: ProjectDetails {
                client_name: ClientName::parse(&format!("Client {number} and Partners")).unwrap(),
                description: Some(Description::parse(description).unwrap()),
                objectives: None,
                priority: None,
            },
            status: ProjectStatus::Pending,
            started_at: None,
            completed_at: None,
            created_by: Some(owner.session.to_string()),
            created_at: self.now,
            updated_at: self.now,
        }
    }

    /// Challenges that stay open long enough, by turns of each tenant.
    async fn sign_ins(&self, tenants: &[SignedIn], count: usize) -> Vec<SignIn> {
        const PURPOSE: OtpPurpose = OtpPurpose::TenantSignIn;
        const STRENGTH: OtpStrength = OtpStrength::SixDigits;

        let mut made = Vec::new();
        while made.len() < count {
            let mut tx = self.store.begin().await.unwrap();
            for number in made.len()..count.min(made.len() + BATCH) {
                let (tenant, id) = (tenants[number % tenants.len()].tenant, self.id());
                let otp = PlainOtp::generate(STRENGTH, &SystemEntropy);
                let (code_mac, key_id) = self.keys.otp_mac(PURPOSE, Some(tenant.into()), id, &otp);
                let challenge = OtpChallenge {
                    id,
                    account: Some(tenant.into()),
                    code_mac,
                    key_id,
                    purpose: PURPOSE,
                    strength: STRENGTH,
                    attempts: 0,
                    expires_at: self.now + Duration::DAY,
                    consumed_at: None,
                    created_at: self.now,
                };
                tx.insert_challenge(&challenge).await.unwrap();
                made.push(SignIn { tenant, challenge: id, otp: otp.reveal().to_string() });
            }
            tx.commit().await.unwrap();
        }
        made
    }

    /// Pending projects and a code for each, by turns of each tenant.
    async fn activations(&self, tenants: &[SignedIn], count: usize) -> Vec<Activation> {
        let owners: Vec<usize> = (0..count).map(|number| number % tenants.len()).collect();
        let projects = self.projects(tenants, &owners).await;
        let mut made: Vec<Option<Activation>> = projects.iter().map(|_| None).collect();
        let mut tx = self.store.begin().await.unwrap();
        for (writer, tenant) in tenants.iter().enumerate() {
            let issue = CodeIssue { tenant_id: tenant.tenant, batch_id: self.id(), created_at: self.now };
            let mut codes = Vec::new();
            for number in (writer..count).step_by(tenants.len()) {
                let text = PlainCode::generate(&SystemEntropy);
                let (id, keyed) = (self.id(), self.keys.digest(&text));
                let activation = Activation {
                    writer,
                    project: projects[number],
                    code: id,
                    text: text.reveal().to_string(),
                    digest: keyed.digest,
                };
                let KeyedCodeDigest { digest, key_id } = keyed;
                codes.push(NewCode { id, digest, key_id, hint: text.hint(), label: None, max_uses: 1, expires_at: None });
                made[number] = Some(activation);
            }
            tx.insert_codes(&issue, &codes).await.unwrap();
        }
        tx.commit().await.unwrap();
        made.into_iter().flatten().collect()
    }
}
