use crate::{
    Action, AuditEvent, Code, CodeId, Context, PageLimit, PageRequest, StoreError, Target, TenantId, Timestamp, ports::*,
};

/// An export of codes: those of a list, as they are at one moment, a page at a time.
#[derive(Clone, Debug)]
pub struct CodeExport {
    tenant: Option<TenantId>,
    filter: CodeFilter,
    now: Timestamp,
}

/// Begins an export of everybody's codes, or of one tenant's.
///
/// That it was begun is audited: an export leaves a copy behind, and who made it is to be found.
///
/// # Errors
/// Where the store fails.
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// let export = begin_code_export(&store, &cx, Some(tenant), CodeFilter::default()).await?;
/// let (mut after, mut exported) = (None, 0);
/// loop {
///     let (codes, next) = export.page(&mut store.reader(), after).await?;
///     exported += codes.len();
///     match next {
///         Some(last) => after = Some(last),
///         None => break,
///     }
/// }
/// assert_eq!(exported, 2);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn begin_code_export<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: Option<TenantId>,
    filter: CodeFilter,
) -> Result<CodeExport, StoreError> {
    let mut event = AuditEvent::new(cx, Action::CodesExported, tenant, filter.batch.map(Target::Batch));
    if let Some(status) = filter.status {
        event = event.with("status", status.as_str());
    }
    // What they were is the affair of whoever asked.
    for (name, asked) in [("label", filter.label.is_some()), ("hint", filter.hint.is_some())] {
        if asked {
            event = event.with(name, "one");
        }
    }
    let mut tx = store.begin().await?;
    tx.append_audit(&event).await?;
    tx.commit().await?;
    Ok(CodeExport { tenant, filter, now: cx.now })
}

impl CodeExport {
    /// The moment that the codes' status is that of.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The next codes from behind `after`, newest first, and after which to go on; `None` there: these were the last. There may be none, and
    /// yet more behind them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn page<R: CodeReads>(
        &self,
        reader: &mut R,
        after: Option<CodeId>,
    ) -> Result<(Vec<Code>, Option<CodeId>), StoreError> {
        // An export reads the whole list, so what no index tells apart is told apart here: each code is then read once, in the list's order.
        let CodeFilter { status, label, batch, hint } = self.filter.clone();
        let indexed = label.clone().filter(|_| self.tenant.is_some());
        let filter = CodeFilter { status: None, label: indexed, batch, hint };
        let request = PageRequest { limit: PageLimit::EXPORT, after, count: false };
        let page = reader.codes_of_anyone_page(self.tenant, &filter, self.now, request).await?;
        let next = page.items.last().map(|code| code.id).filter(|_| page.has_more);
        let wanted =
            |code: &Code| status.is_none_or(|status| code.status(self.now) == status) && (label.is_none() || code.label == label);
        Ok((page.items.into_iter().filter(wanted).collect(), next))
    }
}
