use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Statement, Value};
use tenantry_domain::{
    BootstrapLink, StoreError, Timestamp, TokenDigest,
    ports::{BootstrapReads, BootstrapWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::bootstrap_links::{ActiveModel, Column, Entity, Model},
    handle::places,
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> Handle<C> {
    /// `before`, then which links are open, then `after`.
    fn of_open_links(&self, before: &str, digests: &[TokenDigest], now: Timestamp, after: &str) -> Statement {
        let (places, now_at) = (places(digests.len()), digests.len() + 1);
        let text = format!(
            "{before} FROM bootstrap_links WHERE token_digest IN ({places}) AND expires_at > ${now_at}
                AND (purpose = 'recovery' OR NOT EXISTS (SELECT 1 FROM operators)) {after}"
        );
        let digests = digests.iter().map(|digest| Value::from(digest.as_bytes().to_vec()));
        self.sql(&text, digests.chain([DbTime::from(now).into()]))
    }
}

impl<C: Connection> BootstrapReads for Handle<C> {
    async fn open_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let select = self.of_open_links("SELECT token_digest, purpose, expires_at, created_at", digests, now, "");
        self.find::<Model>(select).await
    }
}

impl BootstrapWrites for Handle<OpenTransaction> {
    async fn insert_bootstrap_link(&mut self, link: &BootstrapLink) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(link));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn consume_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let delete = self.of_open_links("DELETE", digests, now, "RETURNING token_digest, purpose, expires_at, created_at");
        self.find::<Model>(delete).await
    }

    async fn delete_expired_bootstrap_links(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = Entity::delete_many().filter(Column::ExpiresAt.lte(DbTime::from(now)));
        self.write(Model::WHAT, expired.build(self.backend())).await
    }
}
