//! What a store does in one step comes to what the steps come to, also where both race. A store without such steps has nothing to show.

use std::collections::BTreeSet;

use super::world::{RACERS, World, first_page, later, noon, race};
use crate::{
    ActivateError, ActivateProject, ActivateWith, AuditEvent, AuditFilter, BucketKey, CodeId, CodeOrder, Id, Limit, OtpChallenge,
    Project, ProjectId, ProjectStatus, Rate, Refusal, StoreError, SubscriptionState, Target, TenantId, Timestamp, WebhookOwner,
    activate_project, memory::PlainHasher, ports::*,
};

/// A store that takes every step by itself.
#[derive(Clone)]
struct Stepwise<S>(S);

impl<S: Store> Store for Stepwise<S> {
    type Reader = S::Reader;
    type Transaction = S::Transaction;

    fn reader(&self) -> S::Reader {
        self.0.reader()
    }

    async fn begin(&self) -> Result<S::Transaction, StoreError> {
        self.0.begin().await
    }

    fn parking(&self, parking: Parking<S::Transaction>) -> Self {
        Self(self.0.parking(parking))
    }
}

impl<S: Store> World<S> {
    /// Activates at `now`, by turns in one step, where the store can, and in several.
    async fn activate_by_turns(
        &self,
        turn: usize,
        tenant: TenantId,
        project: ProjectId,
        with: ActivateWith,
    ) -> Result<Project, ActivateError> {
        if turn.is_multiple_of(2) {
            return self.activate(tenant, project, with, later(1)).await;
        }
        let request = ActivateProject { tenant, project, with, guesses: None };
        activate_project(&Stepwise(self.store.clone()), &self.cx(later(1)), &PlainHasher, &request).await
    }

    fn activation(&self, tenant: TenantId, project: ProjectId, with: ActivationBy, now: Timestamp) -> Activation<'static> {
        let cx = self.cx(now);
        Activation {
            tenant,
            project,
            with,
            within: None,
            states: &[SubscriptionState::Active, SubscriptionState::Trialing],
            redemption: self.id(now),
            event: AuditEvent::new(&cx, crate::Action::ProjectActivated, Some(tenant), Some(Target::Project(project))),
            now,
        }
    }

    /// That a step is refused, and leaves no trace.
    async fn refuses(&self, what: &str, activation: Activation<'_>) {
        let (tenant, project, month) = (activation.tenant, activation.project, activation.now.month());
        let before = self.read().project(tenant, project).await.unwrap();
        let counted = self.read().activations_in(tenant, month).await.unwrap();
        assert_eq!(self.store.activate_at_once(&activation).await.unwrap(), None, "{what}");
        assert_eq!(self.read().project(tenant, project).await.unwrap(), before, "{what}");
        assert_eq!(self.read().activations_in(tenant, month).await.unwrap(), counted, "{what}");
        let events = self.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        assert!(events.iter().all(|event| event.id != activation.event.id), "{what}");
    }

    async fn uses(&self, tenant: TenantId, codes: impl IntoIterator<Item = CodeId>) -> u32 {
        let mut uses = 0;
        for code in codes {
            uses += self.stored_code(tenant, code).await.use_count;
        }
        uses
    }
}

/// However an activation comes about, it leaves the same: project, code, ledger, month and trail.
pub async fn one_step_leaves_what_the_steps_leave<S: Store>(store: S) {
    let world = World::new(store);
    for with in [0, 1, 2] {
        let tenant = world.tenant().await;
        let mut left = Vec::new();
        for turn in [0, 1] {
            let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
            let with = [code.by_text(), code.by_id(), ActivateWith::NextAvailable].into_iter().nth(with).unwrap();
            let answer = world.activate_by_turns(turn, tenant, project, with).await.unwrap();
            assert_eq!(answer, world.stored_project(tenant, project).await, "the answer is what is stored");
            assert_eq!(answer.activation_code_id, Some(code.id));
            let ledger = world.read().redemptions_of_code(tenant, code.id).await.unwrap();
            let [row] = ledger.as_slice() else { panic!("one use is one row of the ledger: {ledger:?}") };
            assert_eq!((row.project_id, row.tenant_id), (Some(project), tenant));
            let timeline = world.read().code_timeline(code.id, None, first_page()).await.unwrap().items;
            let [event] = timeline.as_slice() else { panic!("one event is about the code: {timeline:?}") };
            assert_eq!(event.target, Some(Target::Project(project).to_string()));
            assert_eq!(event.details.get("activation_code_id"), Some(&code.id.to_string()));
            let used = world.stored_code(tenant, code.id).await;
            left.push((
                (answer.status, answer.started_at, answer.updated_at, answer.details),
                (used.use_count, used.used_at, used.updated_at),
                (row.redeemed_at, row.returned_at),
                (event.at, event.action.clone(), event.actor.clone(), event.details.len()),
            ));
        }
        assert_eq!(left[0], left[1], "in one step, and in several");
        assert_eq!(world.read().activations_in(tenant, later(1).month()).await.unwrap(), 2);
    }
}

/// Of 32 racing activations of a code, by turns in one step and in several, as many win as it has uses.
pub async fn racing_steps_of_both_kinds_share_a_codes_uses<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for uses in [1, 5] {
        let (code, projects) = (world.code(tenant, uses).await, world.projects(tenant, RACERS).await);
        let with = |racer: usize| if racer.is_multiple_of(3) { code.by_id() } else { code.by_text() };
        let answers =
            race(RACERS, async |racer| world.activate_by_turns(racer, tenant, projects[racer], with(racer)).await).await;
        assert_eq!(answers.iter().flatten().count(), uses as usize, "{answers:?}");
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::Exhausted)))),
            "{answers:?}"
        );
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, uses);
        assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap().len(), uses as usize);
        for (project, answer) in projects.into_iter().zip(answers) {
            let active = world.stored_project(tenant, project).await.status == ProjectStatus::Active;
            assert_eq!(active, answer.is_ok(), "a project is active where its activation was acknowledged, and only there");
        }
    }
}

/// Of 32 racing activations with the next of eight codes, by turns in one step and in several, eight win, each with a code of its own.
pub async fn racing_steps_of_both_kinds_share_no_next_code<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 8, ..CodeOrder::default() }, noon()).await;
    let projects = world.projects(tenant, RACERS).await;
    let next = async |racer: usize| world.activate_by_turns(racer, tenant, projects[racer], ActivateWith::NextAvailable).await;
    let answers = race(RACERS, next).await;
    let used: Vec<_> = answers.iter().flatten().filter_map(|project| project.activation_code_id).collect();
    assert_eq!((used.len(), used.iter().collect::<BTreeSet<_>>().len()), (8, 8), "{answers:?}");
    assert_eq!(world.uses(tenant, codes.iter().map(|code| code.id)).await, 8);
}

/// 32 racing repeats of one activation, by turns in one step and in several, answer alike and take one use.
pub async fn racing_repeats_of_both_kinds_take_one_use<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 100).await, world.project(tenant).await);
    let repeat = async |racer: usize| world.activate_by_turns(racer, tenant, project, code.by_text()).await.unwrap();
    let answers = race(RACERS, repeat).await;
    assert!(answers.iter().all(|answer| answer.activation_code_id == Some(code.id)));
    assert_eq!(world.stored_code(tenant, code.id).await.use_count, 1);
    assert_eq!(world.read().activations_in(tenant, later(1).month()).await.unwrap(), 1);
}

/// Of 32 racing activations, by turns in one step and in several, as many win as the month has left; the others take nothing.
pub async fn racing_steps_of_both_kinds_stay_within_the_quota<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(5, SubscriptionState::Active).await;
    let codes = world.codes(tenant, CodeOrder { count: 32, ..CodeOrder::default() }, noon()).await;
    let projects = world.projects(tenant, RACERS).await;
    let each = async |racer: usize| world.activate_by_turns(racer, tenant, projects[racer], codes[racer].by_text()).await;
    let answers = race(RACERS, each).await;
    assert_eq!(answers.iter().flatten().count(), 5, "{answers:?}");
    assert_eq!(world.uses(tenant, codes.iter().map(|code| code.id)).await, 5);
    assert_eq!(world.read().activations_in(tenant, later(1).month()).await.unwrap(), 5);
}

/// Whatever stands against an activation refuses the step, which leaves no trace.
pub async fn one_step_is_refused_by_all_that_refuses_the_steps<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    let by = |text: &ActivateWith| match text {
        ActivateWith::Code(text) => ActivationBy::Digest(text.digest(&PlainHasher).unwrap().digest),
        ActivateWith::CodeId(id) => ActivationBy::Id(*id),
        ActivateWith::NextAvailable => ActivationBy::NextAvailable,
    };
    let with = by(&code.by_text());
    let step = |with| world.activation(tenant, project, with, later(1));

    world.refuses("another tenant's project", world.activation(other, project, by(&code.by_id()), later(1))).await;
    world.refuses("another tenant's code", world.activation(other, world.project(other).await, with, later(1))).await;
    world
        .refuses(
            "another tenant's code, by its id",
            world.activation(other, world.project(other).await, by(&code.by_id()), later(1)),
        )
        .await;
    world
        .refuses("no code at all", world.activation(other, world.project(other).await, ActivationBy::NextAvailable, later(1)))
        .await;
    world.refuses("an unknown project", world.activation(tenant, world.id(noon()), with, later(1))).await;
    world
        .refuses("a moment before the project's", world.activation(tenant, project, with, noon() - time::Duration::MINUTE))
        .await;
    for status in [ProjectStatus::Active, ProjectStatus::Paused, ProjectStatus::Completed] {
        let project = world.project_in(tenant, status).await;
        world.refuses(status.as_str(), world.activation(tenant, project, with, later(1))).await;
    }
    for state in [SubscriptionState::PastDue, SubscriptionState::Canceled] {
        let tenant = world.tenant_on(10, state).await;
        let (code, project) = (world.code(other, 1).await, world.project(tenant).await);
        world.refuses(state.as_str(), world.activation(tenant, project, by(&code.by_text()), later(1))).await;
    }
    let states = Activation { states: &[SubscriptionState::Trialing], ..step(with) };
    world.refuses("a state that isn't among those that may", states).await;

    let expired = world.code_until(tenant, later(1), noon()).await;
    world.refuses("a code at its end", step(by(&expired.by_text()))).await;
    let revoked = world.code(tenant, 1).await;
    world.write(async |tx| tx.revoke_code(tenant, revoked.id, noon()).await).await;
    world.refuses("a revoked code", step(by(&revoked.by_id()))).await;
    let used = world.code(tenant, 1).await;
    world.write(async |tx| tx.consume_code(tenant, used.id, None, noon()).await).await;
    world.refuses("a used code", step(by(&used.by_text()))).await;

    let limit = Limit { bucket: BucketKey::from_bytes([9; 32]), rate: Rate { burst: 1, interval: time::Duration::HOUR } };
    world.write(async |tx| tx.charge(limit, later(1)).await).await;
    world.refuses("an empty bucket", Activation { within: Some(limit), ..step(with) }).await;

    let full = world.tenant_on(1, SubscriptionState::Active).await;
    let codes = world.codes(full, CodeOrder { count: 2, ..CodeOrder::default() }, noon()).await;
    world.activate(full, world.project(full).await, codes[0].by_text(), later(1)).await.unwrap();
    world
        .refuses("a month that is full", world.activation(full, world.project(full).await, by(&codes[1].by_text()), later(2)))
        .await;

    world.write(async |tx| tx.set_tenant_suspended(tenant, Some(later(1)), later(1)).await).await;
    world.refuses("a suspended tenant", step(with)).await;
    world.write(async |tx| tx.set_tenant_suspended(tenant, None, later(1)).await).await;
    let own = world.new_webhook(WebhookOwner::Tenant(tenant), noon());
    assert!(world.write(async |tx| tx.insert_webhook(&own).await).await);
    world.refuses("somebody who listens", step(with)).await;
    assert!(world.write(async |tx| tx.delete_webhook(own.owner, own.id).await).await);
    let operators = world.new_webhook(WebhookOwner::Operators, noon());
    assert!(world.write(async |tx| tx.insert_webhook(&operators).await).await);
    world.refuses("an operator who listens", step(with)).await;
    assert!(world.write(async |tx| tx.delete_webhook(operators.owner, operators.id).await).await);
    assert_eq!(world.uses(tenant, [code.id]).await, 0);
    world.activate(tenant, project, code.by_text(), later(1)).await.unwrap();
}

impl<S: Store> World<S> {
    async fn sign_in(&self, tenant: TenantId, challenge: &OtpChallenge, now: Timestamp) -> bool {
        let session = self.new_session(tenant, now);
        let event = AuditEvent::new(&self.cx(now), crate::Action::SignInSucceeded, Some(tenant), None);
        let sign_in = SignIn { challenge: challenge.id, session: &session, event: &event, now };
        let signed_in = self.store.sign_in_at_once(&sign_in).await.unwrap();
        let stored = self.read().session_by_digests(&[session.token_digest]).await.unwrap();
        assert_eq!(
            stored,
            signed_in.clone().map(|tenant| (session, tenant)),
            "a session is there exactly where one was answered"
        );
        let events = self.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        assert_eq!(events.iter().any(|stored| stored.id == event.id), signed_in.is_some());
        signed_in.is_some()
    }
}

/// Of 32 racing sign-ins by one challenge in one step, one at the most comes in; and none by a challenge that is used, past its end or
/// another's, or while the tenant is suspended.
pub async fn one_step_signs_in_once<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let challenge = world.challenge(Some(tenant.into()), noon()).await;
    assert!(!world.sign_in(tenant, &challenge, challenge.expires_at).await, "at its end");
    assert!(!world.sign_in(other, &challenge, later(1)).await, "another's");
    assert!(!world.sign_in(Id::from_uuid(uuid::Uuid::nil()), &challenge, later(1)).await, "nobody's");
    world.write(async |tx| tx.set_tenant_suspended(tenant, Some(later(1)), later(1)).await).await;
    assert!(!world.sign_in(tenant, &challenge, later(1)).await, "suspended");
    world.write(async |tx| tx.set_tenant_suspended(tenant, None, later(1)).await).await;

    let came_in = race(RACERS, async |_| world.sign_in(tenant, &challenge, later(1)).await).await;
    let came_in = came_in.into_iter().filter(|&came_in| came_in).count();
    let left = world.write(async |tx| tx.consume_challenge(challenge.id, later(1)).await).await;
    assert!(came_in <= 1 && left == (came_in == 0), "{came_in} came in; {left}");
    assert!(!world.sign_in(tenant, &challenge, later(2)).await, "used");
}
