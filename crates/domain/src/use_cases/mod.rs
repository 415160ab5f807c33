//! What can be done: one file a use case, or a family of them, with its error.
//!
//! Each begins and commits in one function, takes its time and randomness from a [`Context`](crate::Context), and writes what it did
//! into the audit trail of the same transaction.

mod activate_project;
mod admit_key_ring;
mod adopt;
mod assign_project;
mod attempt;
mod audit_forbidden;
mod bulk_issue;
mod certify_activation;
mod change_tenant;
mod check_code;
mod create_tenant;
mod export_codes;
mod generate_codes;
mod housekeeping;
mod import_codes;
mod manage_code;
mod manage_tenant;
mod messages;
mod operators;
mod plans;
mod projects;
mod read_stats;
mod return_activation;
mod revoke_batch;
mod subscriptions;
mod webhooks;

pub use activate_project::{ActivateError, ActivateProject, ActivateWith, activate_project};
pub use admit_key_ring::{AdmitKeyRingError, ForeignKeyRing, accept_key_ring, admit_key_ring, compare_key_ring};
pub use adopt::{ADOPTED_LABEL, AdoptError, adopt, begin_adoption, complete_adoption};
pub use assign_project::{AssignError, assign_project};
pub use attempt::{ANSWERS_ARE_KEPT, Attempt, AttemptError, Begun, KeyedRequest};
pub use audit_forbidden::{FORBIDDEN_NOTED, audit_forbidden};
pub use bulk_issue::{BulkIssue, BulkIssueError, begin_bulk_issue, cancel_bulk_issue, complete_bulk_issue, issue_next_codes};
pub use certify_activation::{CertifyError, IssuedCertificate, certify_activation};
pub use change_tenant::{ChangeTenantError, change_own_profile, change_tenant};
pub use check_code::{CheckCode, CheckCodeError, CheckedCode, check_code};
pub use create_tenant::{AUTO_LABEL, CreateTenantError, CreatedTenant, NewTenant, create_tenant};
pub use export_codes::{CodeExport, begin_code_export};
pub use generate_codes::{
    CodeOrder, GenerateCodesError, IssuedBatch, IssuedCode, LONGEST_TTL, MAX_CODES, MAX_USES, generate_codes,
};
pub use housekeeping::{Retention, Sweep, Swept};
pub use import_codes::{CodeImport, ImportCodesError, ImportFault, ImportLine, ImportReport, MAX_IMPORT, import_codes};
pub use manage_code::{CodeEnd, ManageCodeError, ReissuedCode, expire_code, reissue_code, revoke_code};
pub use manage_tenant::{ManageTenantError, delete_tenant, resume_tenant, suspend_tenant};
pub use messages::{MessageError, discard_message, retry_message};
pub use operators::{NewOperator, OperatorError, change_operator, create_operator, delete_operator};
pub use plans::{CreatePlanError, ManagePlanError, archive_plan, change_plan, create_plan, delete_plan, restore_plan};
pub use projects::{NewProject, ProjectError, change_project, create_project, delete_project, transition_project};
pub use read_stats::{PRESSURE_LIMIT, PRESSURE_PERCENT, STATS_DAYS, Stats, read_stats};
pub use return_activation::{ReturnError, ReturnLimits, return_activation, return_own_activation};
pub use revoke_batch::{RevokeBatchError, revoke_batch};
pub use subscriptions::{NewTerms, SetSubscriptionError, set_subscription};
pub use webhooks::{
    WEBHOOK_PATIENCE, WebhookChange, WebhookError, WebhookOutcome, change_webhook, delete_webhook, hold_webhook_owner,
    redeliver_webhook_message, settle_webhook_message, test_webhook,
};
