//! Operators: the people who run the portal.

use crate::{Email, Id, OperatorName, Role, Timestamp, id::Kind};

/// An operator: one of those who run the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Operator {
    /// Its identifier.
    pub id: OperatorId,
    /// What it is called.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub name: OperatorName,
    /// What it signs in with, and where its one-time passwords go: as it was given, unique as [`Email::folded`].
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub email: Email,
    /// What it is for, and so what it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An operator's identifier.
pub type OperatorId = Id<Operator>;

impl Kind for Operator {
    const PREFIX: &'static str = "opr";
}

/// A change of an operator; what is `None` stays.
///
/// An operator's address can't change: whoever could move it, could take the account over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorChange {
    /// What it is to be called.
    pub name: Option<OperatorName>,
    /// What it is to be for.
    pub role: Option<Role>,
}
