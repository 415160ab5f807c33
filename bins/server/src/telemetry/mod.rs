//! Traces for a collector, by OTLP, where the program was built with the feature `otlp` and `telemetry.otlp_endpoint` is set.
//!
//! Spans are those that the log's lines stand in, and what holds of the log holds of them: no secret, no address, nothing that a stranger
//! wrote. Without the feature nothing of this is there but functions that do nothing.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
pub use self::otlp::{Export, describe, join, start, traceparent};

#[cfg(not(feature = "otlp"))]
mod nothing {
    use tenantry_domain::{Entropy, TraceId};
    use tenantry_http::Ended;
    use tracing::{Span, Subscriber};
    use tracing_subscriber::{Layer, layer::Identity};

    use crate::config::TelemetryConfig;

    /// What is sent: nothing.
    pub struct Export;

    impl Export {
        pub fn finish(self) {}
    }

    pub fn start<S: Subscriber>(
        _: &TelemetryConfig,
    ) -> Result<(Option<impl Layer<S> + Send + Sync>, Export), std::convert::Infallible> {
        Ok((None::<Identity>, Export))
    }

    pub fn join(_: &Span, _: TraceId, _: Option<u64>) {}

    pub fn describe(_: &Span, _: &Ended) {}

    /// The `traceparent` of a call that is made now: its sender records nothing of it.
    pub fn traceparent(trace: TraceId, entropy: &dyn Entropy) -> String {
        format!("00-{trace}-{}-00", super::new_span_id(entropy))
    }
}
#[cfg(not(feature = "otlp"))]
pub use self::nothing::{Export, describe, join, start, traceparent};

/// An identifier of a span, at random: 16 hexadecimal digits that aren't all zero.
fn new_span_id(entropy: &dyn tenantry_domain::Entropy) -> String {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    format!("{:016x}", u64::from_be_bytes(random).max(1))
}
