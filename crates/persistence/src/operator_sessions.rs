use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryResult, QueryTrait, UpdateMany, sea_query::Expr};
use tenantry_domain::{
    Operator, OperatorId, OperatorSession, OperatorSessionId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{OperatorSessionReads, OperatorSessionWrites, SessionTouch},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        operator_sessions::{ActiveModel, Column, Entity, Model},
        operators,
    },
    handle::places,
    row::{Corruption, Row},
    timestamp::DbTime,
};

/// A session and its operator, whose columns start with `o_`: the one query that every request of an operator makes.
const SESSION_AND_OPERATOR: &str = "
    SELECT s.id, s.operator_id, s.token_digest, s.last_activity, s.expires_at, s.client_ip, s.user_agent, s.revoked_at,
        s.created_at, s.updated_at,
        o.id AS o_id, o.name AS o_name, o.email AS o_email, o.email_folded AS o_email_folded, o.role AS o_role,
        o.created_at AS o_created_at, o.updated_at AS o_updated_at
    FROM operator_sessions s JOIN operators o ON o.id = s.operator_id
    WHERE s.token_digest IN ";

struct SessionAndOperator(Model, operators::Model);

impl FromQueryResult for SessionAndOperator {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self(Model::from_query_result(row, "")?, operators::Model::from_query_result(row, "o_")?))
    }
}

impl Row for SessionAndOperator {
    type Value = (OperatorSession, Operator);
    const WHAT: &'static str = "operator session";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok((self.0.into_value()?, self.1.into_value()?))
    }
}

impl<C: Connection> OperatorSessionReads for Handle<C> {
    async fn operator_session_by_digests(
        &mut self,
        digests: &[TokenDigest],
    ) -> Result<Option<(OperatorSession, Operator)>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let query = format!("{SESSION_AND_OPERATOR} ({})", places(digests.len()));
        let values = digests.iter().map(|digest| digest.as_bytes().to_vec().into());
        self.find::<SessionAndOperator>(self.sql(&query, values)).await
    }

    async fn live_operator_sessions_page(
        &mut self,
        operator: OperatorId,
        now: Timestamp,
        page: PageRequest<OperatorSession>,
    ) -> Result<Page<OperatorSession>, StoreError> {
        let query = Entity::find()
            .filter(Column::OperatorId.eq(operator.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(DbTime::from(now)));
        self.page::<_, Model, _>(query, Column::Id, page).await
    }
}

impl OperatorSessionWrites for Handle<OpenTransaction> {
    async fn insert_operator_session(&mut self, session: &OperatorSession) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(session));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn touch_operator_session(&mut self, id: OperatorSessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let update = update_live(touch.now)
            .col_expr(Column::LastActivity, Expr::value(DbTime::from(touch.now)))
            .col_expr(Column::ExpiresAt, Expr::value(DbTime::from(touch.expires_at)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::LastActivity.lte(DbTime::from(touch.unless_active_since)))
            .apply_if(touch.rekeyed, |update, digest| {
                update.col_expr(Column::TokenDigest, Expr::value(digest.as_bytes().to_vec()))
            });
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn revoke_operator_session(
        &mut self,
        operator: OperatorId,
        id: OperatorSessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = revoke_live(operator, now).filter(Column::Id.eq(id.uuid()));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn revoke_operator_sessions(&mut self, operator: OperatorId, now: Timestamp) -> Result<u64, StoreError> {
        self.write(Model::WHAT, revoke_live(operator, now).build(self.backend())).await
    }
}

fn update_live(now: Timestamp) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(DbTime::from(now)))
}

fn revoke_live(operator: OperatorId, now: Timestamp) -> UpdateMany<Entity> {
    update_live(now).col_expr(Column::RevokedAt, Expr::value(DbTime::from(now))).filter(Column::OperatorId.eq(operator.uuid()))
}
