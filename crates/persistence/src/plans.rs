use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait, QueryTrait, sea_query::OnConflict};
use tenantry_domain::{
    Page, PageRequest, Plan, PlanId, StoreError,
    ports::{PlanReads, PlanWrites},
};

use crate::{
    Handle,
    entities::plans::{ActiveModel, Column, Entity, Model},
    row::Row,
};

impl<C: ConnectionTrait + Send> PlanReads for Handle<C> {
    async fn plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn plans_page(&mut self, page: PageRequest<Plan>) -> Result<Page<Plan>, StoreError> {
        self.page::<_, Model, _>(Entity::find(), Column::Id, page).await
    }
}

impl PlanWrites for Handle<DatabaseTransaction> {
    async fn insert_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let unless_taken = OnConflict::column(Column::Name).do_nothing().to_owned();
        let insert = Entity::insert(ActiveModel::from(plan)).on_conflict(unless_taken);
        self.wrote(Model::WHAT, insert.build(self.backend())).await
    }
}
