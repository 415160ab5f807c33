//! Limits: a burst at once, then one each interval, however many callers race.

use time::Duration;

use super::world::{RACERS, World, later, noon, race};
use crate::{BucketKey, Rate, RateDecision, Timestamp, ports::*};

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
