//! Transactions: all of their writes or none, seen by others at commit and not before.

use time::Duration;

use super::{
    fixtures::{Issued, details},
    otps::BUDGET,
    world::{World, first_page, later, noon},
};
use crate::{
    Action, AuditEvent, AuditFilter, BucketKey, Code, CodeDigest, Context, Expected, KeyClaim, KeyId, KeyState, NewCode,
    NewCodeText, OtpChallenge, OutboxMessage, Plan, Project, ProjectStatus, Quota, Rate, RateDecision, Redemption, Session,
    SubscriptionState, Tenant, TenantId, Transition, ports::*,
};

/// Everything that readers can see of the rows that [`Rows::write_all`] writes to.
#[derive(Debug, PartialEq)]
struct Seen {
    plans: Vec<Plan>,
    tenants: Vec<Tenant>,
    entitled: Vec<bool>,
    codes: Vec<Code>,
    projects: Vec<Project>,
    redemptions: Vec<Redemption>,
    activations: u32,
    sessions: Vec<Session>,
    failures: u32,
    audit: Vec<AuditEvent>,
}

/// Rows that are there before, and that are about to be written.
struct Rows {
    tenant: TenantId,
    doomed: TenantId,
    codes: [Issued; 3],
    pending: Project,
    active: Project,
    deleted: Project,
    legacy: Project,
    sessions: [Session; 2],
    challenges: [OtpChallenge; 2],
    message: OutboxMessage,
    bucket: BucketKey,
    keys: [KeyClaim; 3],
    plan: Plan,
    doomed_plan: Plan,
    new_plan: Plan,
    new_tenant: Tenant,
    new_project: Project,
    new_session: Session,
    new_challenge: OtpChallenge,
    new_message: OutboxMessage,
}

const RATE: Rate = Rate { burst: 1, interval: Duration::HOUR };

impl<S: Store> World<S> {
    async fn rows(&self) -> Rows {
        let (tenant, doomed) = (self.tenant().await, self.tenant().await);
        let [pending, active, deleted] =
            [ProjectStatus::Pending, ProjectStatus::Active, ProjectStatus::Pending].map(async |status| {
                let id = self.project_in(tenant, status).await;
                self.stored_project(tenant, id).await
            });
        let legacy = self.new_project(None, "legacy", noon());
        self.insert_project(&legacy).await;
        let [plan, doomed_plan] = [self.new_plan(5), self.new_plan(5)];
        for plan in [&plan, &doomed_plan] {
            assert!(self.write(async |tx| tx.insert_plan(plan).await).await);
        }
        Rows {
            plan,
            doomed_plan,
            tenant,
            doomed,
            codes: [self.code(tenant, 1).await, self.code(tenant, 1).await, self.code(tenant, 1).await],
            pending: pending.await,
            active: active.await,
            deleted: deleted.await,
            legacy,
            sessions: [self.session(tenant, noon()).await, self.session(tenant, noon()).await],
            challenges: [self.challenge(Some(tenant.into()), noon()).await, self.challenge(Some(tenant.into()), noon()).await],
            message: self.message(noon()).await,
            bucket: BucketKey::from_bytes(self.bytes()),
            keys: [self.claim_of_new_key(noon()).await, self.claim_of_new_key(noon()).await, self.new_claim(later(1))],
            new_plan: self.new_plan(5),
            new_tenant: self.new_tenant("new-tenant", noon()),
            new_project: self.new_project(Some(tenant), "new-project", noon()),
            new_session: self.new_session(tenant, noon()),
            new_challenge: self.new_challenge(Some(tenant.into()), noon()),
            new_message: self.new_message(noon()),
        }
    }

    async fn seen(&self, rows: &Rows) -> Seen {
        let mut reader = self.read();
        let mut redemptions = Vec::new();
        for code in &rows.codes {
            redemptions.extend(reader.redemptions_of_code(rows.tenant, code.id).await.unwrap());
        }
        let mut entitled = Vec::new();
        for tenant in [rows.tenant, rows.doomed, rows.new_tenant.id] {
            entitled.push(reader.entitlement(tenant).await.unwrap().is_some());
        }
        let every = ProjectFilter::default();
        Seen {
            projects: reader.projects_of_anyone_page(Ownership::Any, &every, first_page()).await.unwrap().items,
            plans: reader.plans_page(&PlanFilter::default(), first_page()).await.unwrap().items,
            tenants: reader.tenants_page(&TenantFilter::default(), first_page()).await.unwrap().items,
            entitled,
            codes: reader.codes_page(rows.tenant, &CodeFilter::default(), noon(), first_page()).await.unwrap().items,
            redemptions,
            activations: reader.activations_in(rows.tenant, noon().month()).await.unwrap(),
            sessions: reader.live_sessions_page(rows.tenant, later(1), first_page()).await.unwrap().items,
            failures: reader.otp_failures(rows.tenant.into(), noon()).await.unwrap(),
            audit: reader.audit_page(None, &AuditFilter::default(), first_page()).await.unwrap().items,
        }
    }
}

impl Rows {
    /// Uses every write of every port once, with success.
    async fn write_all(
        &self,
        tx: &mut impl Transaction,
        cx: &Context<'_>,
        ids: &World<impl Store>,
    ) -> Result<(), crate::StoreError> {
        let (tenant, now) = (self.tenant, cx.now);
        let [used, revoked, started] = &self.codes;
        assert!(tx.insert_plan(&self.new_plan).await?);
        assert!(tx.hold_plan(self.new_plan.id).await?.is_some());
        assert!(tx.lock_plan(self.plan.id).await?.is_some());
        assert!(tx.change_plan(&Plan { updated_at: now, ..self.plan.clone() }).await?);
        assert!(tx.delete_plan(self.doomed_plan.id).await?);
        assert!(tx.insert_tenant(&self.new_tenant).await?);
        let subscription = ids.new_subscription(self.new_tenant.id, &self.new_plan, SubscriptionState::Active);
        tx.insert_subscription(&subscription).await?;
        assert!(tx.hold_tenant(tenant).await?.is_some());
        assert!(tx.lock_tenant(tenant).await?.is_some());
        assert!(tx.lock_tenant_by_slug(&self.new_tenant.slug).await?.is_some());
        assert!(tx.confirm_entitlement(self.new_tenant.id, subscription.version()).await?);
        assert!(tx.change_tenant(tenant, &self.new_tenant.profile(), now).await?.is_some());
        assert!(tx.change_subscription(tenant, &subscription.terms(), now).await?.is_some());
        assert!(tx.delete_tenant(self.doomed, &Expected::Any).await?);
        assert!(tx.set_tenant_suspended(tenant, Some(now), now).await?);

        let key_id = KeyId::parse("k1").unwrap();
        let digest = CodeDigest::from_bytes(ids.bytes());
        let hint = "AAAA".to_owned();
        let code = NewCode { id: ids.id(now), digest, key_id: key_id.clone(), hint, label: None, max_uses: 1, expires_at: None };
        let issue = CodeIssue { tenant_id: tenant, batch_id: ids.id(now), created_at: now };
        assert!(tx.revoke_code(tenant, revoked.id, now).await?);
        let digest = tx.code(tenant, started.id).await?.unwrap().digest;
        let text = NewCodeText { digest: CodeDigest::from_bytes(ids.bytes()), key_id, hint: "ZZZZ".to_owned() };
        assert!(tx.reissue_code(tenant, started.id, digest, &text, now).await?);
        assert!(tx.consume_code(tenant, used.id, None, now).await?);
        assert!(tx.consume_next_code(tenant, now).await?.is_some());
        tx.insert_codes(&issue, &[code]).await?;

        assert!(tx.change_project(tenant, self.pending.id, &details("Changed"), now).await?.is_some());
        assert!(tx.start_project(tenant, self.pending.id, started.id, now).await?.is_some());
        assert!(tx.transition_project(tenant, self.active.id, Transition::Pause, now).await?.is_some());
        assert!(tx.delete_project(tenant, self.deleted.id).await?);
        assert!(tx.assign_project(self.legacy.id, tenant, now).await?.is_some());
        assert!(tx.insert_project(&self.new_project).await?);

        assert!(tx.move_code_expiry(tenant, used.id, None, Some(later(900)), now).await?);
        assert!(tx.give_back_use(tenant, used.id, now).await?);
        assert!(tx.return_project(tenant, self.pending.id, now).await?.is_some());

        let redemption = Redemption {
            id: ids.id(now),
            tenant_id: tenant,
            activation_code_id: Some(started.id),
            project_id: Some(self.pending.id),
            redeemed_at: now,
            returned_at: None,
        };
        tx.insert_redemption(&redemption).await?;
        assert!(tx.return_redemption(tenant, redemption.id, now).await?);
        assert!(tx.count_activation(tenant, noon().month(), Quota::new(9).unwrap(), now).await?.is_some());
        assert!(tx.count_activation(tenant, noon().month(), Quota::new(9).unwrap(), now).await?.is_some());
        assert!(tx.uncount_activation(tenant, noon().month(), now).await?);

        let [touched, ended] = &self.sessions;
        let touch = SessionTouch { now, unless_active_since: noon(), expires_at: now + Duration::HOUR, rekeyed: None };
        assert!(tx.touch_session(touched.id, touch).await?);
        assert!(tx.revoke_session(tenant, ended.id, now).await?);
        assert_eq!(tx.revoke_other_sessions(tenant, touched.id, now).await?, 0);
        assert_eq!(tx.revoke_sessions(tenant, now).await?, 1);
        tx.insert_session(&self.new_session).await?;

        let [tried, consumed] = &self.challenges;
        assert!(tx.claim_otp_attempt(tried.id, tried.purpose, BUDGET, now).await?.is_some());
        assert!(tx.consume_challenge(consumed.id, now).await?);
        assert_eq!(tx.end_challenges(tenant.into(), now).await?, 1);
        tx.insert_challenge(&self.new_challenge).await?;

        assert_eq!(tx.take_token(self.bucket, RATE, now).await?, RateDecision::Allowed);
        let [answered, released, claimed] = &self.keys;
        assert!(tx.answer_key(answered.key, answered.id, &self.message.payload).await?);
        assert!(tx.release_key(released.key, released.id).await?);
        assert_eq!(tx.claim_key(claimed).await?, KeyState::Claimed);
        tx.append_audit(&AuditEvent::new(cx, Action::OtpRequested, Some(tenant), None)).await?;
        let claimed = tx.claim_messages(now, Duration::HOUR, 9).await?;
        assert_eq!(claimed.len(), 1);
        assert!(tx.settle_message(self.message.id, 1, &crate::Delivery::Sent, now).await?);
        tx.enqueue_message(&self.new_message).await
    }
}

/// A dropped transaction leaves no trace of any write of any port.
pub async fn a_dropped_transaction_leaves_no_trace<S: Store>(store: S) {
    let world = World::new(store);
    let rows = world.rows().await;
    let before = world.seen(&rows).await;
    {
        let mut tx = world.begin().await;
        rows.write_all(&mut tx, &world.cx(later(1)), &world).await.unwrap();
    }
    assert_eq!(world.seen(&rows).await, before);

    // What no reader sees is held against what a later transaction may do.
    let [tried, consumed] = &rows.challenges;
    world
        .write(async |tx| {
            for challenge in [tried, consumed] {
                let claimed = tx.claim_otp_attempt(challenge.id, challenge.purpose, BUDGET, later(1)).await?;
                assert_eq!(claimed.map(|challenge| challenge.attempts), Some(1), "no try was claimed, nothing was consumed");
            }
            let new = &rows.new_challenge;
            assert_eq!(tx.claim_otp_attempt(new.id, new.purpose, BUDGET, later(1)).await?, None);
            assert_eq!(tx.take_token(rows.bucket, RATE, later(1)).await?, RateDecision::Allowed);
            let [unanswered, unreleased, unclaimed] = &rows.keys;
            for key in [unanswered, unreleased] {
                assert_eq!(tx.claim_key(&world.again(key, later(1))).await?, KeyState::InFlight);
            }
            assert_eq!(tx.claim_key(&world.again(unclaimed, later(1))).await?, KeyState::Claimed);
            let messages = tx.claim_messages(later(1), Duration::HOUR, 9).await?;
            let claims: Vec<_> = messages.iter().map(|message| (message.id, message.attempts)).collect();
            assert_eq!(claims, [(rows.message.id, 1)]);
            Ok(())
        })
        .await;
}

/// Readers see nothing of a transaction before it is committed, and don't wait for it; all of it afterwards. It sees its own writes.
pub async fn writes_are_seen_at_commit_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let rows = world.rows().await;
    let before = world.seen(&rows).await;
    let mut tx = world.begin().await;
    rows.write_all(&mut tx, &world.cx(later(1)), &world).await.unwrap();
    assert_eq!(world.seen(&rows).await, before, "before the commit");
    assert_eq!(tx.project(rows.tenant, rows.new_project.id).await.unwrap().as_ref(), Some(&rows.new_project), "its own write");
    assert_eq!(tx.project(rows.tenant, rows.deleted.id).await.unwrap(), None, "its own deletion");
    tx.commit().await.unwrap();

    let after = world.seen(&rows).await;
    assert_eq!(after.plans.len(), before.plans.len(), "one more and one less");
    assert_eq!(after.tenants.len(), before.tenants.len(), "one more and one less");
    assert_eq!(after.entitled, [true, false, true]);
    assert_eq!(after.codes.len(), before.codes.len() + 1);
    assert_eq!(after.codes.iter().filter(|code| code.use_count == 1).count(), 1, "of two uses one was given back");
    assert_eq!(after.codes.iter().filter(|code| code.hint == "ZZZZ").count(), 1);
    assert_eq!(after.codes.iter().filter(|code| code.expires_at.is_some()).count(), 1);
    assert_eq!(after.codes.iter().filter(|code| code.revoked_at.is_some()).count(), 1);
    assert_eq!(after.projects.len(), before.projects.len(), "one more and one less");
    assert_eq!((after.redemptions.len(), after.activations, after.failures), (1, 1, 1));
    assert_eq!(after.sessions, [rows.new_session]);
    assert_eq!(after.audit.len(), before.audit.len() + 1);
}

/// A reader that was made before a commit sees it: each read sees what is committed when it begins.
pub async fn a_reader_follows_what_is_committed<S: Store>(store: S) {
    let world = World::new(store);
    let mut reader = world.read();
    let plan = world.new_plan(3);
    assert_eq!(reader.plan(plan.id).await.unwrap(), None);
    assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
    assert_eq!(reader.plan(plan.id).await.unwrap(), Some(plan));
}

/// A clone of a store is a handle to the same store.
pub async fn clones_of_a_store_share_its_rows<S: Store>(store: S) {
    let clone = World::new(store.clone());
    let world = World::new(store);
    let tenant = world.tenant().await;
    assert!(clone.read().tenant(tenant).await.unwrap().is_some());
    assert!(clone.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
    assert_eq!(world.read().tenant(tenant).await.unwrap(), None);
}
