use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, Iterable, QueryFilter, QueryTrait, sea_query::Expr};
use tenantry_domain::{
    ChallengeId, OtpAccount, OtpBudget, OtpChallenge, OtpPurpose, OtpStrength, StoreError, Timestamp,
    ports::{OperatorWrites, OtpReads, OtpWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::otp_challenges::{ActiveModel, Column, Entity, Model},
    handle::returning,
    row::{self, Row},
    tenants::lock_tenant_row,
    timestamp::DbTime,
};

const FAILURES: &str = "count of failed tries";

impl<C: Connection> OtpReads for Handle<C> {
    async fn otp_failures(&mut self, account: OtpAccount, since: Timestamp) -> Result<u32, StoreError> {
        let (column, id) = match account {
            OtpAccount::Tenant(id) => ("tenant_id", id.uuid()),
            OtpAccount::Operator(id) => ("operator_id", id.uuid()),
        };
        let count = format!(
            "SELECT CAST(COALESCE(SUM(attempts - CASE WHEN consumed_at IS NULL OR attempts = 0 THEN 0 ELSE 1 END), 0) AS bigint)
            FROM otp_challenges WHERE {column} = $1 AND created_at >= $2 AND attempts > 0 AND strength = 'six_digits'"
        );
        let count = self.sql(&count, [id.into(), DbTime::from(since).into()]);
        let counted = self.value::<i64>(FAILURES, count).await?;
        row::count(counted.unwrap_or(0)).map_err(|source| StoreError::Corrupt { what: FAILURES, source })
    }
}

impl OtpWrites for Handle<OpenTransaction> {
    async fn insert_challenge(&mut self, challenge: &OtpChallenge) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(challenge));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn claim_otp_attempt(
        &mut self,
        id: ChallengeId,
        purpose: OtpPurpose,
        budget: OtpBudget,
        now: Timestamp,
    ) -> Result<Option<OtpChallenge>, StoreError> {
        let open = Entity::find_by_id(id.uuid()).filter(Column::Purpose.eq(purpose.as_str()));
        let Some(challenge) = self.find::<Model>(open.build(self.backend())).await? else { return Ok(None) };
        if let (Some(account), OtpStrength::SixDigits) = (challenge.account, challenge.strength) {
            // No single statement bounds a sum over several rows: claims of one account take turns.
            match account {
                OtpAccount::Tenant(tenant) => lock_tenant_row(self, tenant).await?,
                OtpAccount::Operator(operator) => drop(self.lock_operator(operator).await?),
            }
            if self.otp_failures(account, now - budget.window).await? >= budget.failures {
                return Ok(None);
            }
        }
        let claim = Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::ConsumedAt.is_null())
            .filter(Column::ExpiresAt.gt(DbTime::from(now)))
            .filter(Column::Attempts.lt(i64::from(budget.attempts)));
        self.find::<Model>(returning(claim, Column::iter()).build(self.backend())).await
    }

    async fn end_challenges(&mut self, account: OtpAccount, now: Timestamp) -> Result<u64, StoreError> {
        let its_own = match account {
            OtpAccount::Tenant(id) => Column::TenantId.eq(id.uuid()),
            OtpAccount::Operator(id) => Column::OperatorId.eq(id.uuid()),
        };
        // Its own first moment, not `now`: whoever began before looks with an earlier clock.
        let end = Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::col(Column::CreatedAt))
            .filter(its_own)
            .filter(Column::ConsumedAt.is_null())
            .filter(Column::ExpiresAt.gt(DbTime::from(now)));
        self.write(Model::WHAT, end.build(self.backend())).await
    }

    async fn consume_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<bool, StoreError> {
        let moment = DbTime::from(now);
        let update = Entity::update_many()
            .col_expr(Column::ConsumedAt, Expr::value(moment))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::ConsumedAt.is_null())
            .filter(Column::ExpiresAt.gt(moment));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }
}
