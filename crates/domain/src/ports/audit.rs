use std::{collections::HashMap, future::Future};

use super::StoreError;
use crate::{
    ApiKeyId, ApiKeyName, AuditEvent, AuditFilter, BatchId, CodeId, OperatorId, OperatorName, Page, PageRequest, TenantId,
};

/// The names of those who act for the portal, by their identifiers.
///
/// The trail itself has identifiers alone: names change, and go with their owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorNames {
    /// Names of operators that there are.
    pub operators: HashMap<OperatorId, OperatorName>,
    /// Names of API keys, live or not.
    pub api_keys: HashMap<ApiKeyId, ApiKeyName>,
}

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

    /// What these operators and API keys are called, those that there still are: one round trip, and none for nobody.
    fn actor_names(
        &mut self,
        operators: &[OperatorId],
        api_keys: &[ApiKeyId],
    ) -> impl Future<Output = Result<ActorNames, StoreError>> + Send;
}

/// Writes of the audit trail: it only grows.
pub trait AuditWrites {
    /// Appends an event.
    fn append_audit(&mut self, event: &AuditEvent) -> impl Future<Output = Result<(), StoreError>> + Send;
}
