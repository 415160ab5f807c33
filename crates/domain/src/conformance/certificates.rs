//! Certificates: of an activation that stands, to whom it belongs, saying what the store has.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join;
use time::Duration;

use super::world::{RACERS, World, later, noon, race};
use crate::{
    ActivationStatement, CertificateSigner, CertificateTerms, CertifyError, IssuedCertificate, Project, ProjectId, ProjectStatus,
    SignedStatement, SubscriptionState, TenantId, Timestamp, Transition, assign_project, certify_activation, ports::*,
    resume_tenant, return_activation, revoke_code, suspend_tenant, transition_project,
};

/// Signs by writing down what it was given.
struct Scribe;

impl CertificateSigner for Scribe {
    fn sign_statement(&self, statement: &ActivationStatement) -> SignedStatement {
        SignedStatement { certificate: format!("{statement:?}"), key_id: "scribe".to_owned() }
    }
}

const TERMS: CertificateTerms<'_> = CertificateTerms { issuer: "https://portal.example", life: Duration::HOUR };

impl<S: Store> World<S> {
    async fn certify(&self, tenant: TenantId, id: ProjectId, now: Timestamp) -> Result<IssuedCertificate, CertifyError> {
        certify_activation(&self.store, now, &Scribe, TERMS, tenant, id).await
    }

    /// How the project stands that is given none, which is why.
    async fn uncertified(&self, tenant: TenantId, id: ProjectId, now: Timestamp) -> ProjectStatus {
        match self.certify(tenant, id, now).await {
            Err(CertifyError::NotActive { status }) => status,
            other => panic!("{other:?}"),
        }
    }

    async fn active_project(&self, tenant: TenantId, now: Timestamp) -> ProjectId {
        let (code, id) = (self.code(tenant, 1).await, self.project(tenant).await);
        self.activate(tenant, id, code.by_text(), now).await.unwrap();
        id
    }
}

/// Project, tenant, code and moment are those of the activation; the times are whole seconds, the last of them a life after the first. A
/// clock that is behind the one that activated doesn't certify what is to come.
pub async fn a_certificate_says_what_the_store_has<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
    let (started, now) = (later(1) + Duration::milliseconds(700), later(9) + Duration::milliseconds(300));
    world.activate(tenant, id, code.by_text(), started).await.unwrap();
    let slug = world.read().tenant(tenant).await.unwrap().unwrap().slug;
    let said = |issued_at: Timestamp| ActivationStatement {
        issuer: TERMS.issuer.to_owned(),
        project_id: id,
        tenant_id: tenant,
        tenant_slug: slug.clone(),
        activation_code_id: code.id,
        activated_at: started,
        issued_at,
        expires_at: issued_at + TERMS.life,
    };
    let issued = world.certify(tenant, id, now).await.unwrap();
    assert_eq!(issued.statement, said(later(9)));
    assert_eq!(issued.signed, Scribe.sign_statement(&issued.statement), "what is said is what is signed");
    assert_eq!(world.certify(tenant, id, noon()).await.unwrap().statement, said(later(1)));
}

/// Before the activation there is none, nor while the project is paused, nor once it is completed or returned; and none while the tenant is
/// suspended or its subscription lets no project go on. What becomes of the code afterwards doesn't matter.
pub async fn a_certificate_is_given_while_the_activation_stands_and_no_longer<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
    assert_eq!(world.uncertified(tenant, id, noon()).await, ProjectStatus::Pending);
    world.activate(tenant, id, code.by_text(), later(1)).await.unwrap();
    world.certify(tenant, id, later(1)).await.unwrap();
    revoke_code(&world.store, &world.cx(later(2)), code.id).await.unwrap();
    world.certify(tenant, id, later(2)).await.unwrap();

    transition_project(&world.store, &world.cx(later(3)), tenant, id, Transition::Pause).await.unwrap();
    assert_eq!(world.uncertified(tenant, id, later(3)).await, ProjectStatus::Paused);
    transition_project(&world.store, &world.cx(later(4)), tenant, id, Transition::Resume).await.unwrap();
    assert_eq!(world.certify(tenant, id, later(4)).await.unwrap().statement.activated_at, later(1), "it is the activation's");

    suspend_tenant(&world.store, &world.cx(later(5)), tenant).await.unwrap();
    let suspended = world.certify(tenant, id, later(5)).await;
    assert!(matches!(suspended, Err(CertifyError::TenantSuspended)), "{suspended:?}");
    resume_tenant(&world.store, &world.cx(later(6)), tenant).await.unwrap();
    for state in SubscriptionState::ALL {
        let terms = world.read().subscription(tenant).await.unwrap().unwrap().terms();
        let terms = crate::SubscriptionTerms { state, ..terms };
        world.write(async |tx| tx.change_subscription(tenant, &terms, later(7)).await).await.unwrap();
        let goes_on = matches!(state, SubscriptionState::Active | SubscriptionState::Trialing | SubscriptionState::PastDue);
        match world.certify(tenant, id, later(7)).await {
            Ok(_) => assert!(goes_on, "{state:?}"),
            Err(CertifyError::SubscriptionInactive { state: told }) => assert!(!goes_on && told == state, "{state:?}"),
            Err(other) => panic!("{state:?}: {other:?}"),
        }
    }
    let terms = world.read().subscription(tenant).await.unwrap().unwrap().terms();
    let terms = crate::SubscriptionTerms { state: SubscriptionState::Active, ..terms };
    world.write(async |tx| tx.change_subscription(tenant, &terms, later(8)).await).await.unwrap();

    return_activation(&world.store, &world.cx(later(9)), id).await.unwrap();
    assert_eq!(world.uncertified(tenant, id, later(9)).await, ProjectStatus::Pending);
    let completed = world.active_project(tenant, later(10)).await;
    transition_project(&world.store, &world.cx(later(11)), tenant, completed, Transition::Complete).await.unwrap();
    assert_eq!(world.uncertified(tenant, completed, later(11)).await, ProjectStatus::Completed);
}

/// Of suspension, subscription and pause one stands against a certificate at each moment, by turns: none is given, however what is read of
/// them falls between the turns.
pub async fn a_certificate_is_of_one_moment<S: Store>(store: S) {
    const TURNS: usize = 24;
    let world = World::new(store);
    let tenant = world.tenant().await;
    let id = world.active_project(tenant, noon()).await;
    let terms = world.read().subscription(tenant).await.unwrap().unwrap().terms();
    let state = async |tx: &mut S::Transaction, state| {
        let terms = crate::SubscriptionTerms { state, ..terms };
        assert!(tx.change_subscription(tenant, &terms, later(1)).await.unwrap().is_some());
    };
    let project = async |tx: &mut S::Transaction, transition| {
        assert!(tx.transition_project(tenant, id, transition, later(1)).await.unwrap().is_some());
    };
    let suspended = async |tx: &mut S::Transaction, since| {
        assert!(tx.set_tenant_suspended(tenant, since, later(1)).await.unwrap());
    };
    let stop = async |tx: &mut S::Transaction, what| match what % 3 {
        0 => suspended(tx, Some(later(1))).await,
        1 => state(tx, SubscriptionState::Unpaid).await,
        _ => project(tx, Transition::Pause).await,
    };
    let free = async |tx: &mut S::Transaction, what| match what % 3 {
        0 => suspended(tx, None).await,
        1 => state(tx, SubscriptionState::Active).await,
        _ => project(tx, Transition::Resume).await,
    };
    let mut tx = world.begin().await;
    stop(&mut tx, 0).await;
    tx.commit().await.unwrap();
    let over = AtomicBool::new(false);
    let turns = async {
        for turn in 0..TURNS {
            let mut tx = world.begin().await;
            // In the order of all locks: the tenant before its project.
            tx.lock_tenant(tenant).await.unwrap();
            free(&mut tx, turn).await;
            stop(&mut tx, turn + 1).await;
            tx.commit().await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let ask = async |_| {
        while !over.load(Ordering::Relaxed) {
            let refused = world.certify(tenant, id, later(1)).await;
            let told = matches!(
                refused,
                Err(CertifyError::TenantSuspended | CertifyError::SubscriptionInactive { .. } | CertifyError::NotActive { .. })
            );
            assert!(told, "{refused:?}");
        }
    };
    join(turns, race(RACERS, ask)).await;
}

/// Another tenant's project is as good as missing. A legacy project, which no code activated, has none although it is active.
pub async fn a_certificate_is_given_to_whom_the_project_belongs<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let id = world.active_project(tenant, noon()).await;
    for (who, id) in [(other, id), (tenant, world.id(noon())), (world.id(noon()), id)] {
        let refused = world.certify(who, id, later(1)).await;
        assert!(matches!(refused, Err(CertifyError::UnknownProject)), "{refused:?}");
    }
    let legacy = Project { status: ProjectStatus::Active, ..world.new_project(None, "old-site", noon()) };
    world.insert_project(&legacy).await;
    assign_project(&world.store, &world.cx(later(2)), legacy.id, tenant).await.unwrap();
    let refused = world.certify(tenant, legacy.id, later(3)).await;
    assert!(matches!(refused, Err(CertifyError::NoActivation)), "{refused:?}");
}
