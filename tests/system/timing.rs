//! Known and unknown accounts can't be told apart by time (attack 11).

use std::time::{Duration, Instant};

use serde_json::json;
use tenantry_tests::on_both_databases;

/// Pairs that are measured: enough for a difference that an attacker could use, few enough for CI. `TENANTRY_LONG_TESTS=1` takes 1,000.
fn pairs() -> usize {
    if std::env::var_os("TENANTRY_LONG_TESTS").is_some() { 1000 } else { 300 }
}

on_both_databases! {
    async fn the_time_of_an_answer_does_not_tell_whether_there_is_such_an_account(world: World) {
        let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100_000).start().await;
        world.tenant(&server, "known").await;
        let api = server.api();
        let measure = async |slug: &str| -> Duration {
            let started = Instant::now();
            api.post("/api/tenant/auth/otp/generate", &json!({ "tenant_slug": slug })).await.expect(202);
            started.elapsed()
        };
        for _ in 0..20 {
            measure("known").await;
            measure("nobody").await;
        }
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for pair in 0..pairs() {
            // The order changes, so that what one request leaves behind doesn't always meet the same other.
            if pair % 2 == 0 {
                known.push(measure("known").await);
                unknown.push(measure("nobody").await);
            } else {
                unknown.push(measure("nobody").await);
                known.push(measure("known").await);
            }
        }
        let auc = area_under_curve(&known, &unknown);
        println!("area under the curve of {} pairs: {auc:.3}", pairs());
        // Two equal distributions of n values stay within 0.5 +- 3 / sqrt(6 n) in all but 3 of 1,000 runs.
        let chance = 3.0 / (6.0 * pairs() as f64).sqrt();
        assert!((auc - 0.5).abs() <= 0.05 + chance, "area under the curve: {auc:.3}");
    }
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
