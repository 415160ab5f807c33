//! Lists, a page at a time.

use std::fmt;

use crate::{Id, InvalidValue, id::Kind};

/// Which page of a list: so many items, from behind this one on.
///
/// Lists are newest first, unless one says otherwise. A page is stable: what is added meanwhile moves nothing on pages behind it.
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
/// let mut request = PageRequest { limit: PageLimit::new(50)?, after: None, count: false };
/// loop {
///     let page = store.reader().codes_page(tenant, &CodeFilter::default(), cx.now, request).await?;
///     for code in &page.items {
///         println!("..-{} is {}", code.hint, code.status(cx.now).as_str());
///     }
///     let Some(last) = page.items.last().filter(|_| page.has_more) else { break };
///     request.after = Some(last.id);
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct PageRequest<K> {
    /// How many items at the most.
    pub limit: PageLimit,
    /// The last item of the page before; `None` for the first page.
    pub after: Option<Id<K>>,
    /// Whether to count the whole list, which costs more the longer it is.
    pub count: bool,
}

impl<K> Clone for PageRequest<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for PageRequest<K> {}
impl<K: Kind> fmt::Debug for PageRequest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, after, count } = self;
        f.debug_struct("PageRequest").field("limit", limit).field("after", after).field("count", count).finish()
    }
}

/// How many items a page has: 1 to 200, 20 unless asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    /// The most items of a page.
    pub const MAX: u16 = 200;

    /// How many items an export reads at once: nobody waits for a page of it.
    pub(crate) const EXPORT: Self = Self(2_000);

    /// Checks the bounds.
    ///
    /// # Errors
    /// `out_of_range`.
    pub fn new(limit: u16) -> Result<Self, InvalidValue> {
        let out = || InvalidValue::new("out_of_range", format!("must be 1 to {}", Self::MAX));
        Some(limit).filter(|limit| (1..=Self::MAX).contains(limit)).map(Self).ok_or_else(out)
    }

    /// The number of items.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

/// A page of a list, and whether another follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Whether another page follows.
    pub has_more: bool,
    /// How many items all pages have together, where that was asked for: `Some` exactly then.
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// Makes a page of up to one item more than `limit`: the extra one says that there are more. Nothing is counted.
    #[must_use]
    pub fn from_surplus(mut items: Vec<T>, limit: PageLimit) -> Self {
        let limit = usize::from(limit.get());
        let has_more = items.len() > limit;
        items.truncate(limit);
        Self { items, has_more, total: None }
    }

    /// The answer to a request for a list that has nothing.
    #[must_use]
    pub fn of_nothing<K>(request: PageRequest<K>) -> Self {
        Self { items: Vec::new(), has_more: false, total: request.count.then_some(0) }
    }

    /// The page with every item turned into another.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), has_more: self.has_more, total: self.total }
    }
}
