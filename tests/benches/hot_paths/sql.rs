//! The server's statements, as they came over the wire from crates/persistence. The benchmark reads the wire again in each run, and says
//! so when these are no longer what the server sends.

pub const SESSION_AND_TENANT: &str = "
    SELECT s.id, s.tenant_id, s.token_digest, s.last_activity, s.expires_at, s.client_ip, s.user_agent, s.revoked_at,
        s.created_at, s.updated_at,
        t.id AS t_id, t.slug AS t_slug, t.name AS t_name, t.contact_email AS t_contact_email, t.logo_url AS t_logo_url,
        t.primary_color AS t_primary_color, t.domain AS t_domain, t.suspended_at AS t_suspended_at, '' AS t_search_text,
        t.created_at AS t_created_at, t.updated_at AS t_updated_at
    FROM tenant_sessions s JOIN tenants t ON t.id = s.tenant_id
    WHERE s.token_digest IN ($1)";

pub const PAGE_OF_PROJECTS: &str = r#"
    SELECT "llm_project_config"."id", "llm_project_config"."project_id", "llm_project_config"."tenant_id",
        "llm_project_config"."activation_code_id", "llm_project_config"."client_name", "llm_project_config"."description",
        "llm_project_config"."objectives", "llm_project_config"."priority", "llm_project_config"."project_status",
        "llm_project_config"."started_at", "llm_project_config"."completed_at", "llm_project_config"."created_by",
        "llm_project_config"."created_at", "llm_project_config"."updated_at"
    FROM "llm_project_config" WHERE "llm_project_config"."tenant_id" = $1 ORDER BY "llm_project_config"."id" DESC LIMIT 21"#;

pub const CHALLENGE: &str = r#"
    SELECT "otp_challenges"."id", "otp_challenges"."tenant_id", "otp_challenges"."operator_id", "otp_challenges"."code_mac",
        "otp_challenges"."key_id", "otp_challenges"."purpose", "otp_challenges"."strength", "otp_challenges"."attempts",
        "otp_challenges"."expires_at", "otp_challenges"."consumed_at", "otp_challenges"."created_at"
    FROM "otp_challenges" WHERE "otp_challenges"."id" = $1 AND "otp_challenges"."purpose" = $2"#;

/// On PostgreSQL alone.
pub const LOCK_TENANT: &str = "SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE";

pub const FAILURES: &str = "
    SELECT CAST(COALESCE(SUM(attempts - CASE WHEN consumed_at IS NULL OR attempts = 0 THEN 0 ELSE 1 END), 0) AS bigint)
    FROM otp_challenges WHERE tenant_id = $1 AND created_at >= $2 AND attempts > 0 AND strength = 'six_digits'";

pub const CLAIM_ATTEMPT: &str = r#"
    UPDATE "otp_challenges" SET "attempts" = "attempts" + $1
    WHERE "otp_challenges"."id" = $2 AND "otp_challenges"."consumed_at" IS NULL AND "otp_challenges"."expires_at" > $3
        AND "otp_challenges"."attempts" < $4
    RETURNING "id", "tenant_id", "operator_id", "code_mac", "key_id", "purpose", "strength", "attempts", "expires_at",
        "consumed_at", "created_at""#;

pub const TENANT: &str = r#"
    SELECT "tenants"."id", "tenants"."slug", "tenants"."name", "tenants"."contact_email", "tenants"."logo_url",
        "tenants"."primary_color", "tenants"."domain", "tenants"."suspended_at", "tenants"."search_text",
        "tenants"."created_at", "tenants"."updated_at"
    FROM "tenants" WHERE "tenants"."id" = $1"#;

pub const CONSUME_CHALLENGE: &str = r#"
    UPDATE "otp_challenges" SET "consumed_at" = $1
    WHERE "otp_challenges"."id" = $2 AND "otp_challenges"."consumed_at" IS NULL AND "otp_challenges"."expires_at" > $3"#;

pub const INSERT_SESSION: &str = r#"
    INSERT INTO "tenant_sessions" ("id", "tenant_id", "token_digest", "last_activity", "expires_at", "client_ip",
        "user_agent", "revoked_at", "created_at", "updated_at")
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#;

pub const INSERT_AUDIT: &str = r#"
    INSERT INTO "audit_events" ("id", "tenant_id", "actor_kind", "actor_name", "action", "target", "client_ip",
        "request_id", "details", "created_at")
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#;

macro_rules! entitlement {
    () => {
        "
    SELECT s.state, p.monthly_run_quota, t.suspended_at
    FROM tenants t JOIN subscriptions s ON s.tenant_id = t.id JOIN plans p ON p.id = s.plan_id
    WHERE t.id = $1"
    };
}

pub const ENTITLEMENT: &str = entitlement!();

/// On PostgreSQL alone.
pub const HOLD_TENANT: &str = concat!(entitlement!(), " FOR KEY SHARE OF t");

macro_rules! project {
    () => {
        r#"
    SELECT "llm_project_config"."id", "llm_project_config"."project_id", "llm_project_config"."tenant_id",
        "llm_project_config"."activation_code_id", "llm_project_config"."client_name", "llm_project_config"."description",
        "llm_project_config"."objectives", "llm_project_config"."priority", "llm_project_config"."project_status",
        "llm_project_config"."started_at", "llm_project_config"."completed_at", "llm_project_config"."created_by",
        "llm_project_config"."created_at", "llm_project_config"."updated_at"
    FROM "llm_project_config" WHERE "llm_project_config"."id" = $1 AND "llm_project_config"."tenant_id" = $2"#
    };
}

pub const PROJECT: &str = project!();

/// On PostgreSQL alone.
pub const LOCK_PROJECT: &str = concat!(project!(), " FOR NO KEY UPDATE");

pub const CODE: &str = r#"
    SELECT "activation_codes"."id", "activation_codes"."tenant_id", "activation_codes"."code_digest",
        "activation_codes"."key_id", "activation_codes"."hint", "activation_codes"."label", "activation_codes"."max_uses",
        "activation_codes"."use_count", "activation_codes"."expires_at", "activation_codes"."used_at",
        "activation_codes"."revoked_at", "activation_codes"."batch_id", "activation_codes"."created_at",
        "activation_codes"."updated_at"
    FROM "activation_codes" WHERE "activation_codes"."code_digest" IN ($1)"#;

pub const CONSUME_CODE: &str = r#"
    UPDATE "activation_codes" SET "use_count" = "use_count" + $1, "used_at" = $2, "updated_at" = $3
    WHERE "activation_codes"."id" = $4 AND "activation_codes"."tenant_id" = $5 AND "activation_codes"."revoked_at" IS NULL
        AND ("activation_codes"."expires_at" IS NULL OR "activation_codes"."expires_at" > $6) AND "use_count" < "max_uses""#;

pub const START_PROJECT: &str = r#"
    UPDATE "llm_project_config" SET "project_status" = $1, "updated_at" = $2, "activation_code_id" = $3, "started_at" = $4
    WHERE "llm_project_config"."id" = $5 AND "llm_project_config"."tenant_id" = $6
        AND "llm_project_config"."project_status" = $7
    RETURNING "id", "project_id", "tenant_id", "activation_code_id", "client_name", "description", "objectives", "priority",
        "project_status", "started_at", "completed_at", "created_by", "created_at", "updated_at""#;

pub const INSERT_REDEMPTION: &str = r#"
    INSERT INTO "redemptions" ("id", "tenant_id", "activation_code_id", "project_id", "redeemed_at", "returned_at")
    VALUES ($1, $2, $3, $4, $5, $6)"#;

pub const COUNT_ACTIVATION: &str = r#"
    INSERT INTO "usage_months" ("tenant_id", "year", "month", "activations", "updated_at") VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT ("tenant_id", "year", "month")
    DO UPDATE SET "activations" = "usage_months"."activations" + $6, "updated_at" = "excluded"."updated_at"
    WHERE "usage_months"."activations" < $7"#;
