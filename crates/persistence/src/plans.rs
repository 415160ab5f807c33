use sea_orm::{
    ColumnTrait, EntityTrait, Iterable, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, LockType, OnConflict},
};
use tenantry_domain::{
    Page, PageRequest, Plan, PlanId, StoreError,
    ports::{PlanFilter, PlanReads, PlanWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::plans::{ActiveModel, Column, Entity, Model, search_text},
    error::{is_foreign_key_violation, is_unique_violation},
    handle::returning,
    row::Row,
    search,
    timestamp::DbTime,
};

impl<C: Connection> PlanReads for Handle<C> {
    async fn plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn plans_page(&mut self, filter: &PlanFilter, page: PageRequest<Plan>) -> Result<Page<Plan>, StoreError> {
        let mut query = Entity::find();
        match filter.archived {
            Some(true) => query = query.filter(Column::ArchivedAt.is_not_null()),
            Some(false) => query = query.filter(Column::ArchivedAt.is_null()),
            None => {}
        }
        if let Some(search) = &filter.search {
            let Some(pattern) = search::containing(search) else { return Ok(Page::of_nothing(page)) };
            query = query.filter(Column::SearchText.like(pattern));
        }
        self.page::<_, Model, _>(query, Column::Id, page).await
    }
}

impl PlanWrites for Handle<OpenTransaction> {
    async fn insert_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let unless_taken = OnConflict::column(Column::Name).do_nothing().to_owned();
        let insert = Entity::insert(ActiveModel::from(plan)).on_conflict(unless_taken);
        self.wrote(Model::WHAT, insert.build(self.backend())).await
    }

    // Locks are left out for SQLite, where a transaction that writes is alone.
    async fn hold_plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).lock(LockType::Share).build(self.backend())).await
    }

    async fn lock_plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate).build(self.backend())).await
    }

    async fn change_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::Name, Expr::value(plan.name.as_str()))
            .col_expr(Column::SearchText, Expr::value(search_text(&plan.name)))
            .col_expr(Column::MonthlyRunQuota, Expr::value(i64::from(plan.monthly_run_quota.get())))
            .col_expr(Column::ArchivedAt, Expr::value(plan.archived_at.map(DbTime::from)))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(plan.updated_at)))
            .filter(Column::Id.eq(plan.id.uuid()));
        let update = returning(update, Column::iter()).build(self.backend());
        Ok(self.find_unless_refused::<Model>(update, is_unique_violation).await?.is_some())
    }

    async fn delete_plan(&mut self, id: PlanId) -> Result<bool, StoreError> {
        // The database decides: a subscription keeps its plan from being deleted (ON DELETE RESTRICT).
        let delete = self.sql(DELETE, [id.uuid().into()]);
        Ok(self.find_unless_refused::<Model>(delete, is_foreign_key_violation).await?.is_some())
    }
}

const DELETE: &str = "DELETE FROM plans WHERE id = $1 RETURNING *";
