//! Projects: what a tenant makes, and a code activates.

use crate::{ClientName, CodeId, Description, Id, InvalidValue, Priority, Slug, TenantId, Timestamp, Version, id::Kind};

/// A project: what a tenant makes, and a code activates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Project {
    /// Its identifier.
    pub id: ProjectId,
    /// Its short name, unique within its tenant.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub slug: Slug,
    /// Whose it is. `None`: a legacy project from before there were tenants, visible to operators alone.
    pub tenant_id: Option<TenantId>,
    /// The code that activated it.
    pub activation_code_id: Option<CodeId>,
    /// What the tenant says of it.
    pub details: ProjectDetails,
    /// How it stands.
    pub status: ProjectStatus,
    /// When it was activated.
    pub started_at: Option<Timestamp>,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
    /// Who made it, as text for people.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Project {
    /// Its version: another after every change.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version::of(self.updated_at)
    }
}

/// A project's identifier.
pub type ProjectId = Id<Project>;

impl Kind for Project {
    const PREFIX: &'static str = "prj";
}

/// What a tenant says of a project, and may change at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct ProjectDetails {
    /// Whom it is for.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub client_name: ClientName,
    /// What it is about.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub description: Option<Description>,
    /// What it is to reach.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub objectives: Option<Description>,
    /// How pressing it is.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub priority: Option<Priority>,
}

/// A change of what a tenant says of a project: `None` leaves a detail as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Whom it is for.
    pub client_name: Option<ClientName>,
    /// What it is about.
    pub description: Option<Option<Description>>,
    /// What it is to reach.
    pub objectives: Option<Option<Description>>,
    /// How pressing it is.
    pub priority: Option<Option<Priority>>,
}

impl ProjectChange {
    /// The details once the change is made.
    #[must_use]
    pub fn apply(self, to: ProjectDetails) -> ProjectDetails {
        ProjectDetails {
            client_name: self.client_name.unwrap_or(to.client_name),
            description: self.description.unwrap_or(to.description),
            objectives: self.objectives.unwrap_or(to.objectives),
            priority: self.priority.unwrap_or(to.priority),
        }
    }
}

impl From<ProjectDetails> for ProjectChange {
    /// The change that replaces everything.
    fn from(details: ProjectDetails) -> Self {
        Self {
            client_name: Some(details.client_name),
            description: Some(details.description),
            objectives: Some(details.objectives),
            priority: Some(details.priority),
        }
    }
}

impl ProjectDetails {
    /// The names of the details that differ in `other`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let details = [
            ("client_name", self.client_name != other.client_name),
            ("description", self.description != other.description),
            ("objectives", self.objectives != other.objectives),
            ("priority", self.priority != other.priority),
        ];
        details.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Everything a search looks through, in lower case: name, slug, description. Stores keep it beside the project, because
    /// databases fold only ASCII alike.
    #[must_use]
    pub fn search_text(&self, slug: &Slug) -> String {
        let description = self.description.as_ref().map_or("", Description::as_str);
        format!("{}\n{}\n{}", self.client_name.as_str().to_lowercase(), slug, description.to_lowercase())
    }
}

/// How a project stands: pending -> active <-> paused, active -> completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ProjectStatus {
    /// Made, and not activated yet.
    Pending,
    /// Activated by a code; legacy projects are active without one.
    Active,
    /// Resting; it can go on.
    Paused,
    /// Done, for good.
    Completed,
}

impl ProjectStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Paused, Self::Completed];

    /// The status as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_status`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || InvalidValue::new("invalid_status", "must be one of pending, active, paused, completed");
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(unknown)
    }
}

/// A change of status that a tenant asks for; activation is a use case of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// active -> paused.
    Pause,
    /// paused -> active.
    Resume,
    /// active -> completed.
    Complete,
}

impl Transition {
    /// The one status that it starts from.
    #[must_use]
    pub const fn from(self) -> ProjectStatus {
        match self {
            Self::Pause | Self::Complete => ProjectStatus::Active,
            Self::Resume => ProjectStatus::Paused,
        }
    }

    /// The status that it leads to.
    #[must_use]
    pub const fn to(self) -> ProjectStatus {
        match self {
            Self::Pause => ProjectStatus::Paused,
            Self::Resume => ProjectStatus::Active,
            Self::Complete => ProjectStatus::Completed,
        }
    }
}
