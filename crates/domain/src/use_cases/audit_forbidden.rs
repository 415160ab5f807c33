use time::Duration;
use tracing::warn;

use crate::{Action, AuditEvent, BucketKey, Chain, Context, Rate, RateDecision, Scopes, ports::*};

/// How many of an actor's refusals [`audit_forbidden`] notes: 60 at once, then one a minute.
///
/// Enough to see what it is after, too few to bury the rest of the trail.
pub const FORBIDDEN_NOTED: Rate = Rate { burst: 60, interval: Duration::MINUTE };

/// Notes in the audit trail that the context's actor tried what it may not do, for want of `missing`.
///
/// `operation` is what it tried, where that isn't plain from the scopes: `DELETE /api/admin/plans/{id}`.
///
/// Of one actor 60 are noted at once, and then one a minute ([`FORBIDDEN_NOTED`]), counted in the store: a key that may do little can't
/// fill the trail. The others are refused alike.
///
/// The refusal stands also where the store fails: that is logged.
pub async fn audit_forbidden<S: Store>(store: &S, cx: &Context<'_>, missing: Scopes, operation: Option<&str>) {
    let mut event = AuditEvent::new(cx, Action::AccessForbidden, None, None).with("missing", missing);
    if let Some(operation) = operation {
        event = event.with("operation", operation);
    }
    let appended = async {
        let mut tx = store.begin().await?;
        let bucket = BucketKey::of_refusals(&cx.actor);
        if let RateDecision::Limited { .. } = tx.take_token(bucket, FORBIDDEN_NOTED, cx.now).await? {
            return Ok(());
        }
        tx.append_audit(&event).await?;
        tx.commit().await
    };
    if let Err(failure) = appended.await {
        warn!(error = %Chain(&failure), "could not audit what was forbidden");
    }
}
