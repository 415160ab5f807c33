//! What is taken over from an older portal, and what is remembered of where it came from.

use uuid::Uuid;

use crate::{Code, Plan, Project, Redemption, Subscription, Tenant, Timestamp};

/// Which table of an older portal a row was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum AdoptedKind {
    /// Its plans.
    Plan,
    /// Its tenants.
    Tenant,
    /// Its tenants' subscriptions.
    Subscription,
    /// Its activation codes.
    Code,
    /// Its projects.
    Project,
}

impl AdoptedKind {
    /// Every one, in the order in which they are taken over.
    pub const ALL: [Self; 5] = [Self::Plan, Self::Tenant, Self::Subscription, Self::Code, Self::Project];

    /// The word as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tenant => "tenant",
            Self::Subscription => "subscription",
            Self::Code => "code",
            Self::Project => "project",
        }
    }
}

/// A note that a row of an older portal was taken over, and as what.
///
/// It outlives what it speaks of, so that nothing is taken over twice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct AdoptedRow {
    /// Which older portal, by the name that its operator gave it.
    pub source: String,
    /// Which of its tables.
    pub kind: AdoptedKind,
    /// The row's key there, as text.
    pub old_key: String,
    /// The identifier here.
    pub id: Uuid,
    /// When it was taken over.
    pub adopted_at: Timestamp,
}

/// A row of an older portal to be taken over, and its key there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted<T> {
    /// The key there, as text.
    pub old_key: String,
    /// The row as it is to be here.
    pub row: T,
}

/// Rows of an older portal that are taken over together or not at all. A row that refers to another finds it here, or was taken
/// over before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The plans.
    pub plans: Vec<Adopted<Plan>>,
    /// The tenants.
    pub tenants: Vec<Adopted<Tenant>>,
    /// The tenants' subscriptions.
    pub subscriptions: Vec<Adopted<Subscription>>,
    /// Codes, each with its uses and its end. Those of a tenant become a batch, whatever their `batch_id` says.
    pub codes: Vec<Adopted<Code>>,
    /// Projects, with their tenants and codes or without.
    pub projects: Vec<Adopted<Project>>,
    /// One for each use of the codes, so that the ledger is whole.
    pub redemptions: Vec<Redemption>,
}
