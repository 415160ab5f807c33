use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, Iterable, QueryFilter, QueryTrait,
    sea_query::{Expr, OnConflict},
};
use tenantry_domain::{
    Email, Operator, OperatorId, OperatorName, Page, PageRequest, Role, StoreError, Timestamp,
    ports::{OperatorReads, OperatorWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::operators::{ActiveModel, Column, Entity, Model},
    handle::returning,
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> OperatorReads for Handle<C> {
    async fn operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn operator_by_email(&mut self, email: &Email) -> Result<Option<Operator>, StoreError> {
        self.find::<Model>(Entity::find().filter(Column::EmailFolded.eq(email.folded())).build(self.backend())).await
    }

    async fn operators_page(&mut self, page: PageRequest<Operator>) -> Result<Page<Operator>, StoreError> {
        self.page::<_, Model, _>(Entity::find(), Column::Id, page).await
    }

    async fn has_operators(&mut self) -> Result<bool, StoreError> {
        Ok(self.returned_id(Model::WHAT, self.sql("SELECT id FROM operators LIMIT 1", [])).await?.is_some())
    }
}

impl OperatorWrites for Handle<OpenTransaction> {
    async fn lock_operators(&mut self) -> Result<(), StoreError> {
        // Rows alone can't be locked where the first is still to come. Reads, and the locks of a sign-in, go on.
        if self.backend() == DbBackend::Postgres {
            self.write(Model::WHAT, self.sql("LOCK TABLE operators IN SHARE ROW EXCLUSIVE MODE", [])).await?;
        }
        Ok(())
    }

    async fn lock_operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        const READ: &str = "SELECT id, name, email, email_folded, role, created_at, updated_at FROM operators WHERE id = $1";

        self.find::<Model>(self.locking_sql(READ, "FOR NO KEY UPDATE", [id.uuid().into()])).await
    }

    async fn insert_operator(&mut self, operator: &Operator) -> Result<bool, StoreError> {
        let unless_taken = OnConflict::column(Column::EmailFolded).do_nothing().to_owned();
        let insert = Entity::insert(ActiveModel::from(operator)).on_conflict(unless_taken);
        self.wrote(Model::WHAT, insert.build(self.backend())).await
    }

    async fn change_operator(
        &mut self,
        id: OperatorId,
        name: &OperatorName,
        role: Role,
        now: Timestamp,
    ) -> Result<Option<Operator>, StoreError> {
        let mut update = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name.as_str()))
            .col_expr(Column::Role, Expr::value(role.as_str()))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(id.uuid()));
        if role != Role::Owner {
            update = update.filter(not_the_last_owner(id));
        }
        self.find::<Model>(returning(update, Column::iter()).build(self.backend())).await
    }

    async fn delete_operator(&mut self, id: OperatorId) -> Result<bool, StoreError> {
        let delete = Entity::delete_by_id(id.uuid()).filter(not_the_last_owner(id));
        self.wrote(Model::WHAT, delete.build(self.backend())).await
    }
}

/// That an operator is no owner, or there is another one. It decides races where the operators are locked.
fn not_the_last_owner(id: OperatorId) -> Condition {
    let owner = Role::Owner.as_str();
    let others = Entity::find().filter(Column::Role.eq(owner)).filter(Column::Id.ne(id.uuid()));
    Condition::any().add(Column::Role.ne(owner)).add(Expr::exists(others.into_query()))
}
