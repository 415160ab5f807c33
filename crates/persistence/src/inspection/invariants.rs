//! What must hold of all rows together, and the queries that find what breaks it.

use sea_orm::{DbBackend, FromQueryResult};
use tenantry_domain::{CalendarDay, StoreError, Timestamp};
use uuid::Uuid;

use super::Inspection;
use crate::row::{Corruption, Row};

/// Something that must hold of all rows together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// A code has as many uses as live redemptions.
    UsesEqualRedemptions,
    /// A code has no more uses than it may have.
    UsesWithinBounds,
    /// A project has one live redemption at the most.
    OneLiveRedemption,
    /// A project that a code activated has a live redemption of that code; a pending one has none.
    ActiveProjectsRedeemed,
    /// A project, its code and its redemptions are one tenant's.
    LinksWithinTenants,
    /// A month has as many activations as live redemptions.
    MonthsEqualLedger,
    /// The tally of codes by day equals a recount.
    CodesTallied,
    /// The tally of codes by moment equals a recount.
    ExpiriesTallied,
    /// The tally of use by day equals a recount.
    UsageTallied,
    /// The tally of projects by status equals a recount.
    ProjectsTallied,
    /// The tally of tenants by day equals a recount.
    TenantsTallied,
}

impl Invariant {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::UsesEqualRedemptions,
        Self::UsesWithinBounds,
        Self::OneLiveRedemption,
        Self::ActiveProjectsRedeemed,
        Self::LinksWithinTenants,
        Self::MonthsEqualLedger,
        Self::CodesTallied,
        Self::ExpiriesTallied,
        Self::UsageTallied,
        Self::ProjectsTallied,
        Self::TenantsTallied,
    ];

    /// Queries what breaks it: `kind`, the prefix of an identifier, and `id`, or what else names it as `place`, or `day`. `{day of ..}`
    /// is a moment's day, `{year of ..}` and `{month of ..}` its month.
    const fn broken(self) -> &'static str {
        match self {
            Self::UsesEqualRedemptions => {
                "SELECT 'code' AS kind, c.id, '' AS place, NULL AS day
                FROM activation_codes c LEFT JOIN (
                    SELECT activation_code_id, count(*) AS uses FROM redemptions
                    WHERE returned_at IS NULL AND activation_code_id IS NOT NULL GROUP BY activation_code_id
                ) r ON r.activation_code_id = c.id
                WHERE c.use_count <> coalesce(r.uses, 0)"
            }
            Self::UsesWithinBounds => {
                "SELECT 'code' AS kind, id, '' AS place, NULL AS day FROM activation_codes WHERE use_count < 0 OR use_count > max_uses"
            }
            Self::OneLiveRedemption => {
                "SELECT 'prj' AS kind, project_id AS id, '' AS place, NULL AS day FROM redemptions
                WHERE returned_at IS NULL AND project_id IS NOT NULL GROUP BY project_id HAVING count(*) > 1"
            }
            Self::ActiveProjectsRedeemed => {
                "SELECT 'prj' AS kind, p.id, '' AS place, NULL AS day FROM llm_project_config p
                WHERE (p.project_status <> 'pending' AND p.activation_code_id IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM redemptions r
                    WHERE r.project_id = p.id AND r.activation_code_id = p.activation_code_id AND r.returned_at IS NULL
                )) OR (p.project_status = 'pending' AND EXISTS (
                    SELECT 1 FROM redemptions r WHERE r.project_id = p.id AND r.returned_at IS NULL
                ))"
            }
            Self::LinksWithinTenants => {
                "SELECT 'prj' AS kind, p.id, '' AS place, NULL AS day
                FROM llm_project_config p JOIN activation_codes c ON c.id = p.activation_code_id
                WHERE c.tenant_id IS DISTINCT FROM p.tenant_id
                UNION ALL SELECT 'red', r.id, '', NULL
                FROM redemptions r
                    LEFT JOIN activation_codes c ON c.id = r.activation_code_id
                    LEFT JOIN llm_project_config p ON p.id = r.project_id
                WHERE (c.id IS NOT NULL AND c.tenant_id <> r.tenant_id) OR (p.id IS NOT NULL AND p.tenant_id IS DISTINCT FROM r.tenant_id)"
            }
            Self::MonthsEqualLedger => {
                "SELECT 'ten' AS kind, tenant_id AS id, year || '-' || month AS place, NULL AS day FROM (
                    SELECT tenant_id, year, month, activations FROM usage_months
                    UNION ALL SELECT tenant_id, {year of redeemed_at}, {month of redeemed_at}, -1 FROM redemptions WHERE returned_at IS NULL
                ) AS counted GROUP BY tenant_id, year, month HAVING sum(activations) <> 0"
            }
            Self::CodesTallied => {
                "WITH recount AS (
                    SELECT tenant_id, coalesce({day of expires_at}, 2147483647) AS expires_on, count(*) AS codes,
                        count(revoked_at) AS revoked,
                        count(CASE WHEN revoked_at IS NULL AND use_count >= max_uses THEN 1 END) AS exhausted
                    FROM activation_codes GROUP BY 1, 2
                )
                SELECT 'ten' AS kind, tenant_id AS id, '' AS place, expires_on AS day FROM (
                    SELECT tenant_id, expires_on, codes, revoked, exhausted FROM code_tallies
                    UNION ALL SELECT tenant_id, expires_on, -codes, -revoked, -exhausted FROM recount
                    UNION ALL SELECT {everybody}, expires_on, -codes, -revoked, -exhausted FROM recount
                ) AS counted GROUP BY tenant_id, expires_on HAVING sum(codes) <> 0 OR sum(revoked) <> 0 OR sum(exhausted) <> 0"
            }
            Self::ExpiriesTallied => {
                "SELECT 'ten' AS kind, tenant_id AS id, '' AS place, {day of expires_at} AS day FROM (
                    SELECT tenant_id, expires_at, codes, revoked, exhausted FROM code_expiry_tallies
                    UNION ALL SELECT tenant_id, expires_at, -count(*), -count(revoked_at),
                        -count(CASE WHEN revoked_at IS NULL AND use_count >= max_uses THEN 1 END)
                    FROM activation_codes WHERE expires_at IS NOT NULL GROUP BY tenant_id, expires_at
                ) AS counted GROUP BY tenant_id, expires_at HAVING sum(codes) <> 0 OR sum(revoked) <> 0 OR sum(exhausted) <> 0"
            }
            Self::UsageTallied => {
                "SELECT '' AS kind, NULL AS id, '' AS place, day FROM (
                    SELECT day, activations, returns, refusals FROM usage_days
                    UNION ALL SELECT {day of redeemed_at}, -1, 0, 0 FROM redemptions
                    UNION ALL SELECT {day of returned_at}, 0, -1, 0 FROM redemptions WHERE returned_at IS NOT NULL
                    UNION ALL SELECT {day of created_at}, 0, 0, -1 FROM audit_events
                        WHERE action = 'activation.refused' AND tenant_id IN (SELECT id FROM tenants)
                ) AS counted GROUP BY day HAVING sum(activations) <> 0 OR sum(returns) <> 0 OR sum(refusals) <> 0"
            }
            Self::ProjectsTallied => {
                "SELECT '' AS kind, NULL AS id, status AS place, NULL AS day FROM (
                    SELECT 'pending' AS status, pending AS projects FROM project_tallies
                    UNION ALL SELECT 'active', active FROM project_tallies
                    UNION ALL SELECT 'paused', paused FROM project_tallies
                    UNION ALL SELECT 'completed', completed FROM project_tallies
                    UNION ALL SELECT project_status, -count(*) FROM llm_project_config GROUP BY project_status
                ) AS counted GROUP BY status HAVING sum(projects) <> 0"
            }
            Self::TenantsTallied => {
                "SELECT '' AS kind, NULL AS id, '' AS place, created_on AS day FROM (
                    SELECT created_on, tenants, suspended FROM tenant_tallies
                    UNION ALL SELECT {day of created_at}, -1, CASE WHEN suspended_at IS NULL THEN 0 ELSE -1 END FROM tenants
                ) AS counted GROUP BY created_on HAVING sum(tenants) <> 0 OR sum(suspended) <> 0"
            }
        }
    }
}

/// What breaks an invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// How many rows.
    pub rows: u64,
    /// Up to [`Inspection::EXAMPLES`] of them: identifiers, with a month or a day where it is about one.
    pub examples: Vec<String>,
}

impl Inspection {
    /// How many examples of what breaks an invariant are given.
    pub const EXAMPLES: usize = 5;

    /// What breaks an invariant; nothing, if all is well.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn check(&mut self, invariant: Invariant) -> Result<Finding, StoreError> {
        let broken = self.dialect(invariant.broken());
        let examples = Self::EXAMPLES;
        let query = format!(
            "SELECT kind, id, place, CAST(day AS bigint) AS day, count(*) OVER () AS broken FROM ({broken}) AS broken
            ORDER BY kind, id, place, day LIMIT {examples}"
        );
        let rows = self.0.list::<BrokenRow>(self.0.sql(&query, [])).await?;
        let count = rows.first().map_or(0, |(broken, _)| *broken);
        Ok(Finding { rows: count, examples: rows.into_iter().map(|(_, example)| example).collect() })
    }

    /// A query in the words of this database.
    fn dialect(&self, query: &str) -> String {
        let (parts, everybody): (&[(&str, &str, &str)], _) = match self.0.backend() {
            DbBackend::Postgres => (
                &[
                    ("{day of ", "CAST(floor(extract(epoch FROM ", ") / 86400) AS bigint)"),
                    ("{year of ", "CAST(extract(year FROM ", " AT TIME ZONE 'UTC') AS bigint)"),
                    ("{month of ", "CAST(extract(month FROM ", " AT TIME ZONE 'UTC') AS bigint)"),
                ],
                "CAST('00000000-0000-0000-0000-000000000000' AS uuid)",
            ),
            _ => (
                &[
                    ("{day of ", "(unixepoch(", ") / 86400)"),
                    ("{year of ", "CAST(strftime('%Y', ", ") AS integer)"),
                    ("{month of ", "CAST(strftime('%m', ", ") AS integer)"),
                ],
                "x'00000000000000000000000000000000'",
            ),
        };
        let mut query = query.replace("{everybody}", everybody);
        for (mark, before, after) in parts {
            while let Some((head, rest)) = query.split_once(mark) {
                let Some((moment, tail)) = rest.split_once('}') else { break };
                query = format!("{head}{before}{moment}{after}{tail}");
            }
        }
        query
    }
}

#[derive(FromQueryResult)]
struct BrokenRow {
    kind: String,
    id: Option<Uuid>,
    place: String,
    day: Option<i64>,
    broken: i64,
}

impl Row for BrokenRow {
    /// How many there are, and what names this one.
    type Value = (u64, String);
    const WHAT: &'static str = "broken invariant";

    fn into_value(self) -> Result<(u64, String), Corruption> {
        // As identifiers are shown.
        let id = self.id.map(|id| if id.is_nil() { "all tenants".to_owned() } else { format!("{}_{}", self.kind, id.simple()) });
        let last = Timestamp::MAX.day().days_since_1970();
        let day = self.day.map(|day| match day <= last {
            true => CalendarDay::from_days_since_1970(day).to_string(),
            false => "never".to_owned(),
        });
        let parts = [id, Some(self.place).filter(|place| !place.is_empty()), day];
        Ok((self.broken.try_into()?, parts.into_iter().flatten().collect::<Vec<_>>().join(" ")))
    }
}
