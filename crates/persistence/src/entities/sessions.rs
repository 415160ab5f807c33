use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait,
    EnumIter, Iterable, PrimaryKeyTrait, Value,
};
use tenantry_domain::{Id, Session, TokenDigest};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, digest, in_order, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) token_digest: Vec<u8>,
    pub(crate) last_activity: DbTime,
    pub(crate) expires_at: DbTime,
    pub(crate) client_ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) revoked_at: Option<DbTime>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

in_order!(Model:
    id, tenant_id, token_digest, last_activity, expires_at, client_ip, user_agent, revoked_at, created_at, updated_at
);

impl From<&Session> for ActiveModel {
    fn from(session: &Session) -> Self {
        Self {
            id: Set(session.id.uuid()),
            tenant_id: Set(session.tenant_id.uuid()),
            token_digest: Set(session.token_digest.as_bytes().to_vec()),
            last_activity: Set(session.last_activity.into()),
            expires_at: Set(session.expires_at.into()),
            client_ip: Set(session.client_ip.map(|address| address.to_string())),
            user_agent: Set(session.user_agent.clone()),
            revoked_at: Set(session.revoked_at.map(Into::into)),
            created_at: Set(session.created_at.into()),
            updated_at: Set(session.created_at.into()),
        }
    }
}

/// The session's values, in the order of the columns.
pub(crate) fn values(session: &Session) -> impl Iterator<Item = Value> {
    let row = ActiveModel::from(session);
    Column::iter().filter_map(move |column| row.get(column).into_value())
}

impl Row for Model {
    type Value = Session;
    const WHAT: &'static str = "session";

    fn into_value(self) -> Result<Session, Corruption> {
        Ok(Session {
            id: Id::from_uuid(self.id),
            tenant_id: Id::from_uuid(self.tenant_id),
            token_digest: TokenDigest::from_bytes(digest(&self.token_digest)?),
            last_activity: self.last_activity.into(),
            expires_at: self.expires_at.into(),
            client_ip: self.client_ip.map(|address| address.parse()).transpose()?,
            user_agent: self.user_agent,
            revoked_at: moment(self.revoked_at),
            created_at: self.created_at.into(),
        })
    }
}
