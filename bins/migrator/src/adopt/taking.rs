//! Owner after owner: what each has is read, sorted, and taken over before the next one's is read, so that a portal may be larger than memory.

use std::collections::{HashMap, HashSet};

use tenantry_auth::{KeyRing, LegacyDigest};
use tenantry_domain::{
    AdoptError, Adopted, Adoption, Clock as _, Code, CodeDigest, CodeId, Context, Id, KeyedCodeDigest, Redemption, StoreError,
    SystemClock, SystemEntropy, TenantId, admit_key_ring, adopt, begin_adoption, complete_adoption,
    ports::{CodeReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, OlderPortal, OlderRow, OlderTable, RowsBy};

use super::{
    cells::Reason,
    codes::OlderCode,
    linking,
    report::Report,
    sorting::{CODES, Household, Owners, PLANS, PROJECTS, Sorted, Sorter, TENANTS},
};

/// Projects of nobody that are taken together.
const PROJECTS_AT_ONCE: usize = 500;

/// Codes that are taken together. An owner with more is taken in several parts, so that servers of the same database needn't wait for long.
const CODES_AT_ONCE: usize = 5_000;

/// Digests that are looked for at once.
const DIGESTS_AT_ONCE: usize = 500;

/// Where rows go. Without a key ring nobody can say whether a code is there already; without `applies` nothing is written.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    pub store: Option<&'a DatabaseStore>,
    pub keys: Option<&'a KeyRing>,
    pub applies: bool,
}

/// What owners have, in the order of their keys.
pub struct Belongings {
    codes: RowsBy,
    projects: RowsBy,
    /// Codes that are another row's too, by their keys, and why they aren't wanted.
    repeated: HashMap<String, Reason>,
}

impl Belongings {
    pub async fn of(portal: &mut OlderPortal, codes: &OlderTable, projects: &OlderTable) -> Result<Self, StoreError> {
        let repeated = portal.repeated(codes, "hash").await?;
        let because = |(key, first): (String, String)| (key, format!("hash: the code {first} has the same one"));
        Ok(Self {
            repeated: repeated.into_iter().map(because).collect(),
            codes: portal.begin_by(codes, "tenant").await?,
            projects: portal.begin_by(projects, "tenant").await?,
        })
    }

    /// Whose turn it is: whoever comes first in either table, those without an owner at the end.
    async fn next_owner(&mut self, portal: &mut OlderPortal) -> Result<Option<Option<String>>, StoreError> {
        let (code, project) = (self.codes.next_value(portal).await?, self.projects.next_value(portal).await?);
        let named = |value: &Option<Option<String>>| value.clone().flatten();
        Ok(match (named(&code), named(&project)) {
            (Some(one), Some(other)) => Some(Some(one.min(other))),
            (Some(one), None) | (None, Some(one)) => Some(Some(one)),
            (None, None) => code.or(project).map(|_| None),
        })
    }
}

/// Takes everything over, or only says what would be: plans, then each owner with all that is its own, then what is nobody's.
pub async fn take(
    sorter: &mut Sorter<'_>,
    portal: &mut OlderPortal,
    mut belongings: Belongings,
    (mut tenants, owners): (Sorted, Owners),
    destination: Destination<'_>,
) -> Result<(), super::FailedAdoption> {
    let context = || Context::system(SystemClock.now(), &SystemEntropy);
    let source = sorter.report.source.clone();
    let noted = destination.store.filter(|_| destination.applies);
    if let (Some(store), Some(keys)) = (noted, destination.keys) {
        // Codes are digested by it, so it is the database's from here on.
        admit_key_ring(store, &context(), &keys.fingerprints()).await?;
    }
    if let Some(store) = noted {
        begin_adoption(store, &context(), &source).await?;
    }
    if !tenants.plans.is_empty() {
        let plans = std::mem::take(&mut tenants.plans);
        part(sorter.report, destination, &Adoption { plans, ..Adoption::default() }).await?;
    }
    while let Some(owner) = belongings.next_owner(portal).await.map_err(super::older)? {
        let mut sorted = Sorted::default();
        let tenant = owner.as_deref().and_then(|owner| owners.get(owner)).copied();
        if let Some(tenant) = tenant {
            sorted.households.insert(tenant, tenants.households.remove(&tenant).unwrap_or_default());
        }
        let mut known = linking::Codes::default();
        loop {
            let rows = belongings.codes.some_of(portal, owner.as_deref()).await.map_err(super::older)?;
            if rows.is_empty() {
                break;
            }
            let there = already_there(&rows, destination).await?;
            sorter.codes(&rows, &owners, [&belongings.repeated, &there], &mut sorted, &mut known);
        }
        let mut rows = Vec::new();
        loop {
            let some = belongings.projects.some_of(portal, owner.as_deref()).await.map_err(super::older)?;
            if some.is_empty() {
                break;
            }
            rows.extend(some);
        }
        linking::projects(sorter, &rows, &owners, &known, &mut sorted);
        for (tenant, household) in sorted.households {
            sorter.count(&household);
            take_household(sorter.report, destination, tenant, household).await?;
        }
        take_legacy(sorter, destination, sorted.legacy).await?;
    }
    for (tenant, household) in tenants.households {
        sorter.count(&household);
        take_household(sorter.report, destination, tenant, household).await?;
    }
    if let Some(store) = noted {
        complete_adoption(store, &context(), &source).await?;
    }
    Ok(())
}

/// Those of some codes that the database has by their digests, by their keys, and why they aren't wanted: under whichever key, else a code that
/// was brought over under two names could be used twice.
async fn already_there(rows: &[OlderRow], destination: Destination<'_>) -> Result<HashMap<String, Reason>, StoreError> {
    let Destination { store: Some(store), keys: Some(keys), .. } = destination else { return Ok(HashMap::new()) };
    let candidates = |row: &OlderRow| {
        let digest = row.get("hash").and_then(|hash| LegacyDigest::parse(hash));
        digest.map(|digest| keys.adopted_candidates(digest)).unwrap_or_default()
    };
    let asked: Vec<CodeDigest> = rows.iter().flat_map(candidates).collect();
    let (mut reader, mut known) = (store.reader(), HashSet::new());
    for digests in asked.chunks(DIGESTS_AT_ONCE) {
        known.extend(reader.known_digests(digests).await?.iter().map(|digest| *digest.as_bytes()));
    }
    let is_known = |row: &&OlderRow| candidates(row).iter().any(|digest| known.contains(digest.as_bytes()));
    let because = |row: &OlderRow| Some((row.get("key")?.clone(), "hash: a code of Tenantry has the same one".to_owned()));
    Ok(rows.iter().filter(is_known).filter_map(because).collect())
}

async fn take_legacy(
    sorter: &mut Sorter<'_>,
    destination: Destination<'_>,
    projects: Vec<Adopted<tenantry_domain::Project>>,
) -> Result<(), StoreError> {
    if let Some(counts) = sorter.report.counts.get_mut(PROJECTS) {
        counts.taken += projects.len();
    }
    for projects in projects.chunks(PROJECTS_AT_ONCE) {
        part(sorter.report, destination, &Adoption { projects: projects.to_vec(), ..Adoption::default() }).await?;
    }
    Ok(())
}

/// Takes an owner over with its projects and the codes that they have, then the rest of its codes.
async fn take_household(
    report: &mut Report,
    destination: Destination<'_>,
    tenant: TenantId,
    household: Household,
) -> Result<(), StoreError> {
    let Destination { keys: Some(keys), applies: true, .. } = destination else { return Ok(()) };
    let Household { tenant: row, subscription, codes, projects, redemptions } = household;
    let needed: HashSet<CodeId> = projects.iter().filter_map(|project| project.row.activation_code_id).collect();
    let (mut now, mut later): (Vec<_>, Vec<_>) = codes.into_iter().partition(|code| needed.contains(&code.row.0));
    let room = CODES_AT_ONCE.saturating_sub(now.len()).min(later.len());
    now.extend(later.drain(later.len() - room..));
    let mut uses: HashMap<Option<CodeId>, Vec<Redemption>> = HashMap::new();
    for redemption in redemptions {
        uses.entry(redemption.activation_code_id).or_default().push(redemption);
    }
    let mut of = |codes: &[Adopted<(CodeId, OlderCode)>]| -> Vec<Redemption> {
        codes.iter().filter_map(|code| uses.remove(&Some(code.row.0))).flatten().collect()
    };
    let kept = |Adopted { old_key, row: (id, code) }| Adopted { old_key, row: kept(tenant, id, code, keys) };
    let first = Adoption {
        plans: Vec::new(),
        tenants: row.into_iter().collect(),
        subscriptions: subscription.into_iter().collect(),
        redemptions: of(&now),
        codes: now.into_iter().map(kept).collect(),
        projects,
    };
    if !part(report, destination, &first).await? {
        if let Some(counts) = report.counts.get_mut(CODES) {
            counts.taken = counts.taken.saturating_sub(later.len());
        }
        return Ok(());
    }
    while !later.is_empty() {
        let codes = later.split_off(later.len().saturating_sub(CODES_AT_ONCE));
        let redemptions = of(&codes);
        let codes = codes.into_iter().map(kept).collect();
        part(report, destination, &Adoption { codes, redemptions, ..Adoption::default() }).await?;
    }
    Ok(())
}

/// Takes one part over, or nothing of it. Where a name was given away since the look at the database, the part is refused and the others go
/// on.
async fn part(report: &mut Report, destination: Destination<'_>, adoption: &Adoption) -> Result<bool, StoreError> {
    let Destination { store: Some(store), applies: true, .. } = destination else { return Ok(true) };
    if *adoption == Adoption::default() {
        return Ok(true);
    }
    let cx = Context::system(SystemClock.now(), &SystemEntropy);
    let (table, key) = match adopt(store, &cx, &report.source.clone(), adoption).await {
        Ok(()) => return Ok(true),
        Err(AdoptError::PlanNameTaken { old_key }) => (PLANS, old_key),
        Err(AdoptError::TenantSlugTaken { old_key }) => (TENANTS, old_key),
        Err(AdoptError::ProjectSlugTaken { old_key }) => (PROJECTS, old_key),
        Err(AdoptError::Store(failure)) => return Err(failure),
    };
    report.refuse(table, &key, "somebody took its name meanwhile; nothing of its part was taken: run it again");
    let Adoption { plans, tenants, subscriptions, codes, projects, .. } = adoption;
    let lost = [plans.len(), tenants.len(), subscriptions.len(), codes.len(), projects.len()];
    for (counts, lost) in report.counts.iter_mut().zip(lost) {
        counts.taken = counts.taken.saturating_sub(lost);
    }
    Ok(false)
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
