//! `adopt`: brings an older portal's tenants, plans, subscriptions, projects and codes over.

mod cells;
mod codes;
mod inputs;
mod linking;
mod projects;
mod report;
mod sorting;
mod target;
mod tenants;
mod wanted;

use std::{error::Error, path::PathBuf};

use clap::Args;
use tenantry_auth::KeyRing;
use tenantry_domain::{
    AdoptError, Adopted, Adoption, Clock as _, Code, CodeId, Context, Id, KeyedCodeDigest, StoreError, SystemClock,
    SystemEntropy, TenantId, adopt,
};
use tenantry_persistence::{DatabaseStore, OlderPortalError, Options, read_older_portal};

use self::{
    codes::OlderCode,
    inputs::InputError,
    report::Report,
    sorting::{CODES, Household, PLANS, PROJECTS, Sorted, Sorter, TENANTS},
    target::Target,
};

/// Projects of nobody that are taken together.
const LEGACY_AT_ONCE: usize = 500;

#[derive(Args)]
pub struct Arguments {
    /// The older portal's database: `postgres://user:password@host:5432/database`. It is only read
    #[arg(long, value_name = "URL")]
    from: String,

    /// Tenantry's database; else --database-url
    #[arg(long, value_name = "URL")]
    to: Option<String>,

    /// Only report what would be done, which is what happens without --apply
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,

    /// Do it
    #[arg(long)]
    apply: bool,

    /// The key ring of Tenantry's servers, by which codes are kept; needed to apply
    #[arg(long, env = "TENANTRY__KEYS__FILE", value_name = "FILE")]
    keys_file: Option<PathBuf>,

    /// A file with what the older portal put before each code that it digested, to try --sample with
    #[arg(long, value_name = "FILE")]
    pepper_file: Option<PathBuf>,

    /// A file with texts of codes of the older portal, a line each: all must be found by the pepper, else nothing is done
    #[arg(long, value_name = "FILE", requires = "pepper_file")]
    sample: Option<PathBuf>,

    /// Also write the report there, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// What to call the older portal; each has its own keys
    #[arg(long, default_value = "portal", value_name = "NAME")]
    source: String,
}

/// Why nothing, or not all, is taken over. What was taken stays, and isn't taken again.
#[derive(Debug, thiserror::Error)]
enum FailedAdoption {
    #[error("no database to take it into: give --to, --database-url or TENANTRY__DATABASE__URL")]
    NoTarget,
    #[error("the database lacks {0} step(s) of its schema: run `tenantry-migrator up` first")]
    Pending(usize),
    #[error("the older portal has not what is needed: {0}")]
    Missing(String),
    #[error("{0}")]
    Sample(String),
    #[error("the older portal can't be read")]
    Older(#[from] OlderPortalError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("Tenantry's database failed")]
    Store(#[from] StoreError),
}

/// Adopts, or says what would be done; answers the report.
pub async fn run(arguments: &Arguments, database_url: Option<&str>) -> Result<String, Box<dyn Error>> {
    let url = arguments.to.as_deref().or(database_url);
    let keys = match (arguments.apply, &arguments.keys_file) {
        (true, Some(file)) => Some(inputs::keys(file)?),
        (true, None) => return Err(InputError::NoKeys.into()),
        (false, _) => None,
    };
    let pepper = arguments.pepper_file.as_deref().map(inputs::pepper).transpose()?;
    let store = match url {
        Some(url) => Some(open(url).await?),
        None if arguments.apply => return Err(FailedAdoption::NoTarget.into()),
        None => None,
    };
    let tables = read_older_portal(&arguments.from, &wanted::TABLES).await.map_err(FailedAdoption::Older)?;
    let missing = wanted::missing(&tables);
    if !missing.is_empty() {
        return Err(FailedAdoption::Missing(missing.join("; ")).into());
    }

    let mut report = Report { source: arguments.source.clone(), applied: arguments.apply, ..Report::default() };
    let hashes =
        tables.get(CODES).into_iter().flat_map(|table| &table.rows).filter_map(|row| row.get("hash").map(String::as_str));
    match (&pepper, &arguments.sample) {
        (Some(pepper), Some(sample)) => {
            report.notes.push(inputs::try_sample(sample, pepper, hashes)?.map_err(FailedAdoption::Sample)?);
        }
        (Some(_), None) => report.notes.push("The pepper was not tried: give --sample FILE with texts of codes.".to_owned()),
        (None, _) => {}
    }
    let slugs = tables.get(TENANTS).map(sorting::slugs).unwrap_or_default();
    let target = match &store {
        Some(store) => Target::read(store, &arguments.source, &slugs).await.map_err(FailedAdoption::Store)?,
        None => Target::default(),
    };
    let now = SystemClock.now();
    let sorted = Sorter { now, entropy: &SystemEntropy, target: &target, report: &mut report }.sort(&tables);
    drop(tables);
    if let (Some(store), Some(keys)) = (&store, &keys) {
        take(store, keys, sorted, &mut report).await.map_err(FailedAdoption::Store)?;
    }
    if let Some(store) = store {
        store.close().await;
    }
    report.settle();
    if let Some(file) = &arguments.report {
        inputs::write(file, &format!("{:#}\n", report.json()))?;
    }
    let ending = match arguments.apply {
        true => "Taken over. Set TENANTRY__KEYS__LEGACY_PEPPER on every server, so that old codes are found by their texts.",
        false => "A dry run: nothing was written. With --apply it is done.",
    };
    Ok(format!("{}\n{ending}\n", report.text()))
}

/// Opens Tenantry's database, if its schema is complete. A dry run makes no file.
async fn open(url: &str) -> Result<DatabaseStore, Box<dyn Error>> {
    let pending = tenantry_migration::status(url).await?.pending().len();
    if pending > 0 {
        return Err(FailedAdoption::Pending(pending).into());
    }
    Ok(DatabaseStore::connect(&Options { max_connections: 2, ..Options::new(url) }).await?)
}

/// Takes it all over: plans first, then each tenant with all that is its own, then what is nobody's. Each part is whole or not there.
async fn take(store: &DatabaseStore, keys: &KeyRing, sorted: Sorted, report: &mut Report) -> Result<(), StoreError> {
    let Sorted { plans, households, legacy } = sorted;
    if !plans.is_empty() {
        part(store, &Adoption { plans, ..Adoption::default() }, report).await?;
    }
    for (tenant, household) in households {
        part(store, &adoption(tenant, household, keys), report).await?;
    }
    for projects in legacy.chunks(LEGACY_AT_ONCE) {
        part(store, &Adoption { projects: projects.to_vec(), ..Adoption::default() }, report).await?;
    }
    Ok(())
}

/// Takes one part over. Where a name was given away since the look at the database, the part is refused and the others go on.
async fn part(store: &DatabaseStore, adoption: &Adoption, report: &mut Report) -> Result<(), StoreError> {
    let cx = Context::system(SystemClock.now(), &SystemEntropy);
    let (table, key) = match adopt(store, &cx, &report.source.clone(), adoption).await {
        Ok(()) => return Ok(()),
        Err(AdoptError::PlanNameTaken { old_key }) => (PLANS, old_key),
        Err(AdoptError::TenantSlugTaken { old_key }) => (TENANTS, old_key),
        Err(AdoptError::ProjectSlugTaken { old_key }) => (PROJECTS, old_key),
        Err(AdoptError::Store(failure)) => return Err(failure),
    };
    report.refuse(table, &key, "somebody took its name meanwhile; nothing of its part was taken: run it again");
    let lost = [
        adoption.plans.len(),
        adoption.tenants.len(),
        adoption.subscriptions.len(),
        adoption.codes.len(),
        adoption.projects.len(),
    ];
    for (counts, lost) in report.counts.iter_mut().zip(lost) {
        counts.taken = counts.taken.saturating_sub(lost);
    }
    Ok(())
}

fn adoption(tenant_id: TenantId, household: Household, keys: &KeyRing) -> Adoption {
    let Household { tenant, subscription, codes, projects, redemptions } = household;
    let kept = |Adopted { old_key, row: (id, code) }| Adopted { old_key, row: kept(tenant_id, id, code, keys) };
    Adoption {
        plans: Vec::new(),
        tenants: tenant.into_iter().collect(),
        subscriptions: subscription.into_iter().collect(),
        codes: codes.into_iter().map(kept).collect(),
        projects,
        redemptions,
    }
}

/// A code as Tenantry keeps it: with a keyed digest of the older portal's.
fn kept(tenant_id: TenantId, id: CodeId, code: OlderCode, keys: &KeyRing) -> Code {
    let KeyedCodeDigest { digest, key_id } = keys.adopted_digest(code.digest);
    let OlderCode { hint, label, max_uses, use_count, used_at, revoked_at, expires_at, created_at, updated_at, .. } = code;
    // The batch is made where it is stored.
    let batch_id = Id::from_uuid(id.uuid());
    Code {
        id,
        tenant_id,
        digest,
        key_id,
        hint,
        label,
        max_uses,
        use_count,
        expires_at,
        used_at,
        revoked_at,
        batch_id,
        created_at,
        updated_at,
    }
}
