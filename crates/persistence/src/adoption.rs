use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QueryTrait};
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

/// Rows that are read at once: there may be as many as codes.
const PAGE: usize = 10_000;

/// Rows of one statement, so that its values are within what both databases take.
const ROWS: usize = 500;

impl<C: Connection> AdoptionReads for Handle<C> {
    async fn adopted_rows(&mut self, source: &str, kind: AdoptedKind) -> Result<Vec<(String, Uuid)>, StoreError> {
        let mut rows: Vec<(String, Uuid)> = Vec::new();
        loop {
            let query = Entity::find().filter(Column::Source.eq(source)).filter(Column::Kind.eq(kind.as_str()));
            let behind = rows.last().map(|(old_key, _)| Column::OldKey.gt(old_key.as_str()));
            let mut page = query
                .filter(behind.into_iter().fold(Condition::all(), Condition::add))
                .order_by_asc(Column::OldKey)
                .build(self.backend());
            page.sql.push_str(&format!(" LIMIT {PAGE}"));
            let page = self.list::<Model>(page).await?;
            let ended = page.len() < PAGE;
            rows.extend(page);
            if ended {
                return Ok(rows);
            }
        }
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
