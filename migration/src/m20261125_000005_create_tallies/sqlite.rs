//! The triggers on SQLite, called for each row.

use super::expires_on;

pub(crate) const EVERYBODY: &str = "x'00000000000000000000000000000000'";

pub(crate) const SLOT: &str = "bigint NOT NULL DEFAULT 0";

/// Rows in the index itself: half the work of each count.
pub(crate) const STORAGE: &str = "WITHOUT ROWID";

/// The day that a moment is in.
pub(crate) const DAY: fn(&str) -> String = |moment| format!("unixepoch({moment}) / 86400");

pub(super) const TRIGGERS: [&str; 12] = [
    "tally_new_code",
    "tally_changed_code",
    "tally_deleted_code",
    "tally_new_redemption",
    "tally_changed_redemption",
    "tally_deleted_redemption",
    "tally_refusal",
    "tally_deleted_refusal",
    "tally_new_project",
    "tally_changed_project",
    "tally_deleted_project",
    "tally_deleted_tenant",
];

const CHANGED_CODE: &str = "UPDATE ON activation_codes
    WHEN (OLD.revoked_at IS NULL) <> (NEW.revoked_at IS NULL) OR (OLD.use_count >= OLD.max_uses) <> (NEW.use_count >= NEW.max_uses)
        OR OLD.expires_at IS NOT NEW.expires_at OR OLD.tenant_id <> NEW.tenant_id";

const CHANGED_REDEMPTION: &str =
    "UPDATE ON redemptions WHEN OLD.redeemed_at <> NEW.redeemed_at OR OLD.returned_at IS NOT NEW.returned_at";

const REFUSAL: &str = "ON audit_events WHEN {row}.action = 'activation.refused' AND {row}.tenant_id IN (SELECT id FROM tenants)";

pub(crate) fn triggers() -> Vec<String> {
    let both = |less: fn(&str) -> String, more: fn(&str) -> String| less("OLD") + &more("NEW");
    let bodies = [
        ("INSERT ON activation_codes".to_owned(), add_code("NEW")),
        (CHANGED_CODE.to_owned(), both(take_code, add_code)),
        ("DELETE ON activation_codes".to_owned(), take_code("OLD")),
        ("INSERT ON redemptions".to_owned(), add_redemption("NEW")),
        (CHANGED_REDEMPTION.to_owned(), both(take_redemption, add_redemption)),
        ("DELETE ON redemptions".to_owned(), take_redemption("OLD")),
        (format!("INSERT {}", REFUSAL.replace("{row}", "NEW")), add_use(&DAY("NEW.created_at"), "0, 0, 1")),
        (format!("DELETE {}", REFUSAL.replace("{row}", "OLD")), take_use(&DAY("OLD.created_at"), "refusals")),
        ("INSERT ON llm_project_config".to_owned(), add_project("NEW")),
        (
            "UPDATE ON llm_project_config WHEN OLD.project_status <> NEW.project_status".to_owned(),
            both(take_project, add_project),
        ),
        ("DELETE ON llm_project_config".to_owned(), take_project("OLD")),
        ("DELETE ON tenants".to_owned(), deleted_tenant()),
    ];
    let create = |(name, (event, body))| format!("CREATE TRIGGER {name} AFTER {event} BEGIN {body} END");
    TRIGGERS.into_iter().zip(bodies).map(create).collect()
}

pub(crate) fn revoked(row: &str) -> String {
    format!("({row}.revoked_at IS NOT NULL)")
}

pub(crate) fn exhausted(row: &str) -> String {
    format!("({row}.revoked_at IS NULL AND {row}.use_count >= {row}.max_uses)")
}

pub(crate) fn add_code(row: &str) -> String {
    let (expires_on, revoked, exhausted) = (expires_on(DAY, &format!("{row}.expires_at")), revoked(row), exhausted(row));
    let more = "codes = codes + 1, revoked = revoked + excluded.revoked, exhausted = exhausted + excluded.exhausted";
    format!(
        "INSERT INTO code_tallies (tenant_id, expires_on, codes, revoked, exhausted)
            VALUES ({row}.tenant_id, {expires_on}, 1, {revoked}, {exhausted}), ({EVERYBODY}, {expires_on}, 1, {revoked}, {exhausted})
            ON CONFLICT (tenant_id, expires_on, slot) DO UPDATE SET {more};
        INSERT INTO code_expiry_tallies (tenant_id, expires_at, codes, revoked, exhausted)
            SELECT {row}.tenant_id, {row}.expires_at, 1, {revoked}, {exhausted} WHERE {row}.expires_at IS NOT NULL
            ON CONFLICT (tenant_id, expires_at, slot) DO UPDATE SET {more};"
    )
}

pub(crate) fn take_code(row: &str) -> String {
    let (expires_on, revoked, exhausted) = (expires_on(DAY, &format!("{row}.expires_at")), revoked(row), exhausted(row));
    let less = format!("codes = codes - 1, revoked = revoked - {revoked}, exhausted = exhausted - {exhausted}");
    format!(
        "UPDATE code_tallies SET {less} WHERE tenant_id IN ({row}.tenant_id, {EVERYBODY}) AND expires_on = {expires_on};
        UPDATE code_expiry_tallies SET {less} WHERE tenant_id = {row}.tenant_id AND expires_at = {row}.expires_at;"
    )
}

fn add_redemption(row: &str) -> String {
    let returned = DAY(&format!("{row}.returned_at"));
    add_use(&DAY(&format!("{row}.redeemed_at")), "1, 0, 0")
        + &format!(
            "INSERT INTO usage_days (day, activations, returns, refusals)
            SELECT {returned}, 0, 1, 0 WHERE {row}.returned_at IS NOT NULL {MORE_USE};"
        )
}

fn take_redemption(row: &str) -> String {
    take_use(&DAY(&format!("{row}.redeemed_at")), "activations") + &take_use(&DAY(&format!("{row}.returned_at")), "returns")
}

pub(crate) const MORE_USE: &str = "ON CONFLICT (day, slot) DO UPDATE SET
    activations = activations + excluded.activations, returns = returns + excluded.returns, refusals = refusals + excluded.refusals";

fn add_use(day: &str, counts: &str) -> String {
    format!("INSERT INTO usage_days (day, activations, returns, refusals) VALUES ({day}, {counts}) {MORE_USE};")
}

fn take_use(day: &str, count: &str) -> String {
    format!("UPDATE usage_days SET {count} = {count} - 1 WHERE day = {day};")
}

fn add_project(row: &str) -> String {
    move_project(row, "+")
}

fn take_project(row: &str) -> String {
    move_project(row, "-")
}

fn move_project(row: &str, sign: &str) -> String {
    let count = |status: &str| format!("{status} = {status} {sign} ({row}.project_status = '{status}')");
    format!("UPDATE project_tallies SET {};", ["pending", "active", "paused", "completed"].map(count).join(", "))
}

/// A deleted tenant's codes and redemptions are counted out as they go; its refusals stand in the audit trail, which stays.
fn deleted_tenant() -> String {
    let day = DAY("created_at");
    format!(
        "DELETE FROM code_tallies WHERE tenant_id = OLD.id;
        DELETE FROM code_expiry_tallies WHERE tenant_id = OLD.id;
        UPDATE usage_days SET refusals = usage_days.refusals - gone.refusals FROM (
            SELECT {day} AS day, count(*) AS refusals FROM audit_events
            WHERE tenant_id = OLD.id AND action = 'activation.refused' GROUP BY 1
        ) AS gone WHERE usage_days.day = gone.day;"
    )
}
