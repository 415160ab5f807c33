//! What can be seen in the database: its schema, its settings, and what must hold of all its rows together.

use tenantry_auth::KeyRing;
use tenantry_domain::{
    Chain, Clock as _, StoreError, SystemClock, compare_key_ring,
    ports::{SigningKeyReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, Finding, Inspection, Invariant, Options};

use super::report::{Complaint, Report};
use crate::{
    config::{Config, Key},
    database_keys,
};

/// Where a tally is said to be mended.
const MEND_TALLY: &str = "something wrote to the tally itself: docs/decisions/0019-tallies.md says how to mend it";

/// The name of an invariant's check, what is wrong where it doesn't hold, and what to do.
const fn about(invariant: Invariant) -> (&'static str, &'static str, &'static str) {
    match invariant {
        Invariant::UsesEqualRedemptions => (
            "uses_equal_redemptions",
            "codes have another number of uses than live redemptions",
            "compare each code's timeline with its redemptions, and correct whichever is wrong",
        ),
        Invariant::UsesWithinBounds => (
            "uses_within_bounds",
            "codes have more uses than they may have",
            "return the activations that should not be, or raise `max_uses`",
        ),
        Invariant::OneLiveRedemption => (
            "one_live_redemption",
            "projects have several live redemptions",
            "set `returned_at` of all but one, and see that the index `redemptions_live` is there",
        ),
        Invariant::ActiveProjectsRedeemed => (
            "active_projects_redeemed",
            "projects and live redemptions don't agree on what is active",
            "compare each project with its redemptions and its audit events, and correct whichever is wrong",
        ),
        Invariant::LinksWithinTenants => (
            "links_within_tenants",
            "projects or redemptions refer to a code or a project of another tenant",
            "find out whose each is, and correct its `tenant_id` or its reference",
        ),
        Invariant::MonthsEqualLedger => (
            "months_equal_ledger",
            "months have another number of activations than live redemptions",
            "set `activations` in `usage_months` to the number of the month's redemptions that weren't returned",
        ),
        Invariant::CodesTallied => ("codes_tallied", "days in `code_tallies` differ from a recount", MEND_TALLY),
        Invariant::ExpiriesTallied => ("expiries_tallied", "moments in `code_expiry_tallies` differ from a recount", MEND_TALLY),
        Invariant::UsageTallied => ("usage_tallied", "days in `usage_days` differ from a recount", MEND_TALLY),
        Invariant::ProjectsTallied => ("projects_tallied", "statuses in `project_tallies` differ from a recount", MEND_TALLY),
        Invariant::TenantsTallied => ("tenants_tallied", "days in `tenant_tallies` differ from a recount", MEND_TALLY),
    }
}

/// Checks the database, as far as it can be looked at.
pub async fn check_database(config: &Config, keys: Option<&KeyRing>, report: &mut Report) {
    const NAME: &str = "database";

    report.begin(NAME);
    let advice = format!("see that the database runs, and that {} is its address", Key::DATABASE_URL.env_name());
    if let Some(file) = config.database.url.sqlite_file().filter(|file| !file.exists()) {
        return report.failed(NAME, Complaint::new(format!("there is no database {}", file.display()), advice));
    }
    let status = match tenantry_migration::status(config.database.url.reveal()).await {
        Ok(status) => status,
        Err(failure) => return report.failed(NAME, Complaint::new(Chain(&failure).to_string(), advice)),
    };
    let options = Options { max_connections: 1, ..Options::new(config.database.url.reveal()) };
    let store = match DatabaseStore::connect(&options).await {
        Ok(store) => store,
        Err(failure) => return report.failed(NAME, Complaint::new(Chain(&failure).to_string(), advice)),
    };
    report.ok(NAME);
    if check_schema(&status.pending(), &status.newer(), report) && check_copy(status.unfinished_copy, report) {
        let looked = match look(&store, config, keys, report).await {
            Ok(inspection) => check_rows(inspection, config, keys, report).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = looked {
            report.failed(
                "inspection",
                Complaint::new(Chain(&failure).to_string(), "run the doctor again once the database answers"),
            );
        }
    }
    store.close().await;
}

/// Whether the schema is complete: the rows of another can't be looked at.
fn check_schema(pending: &[String], newer: &[String], report: &mut Report) -> bool {
    const NAME: &str = "schema";

    let count = |steps: &[String]| u64::try_from(steps.len()).unwrap_or(u64::MAX);
    let complaint = |detail: &str, advice: &str, steps: &[String]| {
        let examples = steps.iter().take(Inspection::EXAMPLES).cloned().collect();
        Complaint { found: count(steps), examples, ..Complaint::new(detail, advice) }
    };
    if !pending.is_empty() {
        let advice = "run `tenantry-migrator up`, then the doctor again, which looks at the rows of a complete schema alone";
        report.failed(NAME, complaint("the database lacks steps of its schema", advice, pending));
    } else if !newer.is_empty() {
        let advice = "use the doctor of the newest version that serves the database";
        report.warning(NAME, complaint("the database was migrated by a newer version", advice, newer));
    } else {
        report.ok(NAME);
    }
    pending.is_empty()
}

/// Whether the rows are all there. Only looked for, as few databases were ever copied.
fn check_copy(unfinished: bool, report: &mut Report) -> bool {
    if unfinished {
        let advice = "run `tenantry-migrator copy` as it was begun, and it goes on; then run the doctor again, which looks at whole copies alone";
        report.failed(
            "unfinished_copy",
            Complaint::new("the rows are those of a copy that isn't complete: servers refuse them", advice),
        );
    }
    !unfinished
}

/// Checks whose key ring it is, then begins to look at the rows.
async fn look(
    store: &DatabaseStore,
    config: &Config,
    keys: Option<&KeyRing>,
    report: &mut Report,
) -> Result<Inspection, StoreError> {
    if let Some(keys) = keys {
        check_whose_keys(store, config, keys, report).await?;
    }
    store.inspect().await
}

/// By another ring nothing is found, and no row says so.
async fn check_whose_keys(store: &DatabaseStore, config: &Config, keys: &KeyRing, report: &mut Report) -> Result<(), StoreError> {
    const NAME: &str = "signing_keys";

    let known = store.reader().signing_keys().await?;
    match compare_key_ring(&known, &keys.fingerprints()) {
        Ok(()) => report.ok(NAME),
        Err(reason) => {
            let detail = database_keys::detail(&config.keys_file, &reason);
            report.failed(NAME, Complaint::new(detail, database_keys::advice()));
        }
    }
    Ok(())
}

/// Checks all rows as they are in one moment.
async fn check_rows(
    mut inspection: Inspection,
    config: &Config,
    keys: Option<&KeyRing>,
    report: &mut Report,
) -> Result<(), StoreError> {
    check_durability(&inspection.durability().await?, report);
    if let Some(keys) = keys {
        check_key_ids(&mut inspection, keys, report).await?;
    }
    check_adoptions(&mut inspection, report).await?;
    check_adopted_codes(&mut inspection, config, report).await?;
    for invariant in Invariant::ALL {
        let (name, detail, advice) = about(invariant);
        report.begin(name);
        match inspection.check(invariant).await? {
            Finding { rows: 0, .. } => report.ok(name),
            Finding { rows, examples } => {
                report.failed(name, Complaint { found: rows, examples, ..Complaint::new(format!("{rows} {detail}"), advice) });
            }
        }
    }
    Ok(())
}

/// What a server must not lose with a crash, it must not be told of too early.
fn check_durability(settings: &[(String, String)], report: &mut Report) {
    const NAME: &str = "durability";

    if settings.is_empty() {
        return;
    }
    let off: Vec<_> = settings.iter().filter(|(_, value)| value == "off").map(|(name, _)| format!("{name} = off")).collect();
    if off.is_empty() {
        report.ok(NAME);
    } else {
        let detail = "PostgreSQL answers commits that a crash can undo, and a used code can be used again";
        let advice = "set them to on in postgresql.conf, or wherever this database or role has them from";
        report.failed(NAME, Complaint { examples: off, ..Complaint::new(detail, advice) });
    }
}

/// Whether older portals are all there. Not looked for where nothing was taken over.
async fn check_adoptions(inspection: &mut Inspection, report: &mut Report) -> Result<(), StoreError> {
    let unfinished = inspection.unfinished_adoptions().await?;
    if !unfinished.is_empty() {
        let advice =
            "let it end; if it doesn't run, run `tenantry-migrator adopt --apply` as it was begun: what was taken is passed over";
        let complaint = Complaint::new("the adoption of an older portal began, and hasn't come to its end", advice);
        let found = u64::try_from(unfinished.len()).unwrap_or(u64::MAX);
        report.warning("unfinished_adoption", Complaint { found, examples: unfinished, ..complaint });
    }
    Ok(())
}

/// Codes of an older portal are found by their texts only by who knows its pepper. Not looked for where nothing was taken over.
async fn check_adopted_codes(inspection: &mut Inspection, config: &Config, report: &mut Report) -> Result<(), StoreError> {
    const NAME: &str = "adopted_codes";

    let adopted = inspection.adopted().await?;
    if adopted.is_empty() {
        return Ok(());
    }
    report.begin(NAME);
    let usable = inspection.usable_adopted_codes(SystemClock.now()).await?;
    if usable == 0 || config.legacy_pepper.is_some() {
        report.ok(NAME);
        return Ok(());
    }
    let detail = "codes that were adopted from an older portal can't be found by their texts: its pepper isn't configured";
    let advice = format!("set {} on every server to what the older portal had", Key::KEYS_LEGACY_PEPPER.env_name());
    let counts = adopted.iter().map(|count| format!("{}: {} rows of kind {}", count.source, count.adopted, count.kind));
    let examples = counts.take(Inspection::EXAMPLES).collect();
    report.failed(NAME, Complaint { found: usable, examples, ..Complaint::new(detail, advice) });
    Ok(())
}

/// What a missing key made can't be found or opened any more.
async fn check_key_ids(inspection: &mut Inspection, keys: &KeyRing, report: &mut Report) -> Result<(), StoreError> {
    const NAME: &str = "key_ids";

    report.begin(NAME);
    let missing: Vec<_> =
        inspection.keys_in_use(SystemClock.now()).await?.into_iter().filter(|used| !keys.has(&used.key_id)).collect();
    if missing.is_empty() {
        report.ok(NAME);
        return Ok(());
    }
    let found = missing.iter().map(|used| used.rows).sum();
    let examples = missing.iter().map(|used| format!("{}: {} {}", used.key_id, used.rows, used.rows_of));
    let examples = examples.take(Inspection::EXAMPLES).collect();
    let complaint = Complaint::new(
        "rows that are still needed were made with keys that the key ring lacks",
        "put those keys back, below the others",
    );
    report.failed(NAME, Complaint { found, examples, ..complaint });
    Ok(())
}
