use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryTrait, UpdateMany, sea_query::Expr};
use tenantry_domain::{
    ApiKey, ApiKeyId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{ApiKeyReads, ApiKeyWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::api_keys::{ActiveModel, Column, Entity, Model},
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> ApiKeyReads for Handle<C> {
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn api_key_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<ApiKey>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let digests = digests.iter().map(|digest| digest.as_bytes().to_vec());
        self.find::<Model>(Entity::find().filter(Column::TokenDigest.is_in(digests)).build(self.backend())).await
    }

    async fn api_keys_page(&mut self, page: PageRequest<ApiKey>) -> Result<Page<ApiKey>, StoreError> {
        self.page::<_, Model, _>(Entity::find(), Column::Id, page).await
    }
}

impl ApiKeyWrites for Handle<OpenTransaction> {
    async fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(key));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn touch_api_key(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_used_since: Timestamp,
        rekeyed: Option<TokenDigest>,
    ) -> Result<bool, StoreError> {
        let unused = Column::LastUsedAt.is_null().or(Column::LastUsedAt.lte(DbTime::from(unless_used_since)));
        let live = Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(DbTime::from(now)));
        let touch = update(id, now, Column::LastUsedAt).filter(unused).filter(live).filter(Column::RevokedAt.is_null());
        let touch =
            touch.apply_if(rekeyed, |touch, digest| touch.col_expr(Column::TokenDigest, Expr::value(digest.as_bytes().to_vec())));
        self.wrote(Model::WHAT, touch.build(self.backend())).await
    }

    async fn claim_api_key_audit(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_claimed_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let unclaimed = Column::UseAuditedAt.is_null().or(Column::UseAuditedAt.lte(DbTime::from(unless_claimed_since)));
        let claim = update(id, now, Column::UseAuditedAt).filter(unclaimed);
        self.wrote(Model::WHAT, claim.build(self.backend())).await
    }

    async fn revoke_api_key(&mut self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = update(id, now, Column::RevokedAt).filter(Column::RevokedAt.is_null());
        self.wrote(Model::WHAT, revoke.build(self.backend())).await
    }
}

/// Writes one of a key's moments.
fn update(id: ApiKeyId, now: Timestamp, moment: Column) -> UpdateMany<Entity> {
    let now = DbTime::from(now);
    Entity::update_many()
        .col_expr(moment, Expr::value(now))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id.uuid()))
}
