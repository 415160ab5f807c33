//! What the server runs on SQLite, told from what it runs on PostgreSQL, whose wire can be read: the same, less the locks. Only an activation
//! and the end of a sign-in are put together otherwise there, and many codes are written otherwise. Whoever changes `activation.rs`, `sign_in.rs`
//! or `code_inserts.rs` of `crates/persistence` changes this, too.

/// The server's statement on SQLite; `None` where it runs none.
pub fn on_sqlite(sql: &str) -> Option<String> {
    if sql.starts_with(ENTITLED) {
        return Some(activation(sql));
    }
    if sql.starts_with(ACCOUNT) {
        return Some(sign_in(sql));
    }
    // Writers take turns: there is nothing to lock.
    let (plain, is_locking) = match sql.find(" FOR ") {
        Some(place) => (&sql[..place], true),
        None => (sql, false),
    };
    let locks_only = is_locking && plain.starts_with("SELECT id FROM ");
    (!locks_only).then(|| plain.to_owned())
}

const ENTITLED: &str = "WITH entitled AS MATERIALIZED (";

/// The parts that both databases have in common, and the values' places, are those of the wire.
fn activation(sql: &str) -> String {
    let entitled = between(sql, ENTITLED, " FOR KEY SHARE OF t)");
    let active = between(sql, "WHERE c.code_digest = $3 AND ", " FOR NO KEY UPDATE OF c)");
    let columns = between(sql, "INSERT INTO audit_events (", ")");
    let values = between(sql, "INSERT INTO audit_events (", " FROM started)");
    let values = values.split_once(" SELECT ").map_or("", |(_, values)| values);
    let values = values
        .replace("replace(started.activation_code_id::text, '-', '')", "lower(hex(activation_code_id))")
        .replace("started.activation_code_id", "activation_code_id");
    let answered = between(sql, "SELECT started.id", ", 1 / (").replace("started.", "");
    let code = format!("(SELECT c.id FROM activation_codes c WHERE c.code_digest = $3 AND {active})");
    format!(
        "UPDATE llm_project_config
        SET project_status = 'active', activation_code_id = {code}, started_at = $4, updated_at = $4
        WHERE id = $2 AND tenant_id = $1 AND project_status = 'pending' AND updated_at < $4 AND {code} IS NOT NULL
            AND EXISTS (SELECT 1 FROM ({entitled}) AS entitled WHERE quota > COALESCE(
                (SELECT u.activations FROM usage_months u WHERE u.tenant_id = $1 AND u.year = $5 AND u.month = $6), 0));
        UPDATE activation_codes SET use_count = use_count + 1, used_at = $4, updated_at = $4
        WHERE changes() = 1 AND id = (SELECT activation_code_id FROM llm_project_config WHERE id = $2);
        INSERT INTO usage_months (tenant_id, year, month, activations, updated_at)
        SELECT $1, $5, $6, 1, $4 WHERE changes() = 1
        ON CONFLICT (tenant_id, year, month) DO UPDATE SET activations = activations + 1, updated_at = excluded.updated_at;
        INSERT INTO redemptions (id, tenant_id, activation_code_id, project_id, redeemed_at)
        SELECT $9, $1, activation_code_id, id, $4 FROM llm_project_config WHERE changes() = 1 AND id = $2;
        INSERT INTO audit_events ({columns}) SELECT {values} FROM llm_project_config WHERE changes() = 1 AND llm_project_config.id = $2;
        SELECT id{answered} FROM llm_project_config WHERE changes() = 1 AND id = $2"
    )
}

/// Codes on SQLite: the tenant, the batch, the moment, identifiers and digests in one blob, and the rest as JSON.
pub const INSERT_CODES: &str = "
    INSERT INTO activation_codes
        (tenant_id, batch_id, created_at, updated_at, id, code_digest, key_id, hint, label, max_uses, expires_at)
    SELECT $1, $2, $3, $3, substr($4, key * 48 + 1, 16), substr($4, key * 48 + 17, 32),
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each($5)";

const ACCOUNT: &str = "WITH account AS MATERIALIZED (";

fn sign_in(sql: &str) -> String {
    let tenant = between(sql, "SELECT ", " FROM tenants");
    let session = between(sql, "INSERT INTO tenant_sessions ", " FROM consumed)");
    let event = between(sql, "INSERT INTO audit_events ", " FROM consumed)");
    format!(
        "UPDATE otp_challenges SET consumed_at = $3
        WHERE id = $2 AND tenant_id = $1 AND consumed_at IS NULL AND expires_at > $3
            AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = $1 AND t.suspended_at IS NULL);
        INSERT INTO tenant_sessions {session} WHERE changes() = 1;
        INSERT INTO audit_events {event} WHERE changes() = 1;
        SELECT {tenant} FROM tenants WHERE changes() = 1 AND id = $1"
    )
}

fn between<'a>(sql: &'a str, start: &str, end: &str) -> &'a str {
    let found = sql.split_once(start).and_then(|(_, rest)| rest.split_once(end));
    found
        .map(|(part, _)| part)
        .unwrap_or_else(|| panic!("there is no `{start} .. {end}`: bring benches/hot_paths/sql.rs up to date\n{sql}"))
}
