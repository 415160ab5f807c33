//! What the server makes of the requests that it is told of: metrics, and spans of traces.

use tenantry_http::{Ended, Observer, TraceContext};
use tracing::Span;

use crate::{metrics::Metrics, telemetry};

/// Tells metrics and traces.
pub struct RequestObserver(pub Metrics);

impl Observer for RequestObserver {
    fn began(&self, span: &Span, trace: &TraceContext) {
        telemetry::join(span, trace.trace_id, trace.parent_id);
        self.0.request_began();
    }

    fn ended(&self, span: &Span, request: &Ended) {
        telemetry::describe(span, request);
        self.0.request_ended(request);
    }
}
