//! Issuing many codes, with their texts sent as CSV while they are written.
//!
//! Two sides share a channel of one part. The producer, a task of its own, has one part more written: it writes the next once the channel is
//! empty, and sends the last meanwhile. A reader that is slow holds these in memory, and neither a transaction nor a connection. The answer's
//! body takes the parts; when the client goes away actix drops it, the producer finds the channel closed, and ends the issue with what it
//! holds by then.

use std::{
    mem,
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, http::header::LOCATION, rt, web::Bytes};
use futures_util::{Stream, StreamExt as _, future, stream};
use tenantry_domain::{
    BulkIssue, BulkIssueError, Chain, CodeOrder, Context, IssuedCode, Label, StoreError, TenantId, Timestamp, begin_bulk_issue,
    cancel_bulk_issue, complete_bulk_issue, issue_next_codes, ports::Store,
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use crate::{
    csv_answer::{Cut, Rows, cell, csv_answer},
    endpoints::{Answer, State},
    extract::Operator,
    long_work::LongPlace,
    once::Keyed,
    state::Health,
};

/// What is told of each code.
pub(crate) const COLUMNS: &[&str] = &["id", "code", "label", "expires_at", "max_uses"];

/// How long a client may take no row before it is taken for gone.
const STALLED: Duration = Duration::from_secs(60);

/// How long an issue goes on once the server is asked to end: less than the server waits for what it has at hand.
const PARTING: Duration = Duration::from_secs(10);

/// How often a producer that waits for its reader looks whether it should go on waiting.
const LOOK: Duration = Duration::from_millis(500);

/// How often the end of an issue is tried to be written while the store is unavailable.
const TRIES: u32 = 10;

/// What goes through the channel. A channel that closes without [`End`](Self::End) has lost its producer.
enum Part {
    Rows(Bytes),
    End,
}

/// Why an issue ends before its time.
enum Early {
    /// For a reason that the audit trail names.
    Cancelled(&'static str),
    /// Somebody else has ended it, and has audited that.
    Ended,
    /// The store failed.
    Failed(StoreError),
}

impl From<BulkIssueError> for Early {
    fn from(refusal: BulkIssueError) -> Self {
        match refusal {
            BulkIssueError::Ended => Self::Ended,
            BulkIssueError::Store(failure) => Self::Failed(failure),
        }
    }
}

/// Issues codes, and answers them as they are written. `sent` is the body that came with the key.
pub(crate) async fn stream<S: Store>(
    state: State<S>,
    who: Operator<S>,
    tenant: TenantId,
    order: CodeOrder,
    (keyed, sent): (Keyed, Bytes),
    place: LongPlace,
) -> Answer {
    let begin = async |store: &S, cx: &Context<'_>| Ok(begin_bulk_issue(store, cx, tenant, order).await?);
    let issue = keyed.begin_once(&sent, &state, who.context(&state), begin, told).await?;
    let batch = issue.batch_id();
    let (sink, parts) = mpsc::channel(1);
    rt::spawn(async move {
        produce(&state, &who, issue, sink).await;
        drop(place);
    });
    let mut answer = HttpResponse::Created();
    answer.insert_header(("X-Batch-Id", batch.to_string())).insert_header((LOCATION, format!("/api/admin/batches/{batch}")));
    let head = stream::iter([Ok(Rows::head(COLUMNS).into_bytes())]);
    Ok(csv_answer(answer, format!("codes-{batch}.csv"), head.chain(received(parts))))
}

/// What is told to whoever sends a request again that has issued codes.
fn told(issue: &BulkIssue) -> String {
    let batch = issue.batch_id();
    format!(
        "this request issued the codes of {batch}; their texts were in its answer, and aren't kept. `/api/admin/batches/{batch}` has how many"
    )
}

/// The parts as they come, and a cut where the producer ended without saying so.
fn received(parts: mpsc::Receiver<Part>) -> impl Stream<Item = Result<Bytes, Cut>> + 'static {
    stream::unfold(Some(parts), |parts| async {
        let mut parts = parts?;
        match parts.recv().await {
            Some(Part::Rows(rows)) => Some((Ok(rows), Some(parts))),
            Some(Part::End) => None,
            None => Some((Err(Cut), None)),
        }
    })
}

/// Issues all codes, or writes down how far it came.
async fn produce<S: Store>(state: &State<S>, who: &Operator<S>, mut issue: BulkIssue, sink: mpsc::Sender<Part>) {
    let Err(early) = issue_all(state, who, &mut issue, sink).await else { return };
    let (tenant, batch) = (issue.tenant_id(), issue.batch_id());
    let reason = match early {
        Early::Cancelled(reason) => reason,
        Early::Ended => {
            warn!(tenant.id = %tenant, batch.id = %batch, issued = issue.issued(), "an issue of codes was ended by somebody else");
            return;
        }
        Early::Failed(failure) => {
            error!(tenant.id = %tenant, batch.id = %batch, error = %Chain(&failure), "an issue of codes failed");
            "store_failed"
        }
    };
    for pause in (0..TRIES).map(|number| Duration::from_millis(200 << number)) {
        match cancel_bulk_issue(&state.store, &who.context(state), &issue, reason).await {
            Ok(_) => return,
            Err(failure) => {
                error!(tenant.id = %tenant, batch.id = %batch, error = %Chain(&failure), "can't write that an issue was cancelled");
                sleep(pause).await;
            }
        }
    }
}

/// Issues codes a part at a time until all are there and taken, and only then lets the answer end. While a part is written the one before is
/// sent. Whatever else keeps it from that cuts the answer off at once, by dropping the channel.
async fn issue_all<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    issue: &mut BulkIssue,
    sink: mpsc::Sender<Part>,
) -> Result<(), Early> {
    let (label, expires_at, max_uses) = (issue.label().cloned(), issue.expires_at(), issue.max_uses());
    let mut parting = None;
    let mut written = issue_next_codes(&state.store, &who.context(state), state.keys.as_ref(), issue).await?;
    loop {
        let room = room(&sink, &state.health, &mut parting).await?;
        let cx = who.context(state);
        if written.is_empty() {
            complete_bulk_issue(&state.store, &cx, issue).await?;
            room.send(Part::End);
            return Ok(());
        }
        let send = async { room.send(Part::Rows(rows(&mem::take(&mut written), label.as_ref(), expires_at, max_uses))) };
        let (next, ()) = future::join(issue_next_codes(&state.store, &cx, state.keys.as_ref(), issue), send).await;
        written = next?;
    }
}

/// Waits until the part before is taken; `parting` is since when the server is on its way out.
async fn room<'a>(
    sink: &'a mpsc::Sender<Part>,
    health: &Health,
    parting: &mut Option<Instant>,
) -> Result<mpsc::Permit<'a, Part>, Early> {
    let waiting = Instant::now();
    loop {
        if health.is_draining() && parting.get_or_insert_with(Instant::now).elapsed() > PARTING {
            return Err(Early::Cancelled("server_stopping"));
        }
        match timeout(LOOK, sink.reserve()).await {
            Ok(Ok(room)) => return Ok(room),
            Ok(Err(_closed)) => return Err(Early::Cancelled("client_gone")),
            Err(_) if waiting.elapsed() > STALLED => return Err(Early::Cancelled("client_stalled")),
            Err(_) => {}
        }
    }
}

/// Codes of one issue as rows.
pub(crate) fn rows(codes: &[IssuedCode], label: Option<&Label>, expires_at: Option<Timestamp>, max_uses: u32) -> Bytes {
    let (label, expires_at, max_uses) = (cell(label), cell(expires_at), max_uses.to_string());
    // An identifier, a code, what is between them and quotes around the label.
    let mut rows = Rows::with_room(codes.len() * (70 + label.len() + expires_at.len() + max_uses.len()));
    for issued in codes {
        let (id, code) = (issued.id.to_string(), issued.code.reveal());
        rows.push([&id, code.as_str(), &label, &expires_at, &max_uses]);
    }
    rows.into_bytes()
}
