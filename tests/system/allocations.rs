//! How often the hot paths ask the allocator for memory, on the thread that answers them: a count that no busy machine changes.
//!
//! The service is this process's, over real HTTP and on real databases, without a log. What other threads do isn't counted: the writer's on SQLite,
//! which runs an activation's statements and the steps of a sign-in.

use std::{
    cell::Cell,
    iter::zip,
    sync::{Arc, Mutex},
};

use densa_alloc::{AllocStats, CountingAllocator, is_active, thread_stats};
use reqwest::Method;
use serde_json::json;
use tenantry_http::{Ended, Observer, TraceContext};
use tenantry_tests::{Clocked, DatabaseKind, on_both_databases};
use time::Duration;
use tracing::Span;

/// Of the whole binary: of all system tests.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::system();

/// The first few also prepare statements, and fill what is kept between requests: the cheapest counts.
const PROBES: usize = 6;

thread_local! {
    /// What the thread had asked for when its request came.
    static BEFORE: Cell<AllocStats> = const { Cell::new(AllocStats::ZERO) };
}

/// Keeps what the last request asked for.
#[derive(Default)]
struct Counting(Mutex<AllocStats>);

impl Observer for Counting {
    fn began(&self, _: &Span, _: &TraceContext) {
        BEFORE.set(thread_stats());
    }

    fn ended(&self, _: &Span, _: &Ended) {
        *self.0.lock().unwrap() = thread_stats().since(BEFORE.get());
    }
}

impl Counting {
    /// How often a request asks for memory, new or more of it, at the least.
    async fn least(&self, mut request: impl AsyncFnMut(usize)) -> u64 {
        let mut least = u64::MAX;
        for number in 0..PROBES {
            request(number).await;
            let AllocStats { allocs, reallocs, .. } = *self.0.lock().unwrap();
            least = least.min(allocs + reallocs);
        }
        least
    }
}

on_both_databases! {
    async fn a_hot_path_asks_for_memory_as_seldom_as_it_is_said_to(world: World) {
        assert!(is_active());
        let counting = Arc::new(Counting::default());
        let server = Clocked::observed(&world, Arc::clone(&counting) as Arc<dyn Observer>).await;
        let acme = server.tenant("acme").await;
        let mut projects = Vec::new();
        for number in 0..20 {
            projects.push(acme.create_project(&format!("Client {number}")).await);
        }
        let tenant = server.admin().get("/api/admin/tenants").await.expect(200).text_at("/items/0/id");
        let codes = server.admin().issue_codes(&tenant, &json!({ "count": PROBES })).await;
        let operator = server.operator("owner", "o@operator.example").await;
        let cookie = format!("tenantry_admin={}", operator.bearer().unwrap());

        let page = counting.least(async |_| drop(acme.get("/api/tenant/projects?limit=20").await.expect(200))).await;
        let activation = counting
            .least(async |number| {
                // A version is of one moment: what was made in this one is activated step by step.
                server.clock.advance(Duration::SECOND);
                let project = projects[number]["id"].as_str().unwrap();
                acme.activate(project, &json!({ "code": codes[number] })).await.expect(200);
            })
            .await;
        let console = counting
            .least(async |_| {
                let request = server.api().request(Method::GET, "/admin/codes").header("cookie", &cookie);
                drop(server.api().send(request).await.expect(200));
            })
            .await;
        let asked = counting
            .least(async |_| {
                server.clock.advance(Duration::hours(1));
                server.api().ask_for_otp("acme").await;
                server.otp().await;
            })
            .await;
        let verified = counting
            .least(async |_| {
                server.clock.advance(Duration::hours(1));
                server.sign_in("acme").await;
            })
            .await;
        // Some three in a hundred more than were seen: a compiler's or a library's mood is no regression.
        let most = match world.kind() {
            DatabaseKind::Sqlite => [208, 123, 404, 368, 255],
            DatabaseKind::Postgres => [404, 167, 424, 377, 303],
        };
        let seen = [
            ("a page of 20 projects", page),
            ("an activation", activation),
            ("a console's page", console),
            ("a password that is asked for", asked),
            ("a password that is right", verified),
        ];
        for ((name, seen), most) in zip(seen, most) {
            assert!((1..=most).contains(&seen), "{name} asks for memory {seen} times on {:?}, where it was {most} at the most", world.kind());
        }
    }
}
