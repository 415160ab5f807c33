//! The dry run and the activation that follows it agree, in whatever state everything is.

use proptest::{prelude::*, sample::select};
use tenantry_domain::{
    ActivateError, ActivateProject, ActivateWith, AuditFilter, CheckCode, CheckCodeError, CheckedCode, Code, CodeOrder, Context,
    Id, IssuedCode, PlainCode, Project, ProjectId, ProjectStatus, Quota, Redemption, Refusal, SeededEntropy, Slug,
    SubscriptionState, TenantId, Timestamp, Transition, Usable, activate_project, check_code,
    memory::{MemoryStore, PlainHasher},
    ports::*,
};
use time::Duration;

use crate::support::{Portal, block_on, details, first_page, noon};

/// Whose the code is that is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Text {
    Own,
    Foreign,
    Unknown,
    Malformed,
}

/// What is to be activated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Own(ProjectStatus, By),
    Foreign,
    Legacy,
    Missing,
}

/// What made a project active.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    ThisCode,
    AnotherCode,
    Nothing,
}

#[derive(Clone, Debug)]
struct State {
    text: Text,
    target: Target,
    max_uses: u32,
    uses: u32,
    revoked: bool,
    ttl: Option<Duration>,
    subscription: SubscriptionState,
    suspended: bool,
    quota_spent: bool,
}

fn target() -> impl Strategy<Value = Target> {
    let own = (select(&ProjectStatus::ALL[..]), select(&[By::ThisCode, By::AnotherCode, By::Nothing][..]));
    prop_oneof![
        6 => own.prop_map(|(status, by)| Target::Own(status, by)),
        4 => Just(Target::Own(ProjectStatus::Pending, By::Nothing)),
        1 => select(&[Target::Foreign, Target::Legacy, Target::Missing][..]),
    ]
}

fn state() -> impl Strategy<Value = State> {
    let text = prop_oneof![6 => Just(Text::Own), 1 => select(&[Text::Foreign, Text::Unknown, Text::Malformed][..])];
    let ttl = select(vec![None, Some(Duration::MINUTE), Some(Duration::MINUTE + Duration::MICROSECOND)]);
    let subscription = prop_oneof![3 => Just(SubscriptionState::Active), 1 => select(&SubscriptionState::ALL[..])];
    let rarely = || prop::bool::weighted(0.2);
    (text, target(), 1_u32..4, 0_u32..4, rarely(), ttl, subscription, rarely(), rarely()).prop_map(
        |(text, target, max_uses, uses, revoked, ttl, subscription, suspended, quota_spent)| {
            let uses = uses.min(max_uses);
            State { text, target, max_uses, uses, revoked, ttl, subscription, suspended, quota_spent }
        },
    )
}

/// Everything that an activation could change.
type Everything = (Vec<Code>, Vec<Project>, Vec<Redemption>, u32, usize);

struct Scene {
    portal: Portal,
    tenant: TenantId,
    code: IssuedCode,
    project: ProjectId,
}

impl Scene {
    /// A minute after noon.
    fn cx(&self) -> Context<'_> {
        self.portal.cx(noon() + Duration::MINUTE)
    }

    /// Builds a state past the use cases, which wouldn't let most of them come about in one moment.
    async fn of(state: &State) -> Self {
        let portal = Portal::new();
        let tenant = portal.tenant_in(state.subscription).await;
        let (stranger, _) = portal.tenant("stranger").await;
        let order = CodeOrder { max_uses: state.max_uses, ttl: state.ttl, ..CodeOrder::default() };
        let owner = if state.text == Text::Foreign { stranger } else { tenant };
        let code = portal.codes(owner, order).await.codes.remove(0);
        let another = portal.codes(tenant, CodeOrder::default()).await.codes.remove(0);
        let project = project(&portal, tenant, stranger, state.target).await;
        let scene = Self { portal, tenant, code, project };
        let mut tx = scene.portal.store.begin().await.unwrap();
        let now = noon();
        for _ in 0..state.uses {
            assert!(tx.consume_code(owner, scene.code.id, None, now).await.unwrap());
        }
        if let Target::Own(status, by @ (By::ThisCode | By::AnotherCode)) = state.target {
            let used = if by == By::ThisCode { scene.code.id } else { another.id };
            for step in path_to(status) {
                let moved = match step {
                    None => tx.start_project(tenant, project, used, now).await,
                    Some(transition) => tx.transition_project(tenant, project, *transition, now).await,
                };
                assert!(moved.unwrap().is_some());
            }
        }
        if state.revoked {
            assert!(tx.revoke_code(owner, scene.code.id, now).await.unwrap());
        }
        if state.suspended {
            assert!(tx.set_tenant_suspended(tenant, Some(now), now).await.unwrap());
        }
        while state.quota_spent && tx.count_activation(tenant, now.month(), Quota::new(10).unwrap(), now).await.unwrap().is_some()
        {
        }
        tx.commit().await.unwrap();
        scene
    }

    fn typed(&self, text: Text) -> String {
        match text {
            Text::Own | Text::Foreign => self.code.code.reveal().to_lowercase(),
            Text::Unknown => PlainCode::generate(&SeededEntropy::new(99)).reveal().to_string(),
            Text::Malformed => "12RY-S55W-4MZR-KP2K".to_owned(),
        }
    }

    async fn check(&self, typed: &str, tenant: Option<TenantId>) -> Result<Usable, Refusal> {
        let request = CheckCode { text: typed, tenant, project: Some(self.project) };
        check_code(&self.portal.store, self.cx().now, &PlainHasher, request).await.unwrap().verdict
    }

    /// What activating answers: whether anything was taken by it, or why not.
    #[expect(clippy::panic, reason = "a store in memory that fails is a defect")]
    async fn activate(&self, typed: &str) -> Result<Usable, Refusal> {
        let text = PlainCode::parse(typed).map_err(Refusal::Malformed)?;
        let request =
            ActivateProject { tenant: self.tenant, project: self.project, with: ActivateWith::Code(text.into()), guesses: None };
        let before = self.everything().await.2.len();
        match activate_project(&self.portal.store, &self.cx(), &PlainHasher, &request).await {
            Ok(_) if self.everything().await.2.len() > before => Ok(Usable::Now),
            Ok(_) => Ok(Usable::Again),
            Err(ActivateError::Refused(refusal)) => Err(refusal),
            Err(failure @ (ActivateError::Limited { .. } | ActivateError::Store(_))) => panic!("{failure:?}"),
        }
    }

    async fn everything(&self) -> Everything {
        let mut reader = self.portal.store.reader();
        let filter = CodeFilter::default();
        let codes = reader.codes_of_anyone_page(None, &filter, noon(), first_page()).await.unwrap().items;
        let projects = reader.projects_of_anyone_page(Ownership::Any, &ProjectFilter::default(), first_page()).await.unwrap();
        let mut redemptions = Vec::new();
        for code in &codes {
            redemptions.extend(reader.redemptions_of_code(code.tenant_id, code.id).await.unwrap());
        }
        let month = reader.activations_in(self.tenant, noon().month()).await.unwrap();
        let audited = reader.audit_page(None, &AuditFilter::default(), first_page()).await.unwrap().items.len();
        (codes, projects.items, redemptions, month, audited)
    }
}

/// How a pending project gets there, by way of its start.
fn path_to(status: ProjectStatus) -> &'static [Option<Transition>] {
    match status {
        ProjectStatus::Pending => &[],
        ProjectStatus::Active => &[None],
        ProjectStatus::Paused => &[None, Some(Transition::Pause)],
        ProjectStatus::Completed => &[None, Some(Transition::Complete)],
    }
}

async fn project(portal: &Portal, tenant: TenantId, stranger: TenantId, target: Target) -> ProjectId {
    let (owner, status) = match target {
        Target::Own(status, By::Nothing) => (Some(tenant), status),
        Target::Own(..) => (Some(tenant), ProjectStatus::Pending),
        Target::Foreign => (Some(stranger), ProjectStatus::Pending),
        Target::Legacy => (None, ProjectStatus::Active),
        Target::Missing => return Id::from_uuid(uuid::Uuid::from_u128(7)),
    };
    let project = Project {
        id: Id::from_uuid(uuid::Uuid::from_u128(8)),
        slug: Slug::parse("website").unwrap(),
        tenant_id: owner,
        activation_code_id: None,
        details: details("Acme Corp"),
        status,
        started_at: None,
        completed_at: None,
        created_by: None,
        created_at: noon(),
        updated_at: noon(),
    };
    let mut tx = portal.store.begin().await.unwrap();
    assert!(tx.insert_project(&project).await.unwrap());
    tx.commit().await.unwrap();
    project.id
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_dry_run_says_what_the_activation_answers(state in state()) {
        block_on(async {
            let scene = Scene::of(&state).await;
            let typed = scene.typed(state.text);
            let before = scene.everything().await;
            let verdict = scene.check(&typed, Some(scene.tenant)).await;
            if matches!(state.target, Target::Own(..)) {
                assert_eq!(scene.check(&typed, None).await, verdict, "its owner goes without saying");
            }
            assert_eq!(scene.everything().await, before, "a dry run changes nothing");
            assert_eq!(scene.activate(&typed).await, verdict);
        });
    }
}

/// Checks a code of a tenant with nothing but what it is told.
async fn checked(store: &MemoryStore, now: Timestamp, request: CheckCode<'_>) -> CheckedCode {
    check_code(store, now, &PlainHasher, request).await.unwrap()
}

#[test]
fn a_check_without_a_project_asks_whether_any_could_be_activated() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, batch) = portal.tenant("acme").await;
        let (stranger, _) = portal.tenant("globex").await;
        let code = &batch.codes[0];
        let text = code.code.reveal();
        let ask = |tenant| CheckCode { text: text.as_str(), tenant, project: None };
        let own = checked(&portal.store, noon(), ask(None)).await;
        assert_eq!((own.verdict, own.code.map(|code| code.id)), (Ok(Usable::Now), Some(code.id)));
        let foreign = checked(&portal.store, noon(), ask(Some(stranger))).await;
        assert_eq!(foreign.verdict, Err(Refusal::UnknownCode));
        assert_eq!(foreign.code.map(|code| code.tenant_id), Some(tenant), "an operator sees whose it is");
        let nobodys = PlainCode::generate(&SeededEntropy::new(99)).reveal();
        let nobodys = checked(&portal.store, noon(), CheckCode { text: nobodys.as_str(), ..ask(None) }).await;
        assert_eq!((nobodys.verdict, nobodys.code), (Err(Refusal::UnknownCode), None));
        let unknown = check_code(&portal.store, noon(), &PlainHasher, ask(Some(Id::from_uuid(uuid::Uuid::from_u128(7))))).await;
        assert!(matches!(unknown, Err(CheckCodeError::UnknownTenant)), "{unknown:?}");
    });
}
