//! From the rows of an older portal to what is taken over: each row finds what it refers to, or is told why not.

use std::collections::{BTreeMap, HashMap, HashSet};

use tenantry_domain::{
    Adopted, AdoptedKind, Entropy, Id, Plan, PlanId, Project, ProjectStatus, Redemption, Slug, Subscription, SubscriptionState,
    Tenant, TenantId, Timestamp,
};
use tenantry_persistence::OlderRow;

use super::{
    cells::{Cells, Reason},
    codes::{self, OlderCode},
    report::Report,
    target::Target,
    tenants,
};

/// Places of the tables in [`TABLES`](super::wanted::TABLES).
pub const PLANS: usize = 0;
pub const TENANTS: usize = 1;
pub const SUBSCRIPTIONS: usize = 2;
pub const CODES: usize = 3;
pub const PROJECTS: usize = 4;

/// What belongs to one tenant, and is taken over together.
#[derive(Debug, Default)]
pub struct Household {
    /// None, where the tenant was taken before.
    pub tenant: Option<Adopted<Tenant>>,
    pub subscription: Option<Adopted<Subscription>>,
    pub codes: Vec<Adopted<(tenantry_domain::CodeId, OlderCode)>>,
    pub projects: Vec<Adopted<Project>>,
    pub redemptions: Vec<Redemption>,
}

/// All that is taken over.
#[derive(Debug, Default)]
pub struct Sorted {
    pub plans: Vec<Adopted<Plan>>,
    pub households: BTreeMap<TenantId, Household>,
    /// Projects of nobody.
    pub legacy: Vec<Adopted<Project>>,
}

/// What sorting knows beside the rows.
pub struct Sorter<'a> {
    pub now: Timestamp,
    pub entropy: &'a dyn Entropy,
    pub target: &'a Target,
    pub report: &'a mut Report,
}

/// The tenants that are taken, now or before, by their keys in the older portal.
pub type Owners = HashMap<String, TenantId>;

/// The slugs that the tenants of an older portal would have.
pub fn slugs(tenants: &[OlderRow]) -> Vec<Slug> {
    tenants.iter().filter_map(|row| Slug::parse(row.get("slug")?).ok()).collect()
}

impl Sorter<'_> {
    /// Sorts what is told of tenants, less what they own.
    pub fn tenants_of(&mut self, [plan_rows, tenant_rows, subscription_rows]: [&[OlderRow]; 3]) -> (Sorted, Owners) {
        let mut sorted = Sorted::default();
        let known_plans = self.plans(plan_rows, &mut sorted);
        let subscribed = self.subscribed(subscription_rows, &known_plans);
        let tenants = self.tenants(tenant_rows, &known_plans, &subscribed, &mut sorted);
        self.report_lost_subscriptions(&subscribed, &tenants);
        let [plans, ..] = &mut self.report.counts;
        plans.taken = sorted.plans.len();
        (sorted, tenants)
    }

    /// Whether a row was taken before; such are counted.
    pub fn was_taken(&mut self, table: usize, kind: AdoptedKind, key: &str) -> bool {
        let taken = self.target.before(kind).contains_key(key);
        if taken && let Some(counts) = self.report.counts.get_mut(table) {
            counts.before += 1;
        }
        taken
    }

    /// Notes what is changed of a row, or that it is refused.
    pub fn noted<T>(&mut self, table: usize, key: &str, taken: Result<(T, Vec<Reason>), Reason>) -> Option<T> {
        match taken {
            Ok((row, changes)) => {
                changes.into_iter().for_each(|change| self.report.change(table, key, change));
                Some(row)
            }
            Err(reason) => {
                self.report.refuse(table, key, reason);
                None
            }
        }
    }

    fn plans(&mut self, rows: &[OlderRow], sorted: &mut Sorted) -> HashMap<String, PlanId> {
        let mut plans: HashMap<String, PlanId> = identifiers(self.target, AdoptedKind::Plan);
        let mut names = HashSet::new();
        for row in rows {
            let cells = Cells::new(row, self.now);
            let key = cells.key();
            let was_taken = self.was_taken(PLANS, AdoptedKind::Plan, key);
            let name = cells.text("name").unwrap_or_default().trim().to_owned();
            if !names.insert(name.clone()) {
                if !was_taken {
                    self.report.refuse(PLANS, key, "name: another plan of the older portal has it");
                }
                continue;
            }
            if was_taken {
                continue;
            }
            if self.target.plans.contains(&name) {
                self.report.refuse(PLANS, key, "name: a plan of Tenantry has it: rename one of the two");
                continue;
            }
            if let Some(plan) = self.noted(PLANS, key, tenants::plan(cells, self.entropy)) {
                plans.insert(key.to_owned(), plan.id);
                sorted.plans.push(Adopted { old_key: key.to_owned(), row: plan });
            }
        }
        plans
    }

    /// The subscription of each tenant's key that counts: an active one first, then the newest.
    fn subscribed<'r>(&mut self, rows: &'r [OlderRow], plans: &HashMap<String, PlanId>) -> BTreeMap<String, Cells<'r>> {
        let mut chosen: BTreeMap<String, (bool, Cells<'r>)> = BTreeMap::new();
        for row in rows {
            let cells = Cells::new(row, self.now);
            let key = cells.key();
            if self.was_taken(SUBSCRIPTIONS, AdoptedKind::Subscription, key) {
                continue;
            }
            let Some(tenant) = cells.text("tenant") else {
                self.report.refuse(SUBSCRIPTIONS, key, "tenant: is missing");
                continue;
            };
            if !cells.text("plan").is_some_and(|plan| plans.contains_key(plan)) {
                self.report.refuse(SUBSCRIPTIONS, key, "plan: there is none that is taken");
                continue;
            }
            // What is wrong with it is found before another is passed over for it.
            let tried = tenants::subscription(
                cells,
                Id::generate(self.now, self.entropy),
                Id::generate(self.now, self.entropy),
                self.now,
                self.entropy,
            );
            let active = match tried {
                Ok((subscription, _)) => matches!(subscription.state, SubscriptionState::Active | SubscriptionState::Trialing),
                Err(reason) => {
                    self.report.refuse(SUBSCRIPTIONS, key, reason);
                    continue;
                }
            };
            let better = chosen.get(tenant).is_none_or(|(was_active, _)| active >= *was_active);
            let passed = match better {
                true => chosen.insert(tenant.to_owned(), (active, cells)).map(|(_, cells)| cells),
                false => Some(cells),
            };
            if let Some(passed) = passed {
                self.report.refuse(SUBSCRIPTIONS, passed.key(), "tenant: has another subscription, which counts");
            }
        }
        chosen.into_iter().map(|(tenant, (_, cells))| (tenant, cells)).collect()
    }

    fn tenants(
        &mut self,
        rows: &[OlderRow],
        plans: &HashMap<String, PlanId>,
        subscribed: &BTreeMap<String, Cells<'_>>,
        sorted: &mut Sorted,
    ) -> HashMap<String, TenantId> {
        let mut ids: HashMap<String, TenantId> = identifiers(self.target, AdoptedKind::Tenant);
        ids.retain(|_, id| !self.target.gone.contains(id));
        let mut slugs: HashMap<String, &str> = HashMap::new();
        for row in rows {
            let cells = Cells::new(row, self.now);
            let key = cells.key();
            let was_taken = self.was_taken(TENANTS, AdoptedKind::Tenant, key);
            let folded = cells.text("slug").and_then(|slug| Slug::parse(slug).ok()).map(|slug| slug.to_string());
            if let Some(other) = folded.as_ref().and_then(|slug| slugs.get(slug)) {
                if !was_taken {
                    self.report.refuse(TENANTS, key, format!("slug: the tenant {other} has the same one"));
                }
                continue;
            }
            if was_taken {
                slugs.extend(folded.map(|slug| (slug, key)));
                continue;
            }
            if folded.as_ref().is_some_and(|slug| self.target.slugs.contains(slug)) {
                self.report.refuse(TENANTS, key, "slug: a tenant of Tenantry has it");
                continue;
            }
            let Some(tenant) = self.noted(TENANTS, key, tenants::tenant(cells, self.entropy)) else { continue };
            let subscription = match subscribed.get(key) {
                Some(cells) => {
                    self.subscription(*cells, &tenant, plans).map(|row| Adopted { old_key: cells.key().to_owned(), row })
                }
                None => {
                    let from_tenant = self.subscription(cells, &tenant, plans);
                    from_tenant.map(|row| Adopted { old_key: format!("tenant {key}"), row })
                }
            };
            let Some(subscription) = subscription else {
                self.report.refuse(TENANTS, key, "it has neither a subscription nor a plan that is taken");
                continue;
            };
            slugs.extend(folded.map(|slug| (slug, key)));
            ids.insert(key.to_owned(), tenant.id);
            let household = sorted.households.entry(tenant.id).or_default();
            household.tenant = Some(Adopted { old_key: key.to_owned(), row: tenant });
            household.subscription = Some(subscription);
        }
        ids
    }

    /// A subscription by its own row, or by a tenant's that names its plan.
    fn subscription(&mut self, cells: Cells<'_>, tenant: &Tenant, plans: &HashMap<String, PlanId>) -> Option<Subscription> {
        let plan = *plans.get(cells.text("plan")?)?;
        let taken = tenants::subscription(cells, tenant.id, plan, self.now, self.entropy);
        self.noted(SUBSCRIPTIONS, cells.key(), taken)
    }

    fn report_lost_subscriptions(&mut self, subscribed: &BTreeMap<String, Cells<'_>>, tenants: &HashMap<String, TenantId>) {
        let lost = subscribed.iter().filter(|(tenant, _)| !tenants.contains_key(*tenant));
        for (_, cells) in lost {
            self.report.refuse(SUBSCRIPTIONS, cells.key(), "tenant: there is none that is taken");
        }
        // A tenant from before has its subscription from before.
        for (_, cells) in subscribed.iter().filter(|(tenant, _)| self.target.before(AdoptedKind::Tenant).contains_key(*tenant)) {
            self.report.refuse(SUBSCRIPTIONS, cells.key(), "tenant: was taken before, with another subscription");
        }
    }

    /// Sorts some codes. Those in `unwanted` are refused for the reason that stands there.
    pub fn codes(
        &mut self,
        rows: &[OlderRow],
        owners: &Owners,
        unwanted: [&HashMap<String, Reason>; 2],
        sorted: &mut Sorted,
        known: &mut super::linking::Codes,
    ) {
        for row in rows {
            let cells = Cells::new(row, self.now);
            let key = cells.key();
            if self.was_taken(CODES, AdoptedKind::Code, key) {
                continue;
            }
            let Some(&tenant) = cells.text("tenant").and_then(|tenant| owners.get(tenant)) else {
                self.report.refuse(CODES, key, "tenant: there is none that is taken");
                continue;
            };
            if let Some(reason) = unwanted.into_iter().find_map(|reasons| reasons.get(key)) {
                self.report.refuse(CODES, key, reason.as_str());
                continue;
            }
            let Some(code) = self.noted(CODES, key, codes::code(cells)) else { continue };
            let id = Id::generate(code.created_at, self.entropy);
            let household = sorted.households.entry(tenant).or_default();
            known.add(key, tenant, household.codes.len(), &code);
            household.codes.push(Adopted { old_key: key.to_owned(), row: (id, code) });
        }
    }

    /// Counts what is taken of a household.
    pub fn count(&mut self, household: &Household) {
        let subscriptions = household.subscription.iter().filter(|it| !it.old_key.starts_with("tenant ")).count();
        let Household { tenant, codes, projects, .. } = household;
        let taken = [0, usize::from(tenant.is_some()), subscriptions, codes.len(), projects.len()];
        for (counts, taken) in self.report.counts.iter_mut().zip(taken) {
            counts.taken += taken;
        }
    }
}

/// Whether a project stands as one that was activated.
pub fn is_started(project: &Project) -> bool {
    project.status != ProjectStatus::Pending
}

fn identifiers<K>(target: &Target, kind: AdoptedKind) -> HashMap<String, Id<K>> {
    target.before(kind).iter().map(|(key, id)| (key.clone(), Id::from_uuid(*id))).collect()
}
