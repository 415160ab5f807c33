use tracing::warn;

use crate::{Action, AuditEvent, Chain, Context, Scopes, ports::*};

/// Notes that the context's actor tried what it may not do, for want of `missing`. `operation` is what it tried, where that isn't plain from
/// the scopes: `DELETE /api/admin/plans/{id}`.
///
/// The refusal stands also where the store fails: that is logged.
pub async fn audit_forbidden<S: Store>(store: &S, cx: &Context<'_>, missing: Scopes, operation: Option<&str>) {
    let mut event = AuditEvent::new(cx, Action::AccessForbidden, None, None).with("missing", missing);
    if let Some(operation) = operation {
        event = event.with("operation", operation);
    }
    let appended = async {
        let mut tx = store.begin().await?;
        tx.append_audit(&event).await?;
        tx.commit().await
    };
    if let Err(failure) = appended.await {
        warn!(error = %Chain(&failure), "could not audit what was forbidden");
    }
}
