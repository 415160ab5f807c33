use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, ExprTrait, QueryFilter, QuerySelect, QueryTrait, UpdateMany, sea_query::Expr,
};
use tenantry_domain::{
    Code, CodeDigest, CodeId, Id, NewCode, NewCodeText, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{CodeFilter, CodeIssue, CodeReads, CodeWrites, UsedText},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::codes::{Column, Entity, Model},
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> CodeReads for Handle<C> {
    async fn code(&mut self, tenant: TenantId, id: CodeId) -> Result<Option<Code>, StoreError> {
        let query = Entity::find_by_id(id.uuid()).filter(Column::TenantId.eq(tenant.uuid()));
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn code_by_digests(&mut self, digests: &[CodeDigest]) -> Result<Option<Code>, StoreError> {
        let query = Entity::find().filter(Column::CodeDigest.is_in(digests.iter().map(|digest| digest.as_bytes().to_vec())));
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn known_digests(&mut self, digests: &[CodeDigest]) -> Result<Vec<CodeDigest>, StoreError> {
        let query = Entity::find().select_only().column(Column::CodeDigest);
        let query = query.filter(Column::CodeDigest.is_in(digests.iter().map(|digest| digest.as_bytes().to_vec())));
        self.list::<KnownDigest>(query.build(self.backend())).await
    }

    async fn codes_page(
        &mut self,
        tenant: TenantId,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        self.code_list(Some(tenant), filter, now, page).await
    }

    async fn code_of_anyone(&mut self, id: CodeId) -> Result<Option<Code>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn codes_of_anyone_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        self.code_list(tenant, filter, now, page).await
    }

    async fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        self.tallied_codes(tenant.uuid(), "tenant_id = $1 AND ", now).await
    }
}

/// Counts by status at the moment `$2` of the codes that a condition holds for.
pub(crate) fn by_status(condition: &str) -> String {
    format!(
        "SELECT status, count(*) AS codes FROM (
            SELECT CASE
                WHEN revoked_at IS NOT NULL THEN 0
                WHEN expires_at <= $2 THEN 1
                WHEN use_count >= max_uses THEN 2
                ELSE 3
            END AS status
            FROM activation_codes WHERE {condition}
        ) AS codes GROUP BY status"
    )
}

/// [`by_status`]'s rows, in the order of [`CodeStatus::ALL`].
pub(crate) fn counted(rows: Vec<(usize, u64)>) -> [u64; 4] {
    let mut counts = [0; 4];
    for (status, codes) in rows {
        if let Some(count) = counts.get_mut(status) {
            *count = codes;
        }
    }
    counts
}

/// How many codes have a status, by its place in [`CodeStatus::ALL`].
#[derive(sea_orm::FromQueryResult)]
pub(crate) struct StatusCount {
    status: i32,
    codes: i64,
}

/// A digest that a code has.
#[derive(sea_orm::FromQueryResult)]
struct KnownDigest {
    code_digest: Vec<u8>,
}

impl Row for KnownDigest {
    type Value = CodeDigest;
    const WHAT: &'static str = "code";

    fn into_value(self) -> Result<CodeDigest, crate::row::Corruption> {
        crate::row::digest(&self.code_digest).map(CodeDigest::from_bytes)
    }
}

impl Row for StatusCount {
    type Value = (usize, u64);
    const WHAT: &'static str = "count of codes";

    fn into_value(self) -> Result<Self::Value, crate::row::Corruption> {
        Ok((self.status.try_into()?, self.codes.try_into()?))
    }
}

impl CodeWrites for Handle<OpenTransaction> {
    async fn insert_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> Result<(), StoreError> {
        self.insert_many_codes(issue, codes).await
    }

    async fn consume_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        text: Option<&UsedText>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = update(tenant, id, now)
            .col_expr(Column::UseCount, Expr::col(Column::UseCount).add(1))
            .col_expr(Column::UsedAt, Expr::value(DbTime::from(now)))
            .filter(is_active(now));
        let update = update
            .apply_if(text, |update, text| {
                update.filter(Column::CodeDigest.is_in(text.candidates.iter().map(|digest| digest.as_bytes().to_vec())))
            })
            .apply_if(text.and_then(|text| text.rekeyed.as_ref()), |update, signing| {
                update
                    .col_expr(Column::CodeDigest, Expr::value(signing.digest.as_bytes().to_vec()))
                    .col_expr(Column::KeyId, Expr::value(signing.key_id.as_str()))
            });
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn consume_next_code(&mut self, tenant: TenantId, now: Timestamp) -> Result<Option<CodeId>, StoreError> {
        loop {
            let free = self.consume_free(tenant, now).await?;
            if free.is_some() || !self.has_available_code(tenant, now).await? {
                return Ok(free);
            }
            // All that are left are held by others, whose transactions may leave uses over. Their locks can't be waited for: passing over
            // what was used a moment ago has left locks on it, in an order of its own, and two who wait so may wait for each other.
            let pause = self.sql("SELECT pg_sleep(0.005)", []);
            self.write(Model::WHAT, pause).await?;
        }
    }

    async fn revoke_code(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let update = update(tenant, id, now)
            .col_expr(Column::RevokedAt, Expr::value(DbTime::from(now)))
            .filter(Column::RevokedAt.is_null());
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn reissue_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: CodeDigest,
        text: &NewCodeText,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = update(tenant, id, now)
            .col_expr(Column::CodeDigest, Expr::value(text.digest.as_bytes().to_vec()))
            .col_expr(Column::KeyId, Expr::value(text.key_id.as_str()))
            .col_expr(Column::Hint, Expr::value(text.hint.as_str()))
            .filter(Column::CodeDigest.eq(from.as_bytes().to_vec()))
            .filter(is_active(now));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn move_code_expiry(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let unmoved = match from {
            Some(from) => Column::ExpiresAt.eq(DbTime::from(from)),
            None => Column::ExpiresAt.is_null(),
        };
        let update = update(tenant, id, now)
            .col_expr(Column::ExpiresAt, Expr::value(to.map(DbTime::from)))
            .filter(unmoved)
            .filter(Column::RevokedAt.is_null());
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn give_back_use(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let update =
            update(tenant, id, now).col_expr(Column::UseCount, Expr::col(Column::UseCount).sub(1)).filter(Column::UseCount.gt(0));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }
}

impl Handle<OpenTransaction> {
    /// Takes a use of the first available code that nobody holds.
    async fn consume_free(&mut self, tenant: TenantId, now: Timestamp) -> Result<Option<CodeId>, StoreError> {
        let lock = if self.backend() == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        // Two look-ups rather than one with `NULLS LAST`: each starts at the right place of the index, behind all expired
        // codes. Ordering the second one by nothing but nulls is what leads PostgreSQL to that index.
        let consume = format!(
            "UPDATE activation_codes SET use_count = use_count + 1, used_at = $2, updated_at = $2
            WHERE id = COALESCE(
                (SELECT id FROM activation_codes
                WHERE tenant_id = $1 AND revoked_at IS NULL AND use_count < max_uses AND expires_at > $2
                ORDER BY expires_at, id LIMIT 1 {lock}),
                (SELECT id FROM activation_codes
                WHERE tenant_id = $1 AND revoked_at IS NULL AND use_count < max_uses AND expires_at IS NULL
                ORDER BY expires_at, id LIMIT 1 {lock})
            ) AND tenant_id = $1 AND revoked_at IS NULL AND use_count < max_uses AND (expires_at IS NULL OR expires_at > $2)
            RETURNING id"
        );
        let consume = self.sql(&consume, [tenant.uuid().into(), DbTime::from(now).into()]);
        Ok(self.returned_id(Model::WHAT, consume).await?.map(Id::from_uuid))
    }

    /// Whether a tenant has a code that can be used, held or not.
    async fn has_available_code(&mut self, tenant: TenantId, now: Timestamp) -> Result<bool, StoreError> {
        let query = Entity::find().select_only().column(Column::Id).filter(Column::TenantId.eq(tenant.uuid()));
        let mut query = query.filter(is_active(now)).build(self.backend());
        query.sql.push_str(" LIMIT 1");
        Ok(self.returned_id(Model::WHAT, query).await?.is_some())
    }
}

/// A change of a tenant's code.
fn update(tenant: TenantId, id: CodeId, now: Timestamp) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::TenantId.eq(tenant.uuid()))
}

/// [`CodeStatus::Active`](tenantry_domain::CodeStatus::Active) as a condition.
fn is_active(now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::RevokedAt.is_null())
        .add(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(DbTime::from(now))))
        .add(Expr::col(Column::UseCount).lt(Expr::col(Column::MaxUses)))
}
