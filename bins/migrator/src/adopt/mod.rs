//! `adopt`: brings an older portal's tenants, plans, subscriptions, projects and codes over.

mod cells;
mod codes;
mod inputs;
mod linking;
mod projects;
mod report;
mod sorting;
mod taking;
mod target;
mod tenants;
mod wanted;

use std::{error::Error, path::PathBuf};

use clap::Args;
use tenantry_auth::LegacyPepper;
use tenantry_domain::{
    AdmitKeyRingError, Clock as _, ForeignKeyRing, StoreError, SystemClock, SystemEntropy, compare_key_ring,
    ports::{SigningKeyReads as _, Store as _},
};
use tenantry_migration::Alone;
use tenantry_persistence::{DatabaseStore, OlderPortal, OlderPortalError, Options};

use self::{
    inputs::{InputError, Sample},
    report::Report,
    sorting::Sorter,
    taking::{Belongings, Destination},
    target::Target,
};

#[derive(Args)]
pub struct Arguments {
    /// The older portal's database: `postgres://user:password@host:5432/database`. It is only read
    #[arg(long, env = "TENANTRY_ADOPT_FROM", hide_env_values = true, value_name = "URL")]
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
    #[error(
        "the database holds an unfinished copy: let `tenantry-migrator copy` finish it, by the command that began it, then adopt"
    )]
    UnfinishedCopy,
    #[error("the older portal has not what is needed: {0}")]
    Missing(String),
    #[error("{0}")]
    Sample(String),
    #[error("the older portal can't be read")]
    Older(#[from] OlderPortalError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(
        "the key ring isn't the one that Tenantry's database was made with, whose servers would find no code by it: {0}. Give the servers' own with --keys-file"
    )]
    ForeignKeys(ForeignKeyRing),
    #[error("Tenantry's database failed; what was taken stays, and is passed over when the same command is run again")]
    Store(#[from] StoreError),
}

/// Adopts, or says what would be done; answers the report.
pub async fn run(arguments: &Arguments, database_url: Option<&str>) -> Result<String, Box<dyn Error>> {
    let url = arguments.to.as_deref().or(database_url);
    let keys = arguments.keys_file.as_deref().map(inputs::keys).transpose()?;
    if arguments.apply && keys.is_none() {
        return Err(InputError::NoKeys.into());
    }
    let pepper = arguments.pepper_file.as_deref().map(inputs::pepper).transpose()?;
    let store = match url {
        Some(url) => Some(open(url).await?),
        None if arguments.apply => return Err(FailedAdoption::NoTarget.into()),
        None => None,
    };
    if let (Some(store), Some(keys)) = (&store, &keys) {
        let known = store.reader().signing_keys().await.map_err(FailedAdoption::Store)?;
        compare_key_ring(&known, &keys.fingerprints()).map_err(FailedAdoption::ForeignKeys)?;
    }
    // Another that takes the same rows over at the same time would fail on its way, at a row that this one was first with.
    let _alone = match url.filter(|_| arguments.apply) {
        Some(url) => Some(Alone::on(url).await?),
        None => None,
    };
    let mut portal = OlderPortal::open(&arguments.from).await.map_err(FailedAdoption::Older)?;
    let mut report = Report { source: arguments.source.clone(), applied: arguments.apply, ..Report::default() };
    let destination = Destination { store: store.as_ref(), keys: keys.as_ref(), applies: arguments.apply };
    bring(arguments, &mut portal, destination, pepper.as_ref(), &mut report).await?;
    portal.close().await;
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

/// Reads the older portal, and takes over what can be, or says what would be.
async fn bring(
    arguments: &Arguments,
    portal: &mut OlderPortal,
    destination: Destination<'_>,
    pepper: Option<&LegacyPepper>,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let mut tables = Vec::new();
    for wanted in &wanted::TABLES {
        tables.push(portal.table(wanted).await.map_err(older)?);
    }
    let missing = wanted::missing(&tables);
    if !missing.is_empty() {
        return Err(FailedAdoption::Missing(missing.join("; ")).into());
    }
    let [plans, tenants, subscriptions, codes, projects] = &tables[..] else { return Ok(()) };
    for (counts, table) in report.counts.iter_mut().zip(&tables) {
        counts.found = usize::try_from(table.found)?;
    }
    match (pepper, &arguments.sample) {
        (Some(pepper), Some(sample)) => {
            let sample = Sample::read(sample, pepper)?;
            let found = portal.known(codes, "hash", &sample.digests()).await.map_err(older)?;
            report.notes.push(sample.judge(found).map_err(FailedAdoption::Sample)?);
        }
        (Some(_), None) => report.notes.push("The pepper was not tried: give --sample FILE with texts of codes.".to_owned()),
        (None, _) => {}
    }
    let mut rows = Vec::new();
    for table in [plans, tenants, subscriptions] {
        rows.push(portal.rows(table).await.map_err(older)?);
    }
    let [plans, tenants, subscriptions] = &rows[..] else { return Ok(()) };
    let target = match destination.store {
        Some(store) => Target::read(store, &arguments.source, &sorting::slugs(tenants)).await.map_err(FailedAdoption::Store)?,
        None => Target::default(),
    };
    let belongings = Belongings::of(portal, codes, projects).await.map_err(older)?;
    let mut sorter = Sorter { now: SystemClock.now(), entropy: &SystemEntropy, target: &target, report };
    let known = sorter.tenants_of([plans, tenants, subscriptions]);
    Ok(taking::take(&mut sorter, portal, belongings, known, destination).await?)
}

impl From<AdmitKeyRingError> for FailedAdoption {
    fn from(failure: AdmitKeyRingError) -> Self {
        match failure {
            AdmitKeyRingError::Foreign(why) => Self::ForeignKeys(why),
            AdmitKeyRingError::Store(failure) => Self::Store(failure),
        }
    }
}

fn older(failure: StoreError) -> FailedAdoption {
    FailedAdoption::Older(failure.into())
}

/// Opens Tenantry's database, if its schema is complete. A dry run makes no file.
async fn open(url: &str) -> Result<DatabaseStore, Box<dyn Error>> {
    let status = tenantry_migration::status(url).await?;
    if status.unfinished_copy {
        return Err(FailedAdoption::UnfinishedCopy.into());
    }
    let pending = status.pending().len();
    if pending > 0 {
        return Err(FailedAdoption::Pending(pending).into());
    }
    Ok(DatabaseStore::connect(&Options { max_connections: 2, ..Options::new(url) }).await?)
}
