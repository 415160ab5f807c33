//! The ledger and the months: which use activated what, and how many a month may have.

use time::{Duration, macros::datetime};

use super::world::{RACERS, World, later, noon, race};
use crate::{
    ActivateError, CodeId, CodeOrder, ProjectId, Quota, Redemption, Refusal, SubscriptionState, TenantId, Timestamp, ports::*,
};

impl<S: Store> World<S> {
    fn new_redemption(&self, tenant: TenantId, code: CodeId, project: ProjectId, at: Timestamp) -> Redemption {
        Redemption {
            id: self.id(at),
            tenant_id: tenant,
            activation_code_id: Some(code),
            project_id: Some(project),
            redeemed_at: at,
            returned_at: None,
        }
    }
}

/// The uses of a code are listed oldest first, as they were written, and no other code's.
pub async fn the_uses_of_a_code_are_listed_oldest_first<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, other) = (world.code(tenant, 9).await, world.code(tenant, 9).await);
    let projects = world.projects(tenant, 4).await;
    let mut expected = Vec::new();
    for (seconds, project) in [5, 2, 8].into_iter().zip(&projects) {
        let row = world.new_redemption(tenant, code.id, *project, later(seconds));
        let row = Redemption { returned_at: (seconds == 8).then(|| later(9)), ..row };
        world.write(async |tx| tx.insert_redemption(&row).await).await;
        expected.push(row);
    }
    let others = world.new_redemption(tenant, other.id, projects[3], noon());
    world.write(async |tx| tx.insert_redemption(&others).await).await;
    expected.sort_by_key(|row| row.redeemed_at);
    assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap(), expected);
    assert_eq!(world.read().redemptions_of_code(tenant, other.id).await.unwrap(), [others]);
}

/// A project has one live redemption: a second is a conflict, unless the first was returned.
pub async fn a_project_has_one_live_redemption<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 9).await, world.project(tenant).await);
    let returned = Redemption { returned_at: Some(later(2)), ..world.new_redemption(tenant, code.id, project, later(1)) };
    world.write(async |tx| tx.insert_redemption(&returned).await).await;
    assert_eq!(world.read().live_redemption(tenant, project).await.unwrap(), None, "a returned use keeps nothing active");

    let rows: Vec<_> = (0..RACERS).map(|_| world.new_redemption(tenant, code.id, project, later(3))).collect();
    let answers = race(RACERS, async |racer| world.try_write(async |tx| tx.insert_redemption(&rows[racer]).await).await).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Conflict(_)))).count();
    assert_eq!(refused, RACERS - 1, "{answers:?}");
    let winner = rows.iter().zip(&answers).find(|(_, answer)| answer.is_ok()).map(|(row, _)| row.clone());
    assert_eq!(world.read().live_redemption(tenant, project).await.unwrap(), winner);
}

/// A deleted project's redemption stays, without it, and its code stays used.
pub async fn a_deleted_project_leaves_its_use_in_the_ledger<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    world.activate(tenant, project, code.by_text(), noon()).await.unwrap();
    let before = world.read().redemptions_of_code(tenant, code.id).await.unwrap().remove(0);
    assert!(world.write(async |tx| tx.delete_project(tenant, project).await).await);

    let after = world.read().redemptions_of_code(tenant, code.id).await.unwrap();
    assert_eq!(after, [Redemption { project_id: None, ..before }]);
    assert_eq!(world.read().live_redemption(tenant, project).await.unwrap(), None);
    assert_eq!(world.stored_code(tenant, code.id).await.use_count, 1);
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 1);

    let next = world.project(tenant).await;
    let refusal = world.activate(tenant, next, code.by_text(), later(1)).await;
    assert!(matches!(refusal, Err(ActivateError::Refused(Refusal::Exhausted))), "{refusal:?}");
}

/// Of 32 racing counts in a month, as many succeed as its quota has left, and each is told another number.
pub async fn racing_counts_of_a_month_stay_within_its_quota<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let month = noon().month();
    for (quota, numbers) in [(7, 1..8), (9, 8..10), (9, 0..0), (5, 0..0)] {
        let quota = Quota::new(quota).unwrap();
        let count = async |_| world.write(async |tx| tx.count_activation(tenant, month, quota, noon()).await).await;
        let mut counted: Vec<u32> = race(RACERS, count).await.into_iter().flatten().collect();
        counted.sort_unstable();
        assert_eq!(counted, numbers.collect::<Vec<_>>(), "up to {}", quota.get());
    }
    assert_eq!(world.read().activations_in(tenant, month).await.unwrap(), 9);
}

/// Of ten racing activations under a quota of three, three win; the others consume nothing.
pub async fn racing_activations_stay_within_the_quota<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(3, SubscriptionState::Active).await;
    let codes = world.codes(tenant, CodeOrder { count: 10, ..CodeOrder::default() }, noon()).await;
    let projects = world.projects(tenant, 10).await;
    let activate = async |racer: usize| world.activate(tenant, projects[racer], codes[racer].by_text(), noon()).await;
    let answers = race(10, activate).await;

    let allowed = |answer: &_| matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::QuotaExceeded { .. })));
    assert!(answers.iter().all(allowed), "{answers:?}");
    assert_eq!(answers.iter().flatten().count(), 3);
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 3);
    for (code, answer) in codes.iter().zip(&answers) {
        let uses = u32::from(answer.is_ok());
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, uses);
        assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap().len(), uses as usize);
    }
}

/// A month ends at midnight in UTC: one microsecond later the quota is whole again.
pub async fn the_quota_is_whole_again_in_the_next_month<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(1, SubscriptionState::Active).await;
    let code = world.code(tenant, 9).await;
    let projects = world.projects(tenant, 3).await;
    let midnight = Timestamp::new(datetime!(2027-01-01 0:00 UTC));
    let last = midnight - Duration::MICROSECOND;
    assert!(world.activate(tenant, projects[0], code.by_text(), last).await.is_ok());
    let refusal = world.activate(tenant, projects[1], code.by_text(), last).await;
    assert!(matches!(refusal, Err(ActivateError::Refused(Refusal::QuotaExceeded { .. }))), "{refusal:?}");
    assert!(world.activate(tenant, projects[1], code.by_text(), midnight).await.is_ok());
    for month in [last.month(), midnight.month()] {
        assert_eq!(world.read().activations_in(tenant, month).await.unwrap(), 1, "{month:?}");
    }
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 0);
}
