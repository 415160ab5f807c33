//! Deleting a tenant takes all that it owns, and nothing of anybody else's.

use super::{
    fixtures::Issued,
    world::{World, first_page, later, noon, race},
};
use crate::{
    ActivateError, Code, CodeHasher, Expected, OtpChallenge, OtpPurpose, ProjectId, Refusal, Session, TenantId, delete_tenant,
    memory::PlainHasher, ports::*,
};

/// A tenant with a row in every table.
struct Estate {
    tenant: TenantId,
    code: Issued,
    active: ProjectId,
    session: Session,
    challenge: OtpChallenge,
}

impl<S: Store> World<S> {
    async fn estate(&self) -> Estate {
        let tenant = self.tenant().await;
        let (code, active) = (self.code(tenant, 3).await, self.project(tenant).await);
        self.activate(tenant, active, code.by_text(), noon()).await.unwrap();
        let challenge = self.challenge(Some(tenant.into()), noon()).await;
        self.claim_first_try(&challenge).await.unwrap();
        Estate { tenant, code, active, session: self.session(tenant, noon()).await, challenge }
    }

    async fn claim_first_try(&self, challenge: &OtpChallenge) -> Option<OtpChallenge> {
        let budget = super::otps::BUDGET;
        self.write(async |tx| tx.claim_otp_attempt(challenge.id, OtpPurpose::TenantSignIn, budget, later(1)).await).await
    }

    /// Which of an estate's rows are there; all of them or none, if a deletion is whole.
    async fn left_of(&self, estate: &Estate) -> Vec<(&'static str, bool)> {
        let Estate { tenant, code, active, session, challenge } = estate;
        let mut reader = self.read();
        let (digest, every) = (PlainHasher.digest(&code.text).digest, CodeFilter::default());
        vec![
            ("tenant", reader.tenant(*tenant).await.unwrap().is_some()),
            ("subscription", reader.subscription(*tenant).await.unwrap().is_some()),
            ("entitlement", reader.entitlement(*tenant).await.unwrap().is_some()),
            ("code", reader.code(*tenant, code.id).await.unwrap().is_some()),
            ("code by digest", reader.code_by_digests(&[digest]).await.unwrap().is_some()),
            ("codes", !reader.codes_page(*tenant, &every, noon(), first_page::<Code>()).await.unwrap().items.is_empty()),
            ("project", reader.project_of_anyone(*active).await.unwrap().is_some()),
            ("redemption", !reader.redemptions_of_code(*tenant, code.id).await.unwrap().is_empty()),
            ("live redemption", reader.live_redemption(*tenant, *active).await.unwrap().is_some()),
            ("usage", reader.activations_in(*tenant, noon().month()).await.unwrap() > 0),
            ("session", reader.session_by_digests(&[session.token_digest]).await.unwrap().is_some()),
            ("sessions", !reader.live_sessions_page(*tenant, noon(), first_page()).await.unwrap().items.is_empty()),
            ("failures", reader.otp_failures((*tenant).into(), noon()).await.unwrap() > 0),
            ("challenge", self.claim_first_try(challenge).await.is_some()),
        ]
    }
}

/// A deleted tenant's subscription, codes, projects, sessions, challenges, redemptions and usage go with it; its audit events stay.
pub async fn a_deleted_tenant_leaves_its_audit_alone<S: Store>(store: S) {
    let world = World::new(store);
    let (deleted, kept) = (world.estate().await, world.estate().await);
    let slug = world.read().tenant(deleted.tenant).await.unwrap().unwrap().slug;
    let audited = world.audited(deleted.tenant).await;
    assert!(!audited.is_empty());
    assert!(world.write(async |tx| tx.delete_tenant(deleted.tenant, &Expected::Any).await).await);

    for (row, left) in world.left_of(&deleted).await {
        assert!(!left, "{row}");
    }
    for (row, left) in world.left_of(&kept).await {
        assert!(left, "another tenant's {row}");
    }
    assert_eq!(world.audited(deleted.tenant).await, audited);
    let successor = world.new_tenant(slug.as_str(), later(2));
    assert!(world.write(async |tx| tx.insert_tenant(&successor).await).await, "the slug is free again");
}

/// A legacy project that was assigned goes with its tenant; one that is nobody's stays.
pub async fn a_deleted_tenant_takes_what_was_assigned_to_it<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let [assigned, nobodys] = ["given", "kept"].map(|slug| world.new_project(None, slug, noon()));
    for project in [&assigned, &nobodys] {
        world.insert_project(project).await;
    }
    assert!(world.write(async |tx| tx.assign_project(assigned.id, tenant, later(1)).await).await.is_some());
    assert!(world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
    assert_eq!(world.read().project_of_anyone(assigned.id).await.unwrap(), None);
    assert_eq!(world.read().project_of_anyone(nobodys.id).await.unwrap(), Some(nobodys));
}

/// Of 32 racing deletions of a tenant one succeeds.
pub async fn racing_deletions_of_a_tenant_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.estate().await.tenant;
    assert_eq!(world.winners(async |_, tx| tx.delete_tenant(tenant, &Expected::Any).await).await, 1);
    assert!(!world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
}

/// A deletion that races activations neither fails nor leaves anything behind; each activation was before it, or finds no project.
pub async fn a_deletion_that_races_activations_leaves_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let estate = world.estate().await;
    let tenant = estate.tenant;
    let (code, projects) = (world.code(tenant, 100).await, world.projects(tenant, 16).await);
    race(17, async |racer| match projects.get(racer) {
        None => delete_tenant(&world.store, &world.cx(later(1)), tenant, &Expected::Any).await.unwrap(),
        Some(&project) => {
            let answer = world.activate(tenant, project, code.by_text(), later(1)).await;
            assert!(matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::UnknownProject))), "{answer:?}");
        }
    })
    .await;
    for (row, left) in world.left_of(&estate).await {
        assert!(!left, "{row}");
    }
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 0);
    assert_eq!(world.read().count_codes(tenant, later(1)).await.unwrap(), [0; 4]);
}
