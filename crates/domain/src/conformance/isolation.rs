//! Tenants neither see nor touch what belongs to another: where a tenant is named, another's row is as good as missing.

use super::{
    fixtures::{Issued, details},
    world::{World, first_page, later, noon},
};
use crate::{AuditFilter, Code, CodeDigest, KeyId, NewCodeText, Project, ProjectStatus, Session, TenantId, Transition, ports::*};

/// What a tenant owns, and a stranger asks for.
struct Owned {
    owner: TenantId,
    stranger: TenantId,
    code: Issued,
    pending: Project,
    active: Project,
    session: Session,
}

impl<S: Store> World<S> {
    async fn owned(&self) -> Owned {
        let (owner, stranger) = (self.tenant().await, self.tenant().await);
        let code = self.code(owner, 2).await;
        let (pending, active) = (self.project(owner).await, self.project(owner).await);
        self.activate(owner, active, code.by_text(), noon()).await.unwrap();
        Owned {
            owner,
            stranger,
            pending: self.stored_project(owner, pending).await,
            active: self.stored_project(owner, active).await,
            session: self.session(owner, noon()).await,
            code,
        }
    }
}

/// Every read that names a tenant answers a stranger as if there were nothing.
pub async fn a_stranger_reads_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let Owned { owner, stranger, code, pending, active, session } = world.owned().await;
    let mut reader = world.read();
    let (every, every_code) = (ProjectFilter::default(), CodeFilter::default());

    assert_eq!(reader.code(stranger, code.id).await.unwrap(), None);
    assert!(reader.codes_page(stranger, &every_code, noon(), first_page::<Code>()).await.unwrap().items.is_empty());
    assert_eq!(reader.count_codes(stranger, noon()).await.unwrap(), [0; 4]);
    assert_eq!(reader.project(stranger, pending.id).await.unwrap(), None);
    assert_eq!(reader.project_standing(stranger, active.id).await.unwrap(), None);
    assert!(reader.projects_page(stranger, &every, first_page()).await.unwrap().items.is_empty());
    assert_eq!(reader.count_projects(stranger).await.unwrap(), 0);
    assert!(!reader.project_slug_taken(stranger, &pending.slug).await.unwrap());
    assert!(reader.redemptions_of_code(stranger, code.id).await.unwrap().is_empty());
    assert_eq!(reader.live_redemption(stranger, active.id).await.unwrap(), None);
    assert_eq!(reader.latest_redemption(stranger, active.id).await.unwrap(), None);
    assert_eq!(reader.activations_in(stranger, noon().month()).await.unwrap(), 0);
    assert!(reader.live_sessions_page(stranger, noon(), first_page()).await.unwrap().items.is_empty());
    assert!(reader.audit_page(Some(stranger), &AuditFilter::default(), first_page()).await.unwrap().items.is_empty());

    // The same reads do answer the owner, so the above is no accident.
    assert!(reader.code(owner, code.id).await.unwrap().is_some());
    assert_eq!(reader.codes_page(owner, &every_code, noon(), first_page::<Code>()).await.unwrap().items.len(), 1);
    assert_eq!(reader.count_codes(owner, noon()).await.unwrap(), [0, 0, 0, 1]);
    assert_eq!(reader.projects_page(owner, &every, first_page()).await.unwrap().items.len(), 2);
    assert_eq!(reader.redemptions_of_code(owner, code.id).await.unwrap().len(), 1);
    assert!(reader.live_redemption(owner, active.id).await.unwrap().is_some());
    assert!(reader.latest_redemption(owner, active.id).await.unwrap().is_some());
    assert_eq!(reader.activations_in(owner, noon().month()).await.unwrap(), 1);
    let sessions = reader.live_sessions_page(owner, noon(), first_page()).await.unwrap().items;
    assert_eq!(sessions, [session]);
    assert_eq!(reader.audit_page(Some(owner), &AuditFilter::default(), first_page()).await.unwrap().items.len(), 2);
}

/// Every write that names a tenant refuses a stranger and changes nothing.
pub async fn a_stranger_writes_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let Owned { owner, stranger, code, pending, active, session } = world.owned().await;
    let before = world.stored_code(owner, code.id).await;
    let strangers_code = world.code(stranger, 1).await;
    let redemption = world.read().live_redemption(owner, active.id).await.unwrap().unwrap();
    let (digest, key_id) = (CodeDigest::from_bytes(world.bytes()), KeyId::parse("k1").unwrap());
    let text = NewCodeText { digest, key_id, hint: "ZZZZ".to_owned() };
    world
        .write(async |tx| {
            assert!(!tx.consume_code(stranger, code.id, None, later(1)).await?);
            assert!(!tx.revoke_code(stranger, code.id, later(1)).await?);
            assert!(!tx.reissue_code(stranger, code.id, before.digest, &text, later(1)).await?);
            assert!(!tx.move_code_expiry(stranger, code.id, None, Some(later(9)), later(1)).await?);
            assert!(!tx.give_back_use(stranger, code.id, later(1)).await?);
            assert_eq!(tx.return_project(stranger, active.id, later(1)).await?, None);
            assert!(!tx.return_redemption(stranger, redemption.id, later(1)).await?);
            assert!(!tx.uncount_activation(stranger, noon().month(), later(1)).await?);
            assert_eq!(tx.lock_project(stranger, pending.id).await?, None);
            assert_eq!(tx.change_project(stranger, pending.id, &details("Mine"), later(1)).await?, None);
            assert_eq!(tx.start_project(stranger, pending.id, strangers_code.id, later(1)).await?, None);
            for transition in [Transition::Pause, Transition::Complete] {
                assert_eq!(tx.transition_project(stranger, active.id, transition, later(1)).await?, None);
            }
            assert!(!tx.delete_project(stranger, pending.id).await?);
            assert_eq!(tx.assign_project(pending.id, stranger, later(1)).await?, None);
            assert!(!tx.revoke_session(stranger, session.id, later(1)).await?);
            assert_eq!(tx.revoke_sessions(stranger, later(1)).await?, 0);
            Ok(())
        })
        .await;
    assert_eq!(world.stored_code(owner, code.id).await, before);
    assert_eq!(world.stored_project(owner, pending.id).await, pending);
    assert_eq!(world.stored_project(owner, active.id).await, active);
    assert_eq!(world.read().live_redemption(owner, active.id).await.unwrap(), Some(redemption));
    assert_eq!(world.read().activations_in(owner, noon().month()).await.unwrap(), 1);
    assert_eq!(world.read().live_sessions_page(owner, later(1), first_page()).await.unwrap().items, [session]);
}

/// The next available code is one of the tenant's own, even if another's would come before it, or none.
pub async fn the_next_code_is_the_tenants_own<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, stranger) = (world.tenant().await, world.tenant().await);
    let own = world.code(stranger, 1).await;
    let first = world.code_until(owner, later(60), noon()).await;
    for expected in [Some(own.id), None] {
        assert_eq!(world.write(async |tx| tx.consume_next_code(stranger, noon()).await).await, expected);
    }
    assert_eq!(world.stored_code(owner, first.id).await.use_count, 0);
    assert_eq!(world.write(async |tx| tx.consume_next_code(owner, noon()).await).await, Some(first.id));
}

/// A resumed project is its tenant's affair: a stranger can't resume what the owner paused.
pub async fn a_stranger_resumes_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, stranger) = (world.tenant().await, world.tenant().await);
    let project = world.project_in(owner, ProjectStatus::Paused).await;
    let resume = async |tenant| {
        world.write(async |tx| tx.transition_project(tenant, project, Transition::Resume, later(1)).await).await.is_some()
    };
    assert!(!resume(stranger).await);
    assert!(resume(owner).await);
}

/// One tenant's activations leave another's quota, usage and failures as they are.
pub async fn a_tenants_counts_are_its_own<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let challenge = world.challenge(Some(tenant.into()), noon()).await;
    let month = noon().month();
    world
        .write(async |tx| {
            let quota = crate::Quota::new(1).unwrap();
            assert_eq!(tx.count_activation(tenant, month, quota, noon()).await?, Some(1));
            assert_eq!(tx.count_activation(tenant, month, quota, noon()).await?, None);
            assert_eq!(tx.count_activation(other, month, quota, noon()).await?, Some(1));
            let budget = super::otps::BUDGET;
            assert!(tx.claim_otp_attempt(challenge.id, challenge.purpose, budget, noon()).await?.is_some());
            assert_eq!(tx.otp_failures(tenant.into(), noon()).await?, 1);
            assert_eq!(tx.otp_failures(other.into(), noon()).await?, 0);
            Ok(())
        })
        .await;
}
