use std::{cell::Cell, time::Duration};

use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId as OtelTraceId, TraceState, TracerProvider as _,
    },
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{IdGenerator, RandomIdGenerator, Sampler, SdkTracerProvider},
};
use tenantry_domain::{Entropy, TraceId};
use tenantry_http::Ended;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, registry::LookupSpan};

use crate::config::TelemetryConfig;

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// The trace that a span which is just being started belongs to.
    static TRACE: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// What is sent, from a thread of its own.
pub struct Export(Option<SdkTracerProvider>);

impl Export {
    /// Sends what is left. Where the collector doesn't take it in time, it is lost.
    pub fn finish(self) {
        if let Some(provider) = self.0 {
            let _ = provider.shutdown_with_timeout(PATIENCE);
        }
    }
}

/// The layer that makes spans of what the log's lines stand in, and what sends them; neither where no collector is configured.
pub fn start<S>(config: &TelemetryConfig) -> Result<(Option<impl Layer<S> + Send + Sync>, Export), ExporterBuildError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let Some(endpoint) = &config.otlp_endpoint else { return Ok((None, Export(None))) };
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_timeout(PATIENCE);
    let exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'))).build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("tenantry").build())
        // Whoever calls doesn't decide what is recorded.
        .with_sampler(Sampler::AlwaysOn)
        .with_id_generator(Ids(RandomIdGenerator::default()))
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tenantry"));
    Ok((Some(layer.with_location(false).with_threads(false).with_target(false)), Export(Some(provider))))
}

/// Makes a span, which has just been made, part of a trace: as a child of `parent`, or as its beginning here.
pub fn join(span: &Span, trace: TraceId, parent: Option<u64>) {
    match parent {
        Some(parent) => {
            let (trace, parent) = (OtelTraceId::from_bytes(trace.bytes()), SpanId::from_bytes(parent.to_be_bytes()));
            let remote = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::NONE);
            // It fails where spans aren't recorded at all.
            let _ = span.set_parent(Context::new().with_remote_span_context(remote));
        }
        None => {
            TRACE.set(Some(trace));
            // To ask for its context starts it, here and now.
            let _ = span.context();
            TRACE.set(None);
        }
    }
}

/// The `traceparent` of a call that is made now, in the span that it is made in.
pub fn traceparent(trace: TraceId, entropy: &dyn Entropy) -> String {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    if span.is_valid() {
        return format!("00-{trace}-{}-01", span.span_id());
    }
    format!("00-{trace}-{}-00", super::new_span_id(entropy))
}

/// Names the span of a request that has ended.
pub fn describe(span: &Span, request: &Ended) {
    let context = span.context();
    let recorded = context.span();
    recorded.update_name(format!("{} {}", request.method, request.route));
    span.set_attribute("http.request.method", request.method);
    span.set_attribute("http.route", request.route);
    if let Some(status) = request.status {
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            recorded.set_status(Status::error(request.code.map_or("", |code| code.as_str())));
        }
    }
}

/// Identifiers of spans at random, and of traces as the request has them.
#[derive(Debug)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> OtelTraceId {
        TRACE.get().map_or_else(|| self.0.new_trace_id(), |trace| OtelTraceId::from_bytes(trace.bytes()))
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
