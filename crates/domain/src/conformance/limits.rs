//! Limits: a burst at once, then one each interval, however many callers race.

use time::Duration;

use super::world::{RACERS, World, later, noon, race};
use crate::{
    ActivateError, ActivateProject, ActivateWith, BucketKey, Limit, PlainCode, Project, Rate, RateDecision, Refusal,
    SeededEntropy, Timestamp, activate_project, memory::PlainHasher, ports::*,
};

const RATE: Rate = Rate { burst: 3, interval: Duration::minutes(10) };

impl<S: Store> World<S> {
    fn bucket(&self) -> BucketKey {
        BucketKey::from_bytes(self.bytes())
    }

    async fn take(&self, bucket: BucketKey, now: Timestamp) -> RateDecision {
        self.write(async |tx| tx.take_token(bucket, RATE, now).await).await
    }
}

/// A bucket that nobody took from holds its burst; then it gives one each interval.
pub async fn a_bucket_gives_its_burst_then_one_each_interval<S: Store>(store: S) {
    let world = World::new(store);
    let bucket = world.bucket();
    for _ in 0..RATE.burst {
        assert_eq!(world.take(bucket, noon()).await, RateDecision::Allowed);
    }
    for round in 1..4 {
        let next = noon() + RATE.interval * round;
        let early = world.take(bucket, next - Duration::SECOND).await;
        assert_eq!(early, RateDecision::Limited { retry_after: Duration::SECOND });
        assert_eq!(world.take(bucket, next).await, RateDecision::Allowed);
    }
}

/// After rest, a bucket is as full as it was at first, and no fuller.
pub async fn a_bucket_never_holds_more_than_its_burst<S: Store>(store: S) {
    let world = World::new(store);
    let bucket = world.bucket();
    for day in 0..3 {
        let now = noon() + Duration::days(day);
        for _ in 0..RATE.burst {
            assert_eq!(world.take(bucket, now).await, RateDecision::Allowed);
        }
        assert_eq!(world.take(bucket, now).await, RateDecision::Limited { retry_after: RATE.interval });
    }
}

/// What is refused isn't counted: waiting as long as was said is enough, however often was asked.
pub async fn a_refusal_says_how_long_and_costs_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let bucket = world.bucket();
    for _ in 0..RATE.burst {
        assert_eq!(world.take(bucket, noon()).await, RateDecision::Allowed);
    }
    for seconds in 0..10 {
        let expected = RATE.interval - Duration::seconds(seconds);
        assert_eq!(world.take(bucket, later(seconds)).await, RateDecision::Limited { retry_after: expected });
    }
    assert_eq!(world.take(bucket, noon() + RATE.interval).await, RateDecision::Allowed);
}

/// Of 32 racing takers of a bucket exactly its burst is allowed, and the others are told the same.
pub async fn racing_takers_get_exactly_the_burst<S: Store>(store: S) {
    let world = World::new(store);
    let bucket = world.bucket();
    let decisions = race(RACERS, async |_| world.take(bucket, noon()).await).await;
    let limited = RateDecision::Limited { retry_after: RATE.interval };
    assert_eq!(decisions.iter().filter(|&&decision| decision == RateDecision::Allowed).count(), RATE.burst as usize);
    assert_eq!(decisions.iter().filter(|&&decision| decision == limited).count(), RACERS - RATE.burst as usize);
}

/// Buckets are apart: an empty one refuses nobody else.
pub async fn buckets_are_apart<S: Store>(store: S) {
    let world = World::new(store);
    let (empty, full) = (world.bucket(), world.bucket());
    for _ in 0..RATE.burst {
        assert_eq!(world.take(empty, noon()).await, RateDecision::Allowed);
    }
    assert_eq!(world.take(empty, noon()).await, RateDecision::Limited { retry_after: RATE.interval });
    assert_eq!(world.take(full, noon()).await, RateDecision::Allowed);
}

/// What is charged is taken though there be nothing: the debt is waited for too, and no charge is lost in a race.
pub async fn racing_charges_are_all_counted<S: Store>(store: S) {
    let world = World::new(store);
    let limit = Limit { bucket: world.bucket(), rate: RATE };
    race(RACERS, async |_| world.write(async |tx| tx.charge(limit, noon()).await).await).await;
    let owed = i32::try_from(RACERS).unwrap() - 2;
    let wait = RateDecision::Limited { retry_after: RATE.interval * owed };
    assert_eq!(world.take(limit.bucket, noon()).await, wait);
    assert_eq!(world.take(limit.bucket, noon() + RATE.interval * owed).await, RateDecision::Allowed);
}

/// Whoever holds a tenant within a limit sees what is left there and takes nothing.
pub async fn a_look_at_a_bucket_takes_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let limit = Limit { bucket: world.bucket(), rate: RATE };
    let look = async |now| world.write(async |tx| tx.hold_tenant_within(tenant, limit, now).await).await.map(|(_, left)| left);
    for _ in 0..10 {
        assert_eq!(look(noon()).await, Some(RateDecision::Allowed));
    }
    for _ in 0..RATE.burst {
        assert_eq!(look(noon()).await, Some(RateDecision::Allowed));
        world.write(async |tx| tx.charge(limit, noon()).await).await;
    }
    assert_eq!(look(later(1)).await, Some(RateDecision::Limited { retry_after: RATE.interval - Duration::SECOND }));
    assert_eq!(look(noon() + RATE.interval).await, Some(RateDecision::Allowed));
    let held = world.write(async |tx| tx.hold_tenant_within(tenant, limit, noon()).await).await.map(|(held, _)| held);
    assert_eq!(held, world.write(async |tx| tx.hold_tenant(tenant).await).await);
    let nobody = world.id(noon());
    assert_eq!(world.write(async |tx| tx.hold_tenant_within(nobody, limit, noon()).await).await, None);
}

impl<S: Store> World<S> {
    async fn activate_within(&self, request: &ActivateProject, now: Timestamp) -> Result<Project, ActivateError> {
        activate_project(&self.store, &self.cx(now), &PlainHasher, request).await
    }
}

/// Texts that are none of the tenant's codes are counted, and no others; once there are too many, no text is looked at, be it right.
pub async fn guesses_are_counted_and_then_no_text_is_looked_at<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let (own, foreign) = (world.code(tenant, 1).await, world.code(stranger, 1).await);
    let guesses = Some(Limit { bucket: world.bucket(), rate: RATE });
    let with = async |with| ActivateProject { tenant, project: world.project(tenant).await, with, guesses };
    let text = async |text: &PlainCode| with(ActivateWith::Code(text.clone().into())).await;
    let unknown = PlainCode::generate(&SeededEntropy::new(99));

    // Two wrong ones, and many that aren't held against anybody.
    for wrong in [&unknown, &foreign.text] {
        let refused = world.activate_within(&text(wrong).await, noon()).await;
        assert!(matches!(refused, Err(ActivateError::Refused(Refusal::UnknownCode))), "{refused:?}");
    }
    let right = text(&own.text).await;
    for _ in 0..5 {
        world.activate_within(&right, noon()).await.unwrap();
        let used = world.activate_within(&text(&own.text).await, noon()).await;
        assert!(matches!(used, Err(ActivateError::Refused(Refusal::Exhausted))), "{used:?}");
        let by_id = world.activate_within(&with(ActivateWith::CodeId(foreign.id)).await, noon()).await;
        assert!(matches!(by_id, Err(ActivateError::Refused(Refusal::UnknownCode))), "{by_id:?}");
    }
    // The third, at a project that is active already: the answer says nothing of the text, and it counts.
    let again = ActivateProject { with: ActivateWith::Code(unknown.clone().into()), ..right.clone() };
    let refused = world.activate_within(&again, noon()).await;
    assert!(matches!(refused, Err(ActivateError::Refused(Refusal::AlreadyActive))), "{refused:?}");

    for request in [&text(&unknown).await, &text(&own.text).await, &right] {
        let limited = world.activate_within(request, later(1)).await;
        let wait = RATE.interval - Duration::SECOND;
        assert!(matches!(limited, Err(ActivateError::Limited { retry_after }) if retry_after == wait), "{limited:?}");
    }
    let more = world.code(tenant, 2).await;
    world.activate_within(&with(ActivateWith::CodeId(more.id)).await, later(1)).await.unwrap();
    world.activate_within(&with(ActivateWith::NextAvailable).await, later(1)).await.unwrap();
    world.activate_within(&right, noon() + RATE.interval).await.unwrap();
}

/// Of racing guesses that all found the bucket full, each is charged: together they get no more, in the long run, than one after another.
pub async fn racing_guesses_are_all_charged<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let limit = Limit { bucket: world.bucket(), rate: RATE };
    let projects = world.projects(tenant, RACERS).await;
    let answers = race(RACERS, async |racer| {
        let unknown = PlainCode::generate(&SeededEntropy::new(100 + racer as u64));
        let with = ActivateWith::Code(unknown.into());
        let request = ActivateProject { tenant, project: projects[racer], with, guesses: Some(limit) };
        world.activate_within(&request, noon()).await
    })
    .await;
    let looked_at = answers.iter().filter(|answer| matches!(answer, Err(ActivateError::Refused(Refusal::UnknownCode)))).count();
    assert!(looked_at >= RATE.burst as usize, "{answers:?}");
    let owed = i32::try_from(looked_at).unwrap() - 2;
    assert_eq!(world.take(limit.bucket, noon()).await, RateDecision::Limited { retry_after: RATE.interval * owed });
}
