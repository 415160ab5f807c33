use std::future::Future;

use super::StoreError;
use crate::{AuditEvent, AuditFilter, BatchId, CodeId, Page, PageRequest, TenantId};

/// Reads of the audit trail.
pub trait AuditReads {
    /// Events that a filter keeps, newest first; with `tenant`, those that concern it.
    fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &AuditFilter,
        page: PageRequest<AuditEvent>,
    ) -> impl Future<Output = Result<Page<AuditEvent>, StoreError>> + Send;

    /// The events that concern a code or its issue, **oldest** first, whichever tenant they concern: for operators. `page.after` is
    /// the last event of the page before.
    fn code_timeline(
        &mut self,
        code: CodeId,
        batch: Option<BatchId>,
        page: PageRequest<AuditEvent>,
    ) -> impl Future<Output = Result<Page<AuditEvent>, StoreError>> + Send;
}

/// Writes of the audit trail: it only grows.
pub trait AuditWrites {
    /// Appends an event.
    fn append_audit(&mut self, event: &AuditEvent) -> impl Future<Output = Result<(), StoreError>> + Send;
}
