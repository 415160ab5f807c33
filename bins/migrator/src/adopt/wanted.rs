//! What is looked for in an older portal's database. A field may stand in columns of several names; the first that is there is read.
//!
//! A column with the plain text of a code is none of them: it is never read.

use tenantry_persistence::{OlderTable, WantedField, WantedTable};

const fn field(name: &'static str, columns: &'static [&'static str]) -> WantedField {
    WantedField { name, columns }
}

/// The tables, in the order in which their rows depend on each other.
pub const TABLES: [WantedTable; 5] = [
    WantedTable {
        name: "plans",
        fields: &[
            field("key", &["id", "plan_id"]),
            field("name", &["name", "plan_name"]),
            field("quota", &["monthly_run_quota", "monthly_quota", "run_quota", "quota"]),
            field("archived_at", &["archived_at", "deleted_at"]),
            field("active", &["is_active", "active"]),
            field("created_at", &["created_at"]),
            field("updated_at", &["updated_at"]),
        ],
    },
    WantedTable {
        name: "tenants",
        fields: &[
            field("key", &["id", "tenant_id"]),
            field("slug", &["slug", "tenant_slug"]),
            field("name", &["name", "company_name", "display_name"]),
            field("email", &["contact_email", "email", "admin_email"]),
            field("plan", &["plan_id"]),
            field("logo_url", &["logo_url"]),
            field("primary_color", &["primary_color"]),
            field("domain", &["domain", "custom_domain"]),
            field("suspended_at", &["suspended_at"]),
            field("deleted_at", &["deleted_at"]),
            field("active", &["is_active", "active"]),
            field("status", &["status"]),
            field("created_at", &["created_at"]),
            field("updated_at", &["updated_at"]),
        ],
    },
    WantedTable {
        name: "subscriptions",
        fields: &[
            field("key", &["id", "subscription_id"]),
            field("tenant", &["tenant_id"]),
            field("plan", &["plan_id"]),
            field("state", &["state", "status", "subscription_status"]),
            field("period_start", &["current_period_start", "period_start", "start_date", "started_at"]),
            field("period_end", &["current_period_end", "period_end", "end_date", "ends_at"]),
            field("created_at", &["created_at"]),
            field("updated_at", &["updated_at"]),
        ],
    },
    WantedTable {
        name: "activation_codes",
        fields: &[
            field("key", &["id", "activation_code_id"]),
            field("tenant", &["tenant_id"]),
            field("hash", &["code_hash"]),
            field("hint", &["hint", "code_hint"]),
            field("label", &["label", "note"]),
            field("max_uses", &["max_uses"]),
            field("use_count", &["use_count", "used_count", "uses"]),
            field("used", &["is_used", "used"]),
            field("used_at", &["used_at", "activated_at", "redeemed_at"]),
            field("project", &["used_by_project_id", "project_id"]),
            field("revoked", &["is_revoked", "revoked"]),
            field("revoked_at", &["revoked_at"]),
            field("active", &["is_active", "active"]),
            field("status", &["status"]),
            field("expires_at", &["expires_at", "expiry_date"]),
            field("created_at", &["created_at"]),
            field("updated_at", &["updated_at"]),
        ],
    },
    WantedTable {
        name: "llm_project_config",
        fields: &[
            field("key", &["id", "project_id"]),
            field("slug", &["project_id", "slug"]),
            field("tenant", &["tenant_id"]),
            field("code", &["activation_code_id"]),
            field("client_name", &["client_name", "project_name", "name"]),
            field("description", &["description"]),
            field("objectives", &["objectives"]),
            field("priority", &["priority"]),
            field("status", &["project_status", "status"]),
            field("started_at", &["started_at", "activated_at"]),
            field("completed_at", &["completed_at"]),
            field("created_by", &["created_by"]),
            field("created_at", &["created_at"]),
            field("updated_at", &["updated_at"]),
        ],
    },
];

/// What of each table nothing can be made without. A table that is missing altogether has no rows, but for the first two.
const NEEDED: [(&str, &[&str]); 5] = [
    ("plans", &["key", "name", "quota"]),
    ("tenants", &["key", "slug", "email"]),
    ("subscriptions", &["key", "tenant", "plan"]),
    ("activation_codes", &["key", "tenant", "hash"]),
    ("llm_project_config", &["key", "slug"]),
];

/// What is missing, each as `table: column or column`.
pub fn missing(tables: &[OlderTable]) -> Vec<String> {
    let mut missing = Vec::new();
    for ((wanted, found), (_, needed)) in TABLES.iter().zip(tables).zip(NEEDED) {
        if found.columns.is_empty() && !matches!(wanted.name, "plans" | "tenants") {
            continue;
        }
        let lacking =
            wanted.fields.iter().filter(|field| needed.contains(&field.name) && !found.columns.contains_key(field.name));
        missing.extend(lacking.map(|field| format!("{}: {}", wanted.name, field.columns.join(" or "))));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plain_text_is_wanted_and_what_is_needed_is_wanted() {
        let columns = TABLES.iter().flat_map(|table| table.fields).flat_map(|field| field.columns);
        assert!(columns.clone().all(|column| !["code", "plain_code", "code_plain", "plaintext", "otp"].contains(column)));
        for (table, (name, needed)) in TABLES.iter().zip(NEEDED) {
            assert_eq!(table.name, name);
            assert!(needed.iter().all(|needed| table.fields.iter().any(|field| field.name == *needed)), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_all_its_names() {
        let mut tables = vec![OlderTable::default(); 5];
        tables[0].columns = [("key", "id"), ("name", "name")].into();
        let missing = missing(&tables);
        assert_eq!(missing[0], "plans: monthly_run_quota or monthly_quota or run_quota or quota");
        assert_eq!(missing.len(), 4, "the table of tenants is missing too, and the others may be: {missing:?}");
    }
}
