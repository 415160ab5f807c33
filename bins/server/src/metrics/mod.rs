//! What the server counts, for Prometheus: docs/operations.md says what each figure means.
//!
//! A label holds one of a closed list of words, and never an identifier, a name or anything else that somebody chose: what there is to be
//! counted is bounded, whoever calls.

mod listener;
mod requests;
mod scrape;

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tenantry_domain::{Delivery, Swept, Timestamp};
use tenantry_http::{Door, Failure};

pub use self::listener::serve;

/// Counters told apart by one word.
type ByWord = Family<[(&'static str, &'static str); 1], Counter>;
/// Counters told apart by two words.
type ByWords = Family<[(&'static str, &'static str); 2], Counter>;
/// Gauges told apart by words.
type Gauges<const N: usize, V> = Family<[(&'static str, &'static str); N], V>;
/// A gauge of a fraction.
type Fraction = Gauge<f64, std::sync::atomic::AtomicU64>;

/// Everything that is counted; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    figures: Arc<Figures>,
    registry: Arc<Registry>,
}

struct Figures {
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    unserved: ByWord,
    activations: ByWord,
    otps: ByWords,
    sign_ins: ByWords,
    mails: ByWord,
    webhook_calls: ByWord,
    deleted: ByWord,
    pool_most: Gauges<1, Gauge>,
    pool_connections: Gauges<2, Gauge>,
    outbox_waiting: Gauges<1, Gauge>,
    outbox_dead: Gauges<1, Gauge>,
    outbox_overdue: Gauges<1, Fraction>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: &'static str,
}

/// Seconds: from a look-up in memory to a request that is given up.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

impl Metrics {
    /// Nothing has been counted yet, by a process that started at `started`.
    pub fn new(started: Timestamp) -> Self {
        let mut registry = Registry::default();
        let start = Fraction::default();
        start.set(started.unix_millis() as f64 / 1000.0);
        registry.register_with_unit("process_start_time", "When the process started, since 1970", Unit::Seconds, start);

        let ours = registry.sub_registry_with_prefix("tenantry");
        let build: Gauges<1, Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        ours.register("build_info", "1, by the version that runs", build);
        let figures = Figures::at_zero();
        let requests = "How long requests took, to the head of their answers";
        ours.register_with_unit("http_request_duration", requests, Unit::Seconds, figures.requests.clone());
        ours.register("http_requests_in_flight", "Requests that are worked on", figures.in_flight.clone());
        ours.register("http_unserved", "Requests that were not served, by no fault of their own", figures.unserved.clone());
        ours.register("activations", "Activations, by how they came out", figures.activations.clone());
        ours.register("otps", "One-time passwords that were asked for and presented", figures.otps.clone());
        ours.register("sign_ins", "Sign-ins, by door", figures.sign_ins.clone());
        ours.register("mails", "Mails, by how a try to hand them over ended", figures.mails.clone());
        ours.register("webhook_calls", "Messages to webhooks, by how a try to call one ended", figures.webhook_calls.clone());
        ours.register("housekeeping_deleted", "Rows that were deleted because they had ended", figures.deleted.clone());
        let connections = "Connections to the database that are open";
        ours.register("database_connections", connections, figures.pool_connections.clone());
        ours.register("database_connections_max", "The most connections that there can be", figures.pool_most.clone());
        ours.register("outbox_waiting", "Messages that are to be sent", figures.outbox_waiting.clone());
        ours.register("outbox_dead", "Messages that could not be sent", figures.outbox_dead.clone());
        let overdue = "For how long the message that was due first is due";
        ours.register_with_unit("outbox_overdue", overdue, Unit::Seconds, figures.outbox_overdue.clone());
        Self { figures: Arc::new(figures), registry: Arc::new(registry) }
    }

    /// Counts a try to hand a mail over, by how it ended.
    pub fn mail(&self, result: &'static str) {
        self.figures.mails.get_or_create(&[("result", result)]).inc();
    }

    /// Counts a try to hand a message to a webhook over, by how it ended.
    pub fn webhook_call(&self, delivery: &Delivery, gone: bool) {
        let result = match delivery {
            Delivery::Sent => "taken",
            Delivery::Retry { .. } => "retry",
            Delivery::Dropped => "dropped",
            Delivery::Dead { .. } if gone => "gone",
            Delivery::Dead { .. } => "given_up",
        };
        self.figures.webhook_calls.get_or_create(&[("result", result)]).inc();
    }

    /// Counts what a round of housekeeping deleted.
    pub fn deleted(&self, swept: &Swept) {
        let Swept { sessions, operator_sessions, challenges, idempotency_keys, messages, bootstrap_links, buckets } = *swept;
        let kinds = [
            ("sessions", sessions),
            ("operator_sessions", operator_sessions),
            ("challenges", challenges),
            ("idempotency_keys", idempotency_keys),
            ("messages", messages),
            ("bootstrap_links", bootstrap_links),
            ("buckets", buckets),
        ];
        for (kind, count) in kinds {
            self.figures.deleted.get_or_create(&[("kind", kind)]).inc_by(count);
        }
    }
}

impl Figures {
    /// What hasn't happened yet has happened zero times: without that, the first time isn't seen as one more.
    fn at_zero() -> Self {
        let figures = Self {
            requests: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            unserved: Family::default(),
            activations: Family::default(),
            otps: Family::default(),
            sign_ins: Family::default(),
            mails: Family::default(),
            webhook_calls: Family::default(),
            deleted: Family::default(),
            pool_most: Family::default(),
            pool_connections: Family::default(),
            outbox_waiting: Family::default(),
            outbox_dead: Family::default(),
            outbox_overdue: Family::default(),
        };
        for failure in Failure::ALL {
            figures.unserved.get_or_create(&[("reason", failure.as_str())]).inc_by(0);
        }
        for result in ["won", "replayed"] {
            figures.activations.get_or_create(&[("result", result)]).inc_by(0);
        }
        for door in [Door::Tenant, Door::Operator] {
            for result in ["requested", "limited", "verified", "failed"] {
                figures.otps.get_or_create(&[("door", door.as_str()), ("result", result)]).inc_by(0);
            }
            for result in ["succeeded", "failed"] {
                figures.sign_ins.get_or_create(&[("door", door.as_str()), ("result", result)]).inc_by(0);
            }
        }
        for result in ["sent", "retry", "refused", "given_up"] {
            figures.mails.get_or_create(&[("result", result)]).inc_by(0);
        }
        for result in ["taken", "retry", "gone", "given_up"] {
            figures.webhook_calls.get_or_create(&[("result", result)]).inc_by(0);
        }
        figures
    }
}
