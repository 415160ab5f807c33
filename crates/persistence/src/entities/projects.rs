//! Projects live in a table that is older than Tenantry: it is called `llm_project_config`, and a slug is its `project_id`.

use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DbErr, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    FromQueryResult, PrimaryKeyTrait,
};
use tenantry_domain::{
    ClientName, Description, Id, Priority, Project, ProjectDetails, ProjectStatus, Slug, SubscriptionState,
    ports::ProjectStanding,
};
use uuid::Uuid;

use crate::{
    row::{Columns, Corruption, HotRow, InOrder, Row, in_order, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "llm_project_config")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) project_id: String,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) activation_code_id: Option<Uuid>,
    pub(crate) client_name: String,
    pub(crate) description: Option<String>,
    pub(crate) objectives: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) project_status: String,
    pub(crate) started_at: Option<DbTime>,
    pub(crate) completed_at: Option<DbTime>,
    /// What a search looks through, in lower case.
    pub(crate) search_text: String,
    pub(crate) created_by: Option<String>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// All but `search_text`, which doubles a row and is only looked through.
pub(crate) const READ: [Column; 14] = [
    Column::Id,
    Column::ProjectId,
    Column::TenantId,
    Column::ActivationCodeId,
    Column::ClientName,
    Column::Description,
    Column::Objectives,
    Column::Priority,
    Column::ProjectStatus,
    Column::StartedAt,
    Column::CompletedAt,
    Column::CreatedBy,
    Column::CreatedAt,
    Column::UpdatedAt,
];

/// The columns of [`READ`].
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct ProjectRow {
    pub(crate) id: Uuid,
    pub(crate) project_id: String,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) activation_code_id: Option<Uuid>,
    pub(crate) client_name: String,
    pub(crate) description: Option<String>,
    pub(crate) objectives: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) project_status: String,
    pub(crate) started_at: Option<DbTime>,
    pub(crate) completed_at: Option<DbTime>,
    pub(crate) created_by: Option<String>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

// As in [`READ`].
in_order!(ProjectRow:
    id, project_id, tenant_id, activation_code_id, client_name, description, objectives, priority, project_status, started_at, completed_at,
    created_by, created_at, updated_at
);

impl HotRow for ProjectRow {
    fn read(row: &impl Columns) -> Result<Self, DbErr> {
        Self::in_order(&mut InOrder::of(row))
    }
}

/// A project, its tenant and its tenant's subscription.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct StandingRow {
    #[sea_orm(nested)]
    project: ProjectRow,
    tenant_slug: String,
    suspended_at: Option<DbTime>,
    state: String,
}

impl From<&Project> for ActiveModel {
    fn from(project: &Project) -> Self {
        let details = &project.details;
        Self {
            id: Set(project.id.uuid()),
            project_id: Set(project.slug.as_str().to_owned()),
            tenant_id: Set(project.tenant_id.map(Id::uuid)),
            activation_code_id: Set(project.activation_code_id.map(Id::uuid)),
            client_name: Set(details.client_name.as_str().to_owned()),
            description: Set(details.description.as_ref().map(|text| text.as_str().to_owned())),
            objectives: Set(details.objectives.as_ref().map(|text| text.as_str().to_owned())),
            priority: Set(details.priority.as_ref().map(|text| text.as_str().to_owned())),
            project_status: Set(project.status.as_str().to_owned()),
            started_at: Set(project.started_at.map(Into::into)),
            completed_at: Set(project.completed_at.map(Into::into)),
            search_text: Set(details.search_text(&project.slug).to_lowercase()),
            created_by: Set(project.created_by.clone()),
            created_at: Set(project.created_at.into()),
            updated_at: Set(project.updated_at.into()),
        }
    }
}

impl Row for ProjectRow {
    type Value = Project;
    const WHAT: &'static str = "project";

    fn into_value(self) -> Result<Project, Corruption> {
        Ok(Project {
            id: Id::from_uuid(self.id),
            slug: Slug::from_stored(self.project_id),
            tenant_id: self.tenant_id.map(Id::from_uuid),
            activation_code_id: self.activation_code_id.map(Id::from_uuid),
            details: ProjectDetails {
                client_name: ClientName::from_stored(self.client_name),
                description: self.description.map(Description::from_stored),
                objectives: self.objectives.map(Description::from_stored),
                priority: self.priority.map(Priority::from_stored),
            },
            status: ProjectStatus::parse(&self.project_status)?,
            started_at: moment(self.started_at),
            completed_at: moment(self.completed_at),
            created_by: self.created_by,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

impl Row for StandingRow {
    type Value = ProjectStanding;
    const WHAT: &'static str = ProjectRow::WHAT;

    fn into_value(self) -> Result<ProjectStanding, Corruption> {
        Ok(ProjectStanding {
            project: self.project.into_value()?,
            tenant_slug: Slug::from_stored(self.tenant_slug),
            suspended_at: moment(self.suspended_at),
            subscription: SubscriptionState::parse(&self.state)?,
        })
    }
}
