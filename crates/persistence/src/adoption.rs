use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait};
use tenantry_domain::{
    AdoptedKind, AdoptedRow, Code, StoreError,
    ports::{AdoptionReads, AdoptionWrites},
};
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        adopted_rows::{ActiveModel, Column, Entity, Model},
        codes,
    },
    row::Row,
};

/// Rows of one statement, so that its values are within what both databases take.
const ROWS: usize = 500;

impl<C: Connection> AdoptionReads for Handle<C> {
    async fn adopted_rows(&mut self, source: &str, kind: AdoptedKind) -> Result<Vec<(String, Uuid)>, StoreError> {
        let query = Entity::find().filter(Column::Source.eq(source)).filter(Column::Kind.eq(kind.as_str()));
        self.list::<Model>(query.build(self.backend())).await
    }
}

impl AdoptionWrites for Handle<OpenTransaction> {
    async fn insert_adopted_rows(&mut self, rows: &[AdoptedRow]) -> Result<(), StoreError> {
        for rows in rows.chunks(ROWS) {
            let insert = Entity::insert_many(rows.iter().map(ActiveModel::from));
            self.write(Model::WHAT, insert.build(self.backend())).await?;
        }
        Ok(())
    }

    async fn insert_adopted_codes(&mut self, codes: &[Code]) -> Result<(), StoreError> {
        for codes in codes.chunks(ROWS) {
            let insert = codes::Entity::insert_many(codes.iter().map(codes::ActiveModel::from));
            self.write(codes::Model::WHAT, insert.build(self.backend())).await?;
        }
        Ok(())
    }
}
