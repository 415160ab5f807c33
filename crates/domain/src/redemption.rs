//! The ledger: which use of which code activated which project.

use crate::{CodeId, Id, ProjectId, TenantId, Timestamp, id::Kind};

/// One use of a code: a row of the ledger.
///
/// It is live until the use is returned; a project has at most one that is live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Redemption {
    /// Its identifier.
    pub id: RedemptionId,
    /// Whose code and project.
    pub tenant_id: TenantId,
    /// The code; `None` once that is gone.
    pub activation_code_id: Option<CodeId>,
    /// The project; `None` once that is gone.
    pub project_id: Option<ProjectId>,
    /// When it was used.
    pub redeemed_at: Timestamp,
    /// When the use was given back.
    pub returned_at: Option<Timestamp>,
}

/// A redemption's identifier.
pub type RedemptionId = Id<Redemption>;

impl Kind for Redemption {
    const PREFIX: &'static str = "red";
}
