use sea_orm::{DbBackend, EntityTrait, QueryTrait};
use tenantry_domain::{
    SigningKey, StoreError,
    ports::{SigningKeyReads, SigningKeyWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::signing_keys::{ActiveModel, Entity, Model},
    row::Row,
};

impl<C: Connection> SigningKeyReads for Handle<C> {
    async fn signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        const READ: &str = "SELECT key_id, fingerprint, known_since FROM signing_keys";

        let mut keys = self.list::<Model>(self.sql(READ, [])).await?;
        // Not by the database, whose collation may be anybody's.
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(keys)
    }
}

impl SigningKeyWrites for Handle<OpenTransaction> {
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        // Rows can't be locked that are still to come. Reads go on.
        if self.backend() == DbBackend::Postgres {
            self.write(Model::WHAT, self.sql("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE", [])).await?;
        }
        self.signing_keys().await
    }

    async fn insert_signing_keys(&mut self, keys: &[SigningKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let insert = Entity::insert_many(keys.iter().map(ActiveModel::from));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }
}
