//! Known and unknown accounts can't be told apart by time (attack 11).

use std::time::{Duration, Instant};

use tenantry_tests::{Api, Door, Server, World, on_both_databases};

/// Pairs that are measured: enough for a difference that an attacker could use, few enough for CI. `TENANTRY_LONG_TESTS=1` takes 1,000.
fn pairs() -> usize {
    if std::env::var_os("TENANTRY_LONG_TESTS").is_some() { 1000 } else { 300 }
}

on_both_databases! {
    async fn the_time_of_an_answer_does_not_tell_whether_there_is_such_an_account(world: World) {
        let server = patient(&world).await;
        world.tenant(&server, "known").await;
        takes_as_long(&server.api(), Door::Tenant, "known", "nobody").await;
    }

    async fn the_time_of_an_answer_does_not_tell_whether_there_is_such_an_operator(world: World) {
        let server = patient(&world).await;
        world.operator(&server, "owner", "known@portal.example").await;
        takes_as_long(&server.api(), Door::Operator, "known@portal.example", "nobody@portal.example").await;
    }
}

/// A server that is asked often.
async fn patient(world: &World) -> Server {
    world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100_000).start().await
}

async fn takes_as_long(api: &Api, door: Door, there: &str, missing: &str) {
    let measure = async |name: &str| -> Duration {
        let started = Instant::now();
        api.ask_at(door, name).await.expect(202);
        started.elapsed()
    };
    for _ in 0..20 {
        measure(there).await;
        measure(missing).await;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for pair in 0..pairs() {
        // The order changes, so that what one request leaves behind doesn't always meet the same other.
        if pair % 2 == 0 {
            known.push(measure(there).await);
            unknown.push(measure(missing).await);
        } else {
            unknown.push(measure(missing).await);
            known.push(measure(there).await);
        }
    }
    let auc = area_under_curve(&known, &unknown);
    println!("area under the curve of {} pairs: {auc:.3}", pairs());
    // Two equal distributions of n values stay within 0.5 +- 3 / sqrt(6 n) in all but 3 of 1,000 runs.
    let chance = 3.0 / (6.0 * pairs() as f64).sqrt();
    assert!((auc - 0.5).abs() <= 0.05 + chance, "area under the curve: {auc:.3}");
}

/// How often a value of `a` is above one of `b`: 0.5 when nothing tells them apart.
fn area_under_curve(a: &[Duration], b: &[Duration]) -> f64 {
    let above: f64 = a
        .iter()
        .flat_map(|x| {
            b.iter().map(move |y| match x.cmp(y) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            })
        })
        .sum();
    above / (a.len() * b.len()) as f64
}
