//! Figures: whatever happens, what is counted while it happens equals a recount.

use time::{Duration, macros::datetime};

use super::world::{RACERS, TICK, World, all_pages, later, noon, race};
use crate::{
    Action, AuditEvent, CalendarDay, Code, CodeOrder, CodeStatus, Entropy as _, Expected, PressureQuery, Project, ProjectStatus,
    Redemption, RedemptionId, SeededEntropy, SubscriptionState, TenantId, Timestamp, Transition, Usage, UsageDay, delete_tenant,
    ports::*,
};

/// The first moment of the day after [`noon`]'s.
fn midnight() -> Timestamp {
    noon().day().next().start()
}

const fn usage(activations: u64, returns: u64, refusals: u64) -> Usage {
    Usage { activations, returns, refusals }
}

impl<S: Store> World<S> {
    async fn codes_of(&self, tenant: TenantId) -> Vec<Code> {
        all_pages(
            200,
            |code: &Code| code.id,
            async |page| self.read().codes_page(tenant, &CodeFilter::default(), noon(), page).await,
        )
        .await
    }

    /// Holds the counts of codes, each tenant's and everybody's, against the codes as they are listed.
    async fn recount_codes(&self, tenants: &[TenantId], moments: &[Timestamp]) {
        let mut lists = Vec::new();
        for &tenant in tenants {
            lists.push((tenant, self.codes_of(tenant).await));
        }
        for &now in moments {
            let count = |codes: &[Code]| {
                CodeStatus::ALL.map(|status| codes.iter().filter(|code| code.status(now) == status).count() as u64)
            };
            for (tenant, codes) in &lists {
                assert_eq!(self.read().count_codes(*tenant, now).await.unwrap(), count(codes), "a tenant's, at {now}");
            }
            let all = lists.iter().flat_map(|(_, codes)| codes.clone()).collect::<Vec<_>>();
            assert_eq!(self.read().count_codes_of_everyone(now).await.unwrap(), count(&all), "everybody's, at {now}");
        }
    }

    async fn recount_projects(&self) {
        let every = ProjectFilter::default();
        let read = async |page| self.read().projects_of_anyone_page(Ownership::Any, &every, page).await;
        let projects = all_pages(200, |project: &Project| project.id, read).await;
        let count = ProjectStatus::ALL.map(|status| projects.iter().filter(|project| project.status == status).count() as u64);
        assert_eq!(self.read().count_projects_of_everyone().await.unwrap(), count);
    }

    /// What happened on the days around [`noon`].
    async fn usage(&self) -> Vec<UsageDay> {
        self.read().usage_days(noon().day().days_before(40), later(40 * 86_400).day()).await.unwrap()
    }

    async fn used(&self) -> Usage {
        self.usage().await.into_iter().map(|day| day.usage).sum()
    }

    async fn refuse(&self, tenant: Option<TenantId>, at: Timestamp) {
        let event = AuditEvent::new(&self.cx(at), Action::ActivationRefused, tenant, None);
        self.write(async |tx| tx.append_audit(&event).await).await;
    }

    async fn redeem(&self, tenant: TenantId, redeemed_at: Timestamp, returned_at: Option<Timestamp>) -> RedemptionId {
        let (code, project) = (self.code(tenant, 9).await.id, self.project(tenant).await);
        let id = self.id(redeemed_at);
        let row = Redemption {
            id,
            tenant_id: tenant,
            activation_code_id: Some(code),
            project_id: Some(project),
            redeemed_at,
            returned_at,
        };
        self.write(async |tx| tx.insert_redemption(&row).await).await;
        id
    }
}

/// After two hundred random issues, uses, returns, revocations and moved ends, by three tenants of which one is deleted in between, the
/// counts of codes equal a recount at every moment: before, at and after an expiry, and on both sides of midnight (UTC).
pub async fn counts_of_codes_equal_a_recount_at_every_moment<S: Store>(store: S) {
    let world = World::new(store);
    let mut tenants = vec![world.tenant().await, world.tenant().await, world.tenant().await];
    let issued = noon() - Duration::days(3);
    let ends = [
        noon() - Duration::DAY,
        noon().day().start(),
        noon() - TICK,
        noon(),
        noon() + TICK,
        midnight() - TICK,
        midnight(),
        midnight() + TICK,
        midnight() + Duration::days(30),
    ];
    let mut moments: Vec<_> = ends.iter().flat_map(|&end| [end - TICK, end, end + TICK]).collect();
    moments.extend([issued, midnight() + Duration::hours(12), midnight() + Duration::days(400)]);

    let dice = SeededEntropy::new(7);
    let roll = |sides: usize| {
        let mut bytes = [0; 2];
        dice.fill(&mut bytes);
        usize::from(u16::from_le_bytes(bytes)) % sides
    };
    for step in 0..200 {
        let tenant = tenants[roll(tenants.len())];
        let codes = world.codes_of(tenant).await;
        let code = (!codes.is_empty()).then(|| &codes[roll(codes.len())]);
        match (roll(7), code) {
            (0, _) => {
                let ttl = ends.get(roll(ends.len() + 3)).map(|&end| end - issued);
                let order = CodeOrder { count: 1 + roll(4) as u32, ttl, max_uses: 1 + roll(2) as u32, label: None };
                world.codes(tenant, order, issued).await;
            }
            (1, Some(code)) => {
                world.write(async |tx| tx.revoke_code(tenant, code.id, noon()).await).await;
            }
            (2, Some(code)) => {
                let to = ends.get(roll(ends.len() + 1)).copied();
                world.write(async |tx| tx.move_code_expiry(tenant, code.id, code.expires_at, to, noon()).await).await;
            }
            (3, Some(code)) => {
                world.write(async |tx| tx.give_back_use(tenant, code.id, noon()).await).await;
            }
            (4, _) => {
                world.write(async |tx| tx.consume_next_code(tenant, issued).await).await;
            }
            (_, Some(code)) => {
                world.write(async |tx| tx.consume_code(tenant, code.id, None, issued + TICK).await).await;
            }
            (_, None) => {}
        }
        if step == 150 {
            let gone = tenants.remove(1);
            assert!(world.write(async |tx| tx.delete_tenant(gone, &Expected::Any).await).await);
            assert_eq!(world.read().count_codes(gone, noon()).await.unwrap(), [0; 4]);
        }
        if step % 25 == 0 {
            world.recount_codes(&tenants, &[noon(), midnight()]).await;
        }
    }
    world.recount_codes(&tenants, &moments).await;
}

/// Projects are counted by status wherever they go, also those without a tenant.
pub async fn projects_are_counted_by_status<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    world.recount_projects().await;
    let legacy = Project { status: ProjectStatus::Active, ..world.new_project(None, "legacy", noon()) };
    world.insert_project(&legacy).await;
    let code = world.code(tenant, 9).await;
    let projects = world.projects(tenant, 5).await;
    world.recount_projects().await;
    for project in &projects[1..] {
        world.activate(tenant, *project, code.by_id(), noon()).await.unwrap();
    }
    let moves = [(1, Transition::Pause), (2, Transition::Pause), (2, Transition::Resume), (3, Transition::Complete)];
    for (project, transition) in moves {
        assert!(
            world.write(async |tx| tx.transition_project(tenant, projects[project], transition, noon()).await).await.is_some()
        );
        world.recount_projects().await;
    }
    assert!(world.write(async |tx| tx.assign_project(legacy.id, tenant, noon()).await).await.is_some());
    assert!(world.write(async |tx| tx.delete_project(tenant, projects[1]).await).await);
    assert_eq!(world.read().count_projects_of_everyone().await.unwrap(), [1, 3, 0, 1]);
    world.recount_projects().await;
    assert!(world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
    assert_eq!(world.read().count_projects_of_everyone().await.unwrap(), [0; 4]);
}

/// An activation counts on the day of its redemption, a return on its own, a refusal on its event's; a day ends at midnight (UTC). Other
/// events count nothing.
pub async fn what_happens_counts_on_its_day<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (today, tomorrow) = (noon().day(), midnight().day());
    world.redeem(tenant, midnight() - TICK, None).await;
    let returned = world.redeem(tenant, midnight(), None).await;
    world.redeem(tenant, noon(), Some(midnight())).await;
    for at in [noon(), midnight() - TICK, midnight()] {
        world.refuse(Some(tenant), at).await;
    }
    world.refuse(None, noon()).await;
    world.refuse(Some(world.id(noon())), noon()).await;
    assert!(world.write(async |tx| tx.return_redemption(tenant, returned, midnight() + Duration::DAY).await).await);
    let expected = [(today, usage(2, 0, 2)), (tomorrow, usage(1, 1, 1)), (tomorrow.next(), usage(0, 1, 0))];
    let expected = expected.map(|(day, usage)| UsageDay { day, usage });
    assert_eq!(world.usage().await, expected);
    let days = async |first: CalendarDay, last: CalendarDay| world.read().usage_days(first, last).await.unwrap();
    assert_eq!(days(today, today).await, expected[..1]);
    assert_eq!(days(tomorrow, tomorrow.next()).await, expected[1..]);
    assert_eq!(days(today.days_before(9), today.days_before(1)).await, []);
}

/// A deleted tenant's codes, activations and refusals are counted no longer, nor is a refusal that is noted after it; another's stay.
pub async fn a_deleted_tenant_is_counted_no_longer<S: Store>(store: S) {
    let world = World::new(store);
    let (deleted, kept) = (world.tenant().await, world.tenant().await);
    for tenant in [deleted, deleted, kept] {
        world.redeem(tenant, noon(), Some(later(1))).await;
        world.code_until(tenant, midnight(), noon()).await;
        world.refuse(Some(tenant), noon()).await;
    }
    assert_eq!(world.used().await, usage(3, 3, 3));
    delete_tenant(&world.store, &world.cx(later(2)), deleted, &Expected::Any).await.unwrap();
    world.refuse(Some(deleted), later(3)).await;
    assert_eq!(world.used().await, usage(1, 1, 1));
    assert_eq!(world.read().count_codes(deleted, noon()).await.unwrap(), [0; 4]);
    world.recount_codes(&[kept], &[noon(), midnight()]).await;
}

/// What a dropped transaction did is not counted.
pub async fn a_dropped_transaction_is_not_counted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    {
        let mut tx = world.begin().await;
        assert!(tx.consume_code(tenant, code.id, None, noon()).await.unwrap());
        assert!(tx.start_project(tenant, project, code.id, noon()).await.unwrap().is_some());
        assert_eq!(tx.count_codes(tenant, noon()).await.unwrap(), [0, 0, 1, 0], "it sees its own");
        assert_eq!(tx.count_projects_of_everyone().await.unwrap(), [0, 1, 0, 0], "it sees its own");
    }
    world.recount_codes(&[tenant], &[noon()]).await;
    world.recount_projects().await;
}

/// Of 32 activations at once every one is counted, each code, project and use; so are the refusals among them.
pub async fn racing_activations_are_all_counted<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant_on(3, SubscriptionState::Active).await);
    let codes = [world.code(tenant, 100).await, world.code_until(tenant, midnight(), noon()).await, world.code(other, 100).await];
    let owners = [tenant, tenant, other];
    let mut projects = Vec::new();
    for racer in 0..RACERS {
        projects.push(world.project(owners[racer % 3]).await);
    }
    let activate = async |racer: usize| {
        let (owner, code) = (owners[racer % 3], &codes[racer % 3]);
        world.activate(owner, projects[racer], code.by_text(), noon()).await.is_ok()
    };
    let won = race(RACERS, activate).await.into_iter().filter(|&won| won).count() as u64;
    assert_eq!(won, 11 + 1 + 3, "by the code for a hundred, by the one for one, and by the quota of three");
    assert_eq!(world.used().await, usage(won, 0, RACERS as u64 - won));
    world.recount_codes(&[tenant, other], &[noon(), midnight()]).await;
    world.recount_projects().await;
}

/// Of 32 issues and revocations at once every one is counted.
pub async fn racing_issues_and_revocations_are_all_counted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 16, ..CodeOrder::default() }, noon()).await;
    race(RACERS, async |racer| match codes.get(racer) {
        Some(code) => assert!(world.write(async |tx| tx.revoke_code(tenant, code.id, noon()).await).await),
        None => drop(world.code_until(tenant, midnight(), noon()).await),
    })
    .await;
    assert_eq!(world.read().count_codes(tenant, noon()).await.unwrap(), [16, 0, 0, 16]);
    world.recount_codes(&[tenant], &[noon(), midnight()]).await;
}

/// A deletion that races activations and refusals leaves nothing counted.
pub async fn a_deletion_that_races_activations_leaves_nothing_counted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, projects) = (world.code(tenant, 100).await, world.projects(tenant, 16).await);
    race(25, async |racer| match projects.get(racer) {
        Some(&project) => drop(world.activate(tenant, project, code.by_text(), later(1)).await),
        None if racer == 16 => delete_tenant(&world.store, &world.cx(later(1)), tenant, &Expected::Any).await.unwrap(),
        None => world.refuse(Some(tenant), later(1)).await,
    })
    .await;
    assert_eq!(world.used().await, usage(0, 0, 0));
    world.recount_codes(&[], &[noon(), midnight()]).await;
    assert_eq!(world.read().count_codes(tenant, noon()).await.unwrap(), [0; 4]);
    assert_eq!(world.read().count_projects_of_everyone().await.unwrap(), [0; 4]);
}

/// Tenants that have used at least so much of the month's quota are counted, and named by the part that they have used, the largest first.
pub async fn tenants_under_pressure_are_named_the_most_pressed_first<S: Store>(store: S) {
    let world = World::new(store);
    let month = noon().month();
    let other = Timestamp::new(datetime!(2026-04-01 0:00 UTC)).month();
    let mut tenants = Vec::new();
    // Below; exactly 80 %; as much of a larger quota; all of it; all of it in another month; a little more than 80 %.
    for (quota, used, month) in [(10, 7, month), (5, 4, month), (10, 8, month), (2, 2, month), (2, 2, other), (11, 9, month)] {
        let tenant = world.tenant_on(quota, SubscriptionState::Active).await;
        for _ in 0..used {
            let most = crate::Quota::new(quota).unwrap();
            assert!(world.write(async |tx| tx.count_activation(tenant, month, most, noon()).await).await.is_some());
        }
        tenants.push(tenant);
    }
    let pressure = async |limit| {
        let query = PressureQuery { month, percent: 80, limit };
        world.read().quota_pressure(query).await.unwrap()
    };
    let all = pressure(20).await;
    let named: Vec<_> = all.highest.iter().map(|one| (one.tenant_id, one.used, one.quota.get(), one.percent())).collect();
    let expected = [(tenants[3], 2, 2, 100), (tenants[5], 9, 11, 81), (tenants[1], 4, 5, 80), (tenants[2], 8, 10, 80)];
    assert_eq!((all.tenants, &named[..]), (4, &expected[..]));
    for one in &all.highest {
        let tenant = world.read().tenant(one.tenant_id).await.unwrap().unwrap();
        assert_eq!(one.slug, tenant.slug);
    }
    let two = pressure(2).await;
    assert_eq!((two.tenants, &two.highest[..]), (4, &all.highest[..2]));
    assert_eq!(world.read().quota_pressure(PressureQuery { month: other, percent: 100, limit: 9 }).await.unwrap().tenants, 1);
}
