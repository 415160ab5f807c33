use std::future::Future;

use super::StoreError;
use crate::{AuditEvent, Page, PageRequest, TenantId};

/// Reads of the audit trail.
pub trait AuditReads {
    /// Events, newest first; with `tenant`, those that concern it.
    fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        page: PageRequest<AuditEvent>,
    ) -> impl Future<Output = Result<Page<AuditEvent>, StoreError>> + Send;
}

/// Writes of the audit trail: it only grows.
pub trait AuditWrites {
    /// Appends an event.
    fn append_audit(&mut self, event: &AuditEvent) -> impl Future<Output = Result<(), StoreError>> + Send;
}
