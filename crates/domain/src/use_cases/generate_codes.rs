use std::mem;

use time::Duration;
use tracing::info;

use crate::{
    Action, AuditEvent, Batch, BatchId, BatchSource, BatchState, CodeHasher, CodeId, Context, Happening, Id, KeyedCodeDigest,
    Label, NewCode, PlainCode, StoreError, Target, TenantId, Timestamp, event::announce, ports::*,
};

/// The most codes of one order: 1,000,000.
pub const MAX_CODES: u32 = 1_000_000;

/// The most projects that one code can activate: 1,000,000.
pub const MAX_USES: u32 = 1_000_000;

/// The longest life of codes that expire, from when their end is set: a hundred years, whether they are issued, imported, or given another
/// end. What is to be valid longer is valid for ever.
pub const LONGEST_TTL: Duration = Duration::days(36_525);

/// Codes that go to the store in one call of its port.
pub(super) const CODES_AT_ONCE: u32 = 5_000;

/// An order of codes: how many, what for, for how long, and for how many projects each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeOrder {
    /// How many, 1 to [`MAX_CODES`].
    pub count: u32,
    /// What they are for.
    pub label: Option<Label>,
    /// How long they are valid, longer than zero and at most [`LONGEST_TTL`]; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How many projects each can activate, 1 to [`MAX_USES`].
    pub max_uses: u32,
}

impl Default for CodeOrder {
    /// One code for one project, valid for ever, without a label.
    fn default() -> Self {
        Self { count: 1, label: None, ttl: None, max_uses: 1 }
    }
}

/// The codes of one issue, with their texts: the only moment that these are known.
#[derive(Clone, Debug)]
pub struct IssuedBatch {
    /// The issue.
    pub batch_id: BatchId,
    /// What the codes are for.
    pub label: Option<Label>,
    /// Valid until then, exclusive.
    pub expires_at: Option<Timestamp>,
    /// How many projects each can activate.
    pub max_uses: u32,
    /// The codes.
    pub codes: Vec<IssuedCode>,
}

/// One issued code, with its text.
#[derive(Clone, Debug)]
pub struct IssuedCode {
    /// Its identifier.
    pub id: CodeId,
    /// Its text, to be shown once.
    pub code: PlainCode,
}

/// Why codes can't be issued.
#[derive(Debug, thiserror::Error)]
pub enum GenerateCodesError {
    /// None, or too many, were asked for.
    #[error("the number of codes must be 1 to {MAX_CODES}")]
    CountOutOfRange,
    /// They would be expired when issued.
    #[error("the time to live must be longer than zero")]
    TtlNotPositive,
    /// They would outlive everybody.
    #[error("the time to live must be at most {} days", LONGEST_TTL.whole_days())]
    TtlTooLong,
    /// They could not be used, or too often.
    #[error("the number of uses must be 1 to {MAX_USES}")]
    MaxUsesOutOfRange,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// The store failed; no code was issued.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Issues codes to a tenant: all that were asked for, or none.
///
/// Their texts are in the answer and nowhere else: the store keeps digests. Show each once, and keep none. For more codes than
/// one answer should hold, see [`begin_bulk_issue`](crate::begin_bulk_issue).
///
/// # Errors
/// See [`GenerateCodesError`].
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
/// let order = CodeOrder { count: 3, label: Some(Label::parse("Spring")?), ttl: Some(time::Duration::days(30)), max_uses: 1 };
/// let batch = generate_codes(&store, &cx, &PlainHasher, tenant, order).await?;
/// for issued in &batch.codes {
///     println!("{}: {}", issued.id, *issued.code.reveal());
/// }
/// assert_eq!(batch.codes.len(), 3);
/// assert_eq!(batch.expires_at, Some(cx.now + time::Duration::days(30)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn generate_codes<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    tenant: TenantId,
    order: CodeOrder,
) -> Result<IssuedBatch, GenerateCodesError> {
    let batch = Batch { issued: order.count, state: BatchState::Complete, ..order.begin(cx, tenant)? };

    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(GenerateCodesError::UnknownTenant)?;
    tx.insert_batch(&batch).await?;
    let mut codes = Vec::new();
    let mut left = order.count;
    while left > 0 {
        let mut made = MadeCodes::begin(left.min(CODES_AT_ONCE));
        made.make(cx, hasher, &order, &batch, usize::MAX);
        tx.insert_codes(&batch.issue(), &made.records).await?;
        left = left.saturating_sub(CODES_AT_ONCE);
        codes.extend(made.issued);
    }
    let event = AuditEvent::new(cx, Action::CodesIssued, Some(tenant), Some(Target::Batch(batch.id)));
    tx.append_audit(&event.with("count", order.count).with("max_uses", order.max_uses)).await?;
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &Happening::codes_issued(&batch)).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, batch.id = %batch.id, count = order.count, max_uses = order.max_uses, "issued codes");

    let Batch { id: batch_id, label, expires_at, .. } = batch;
    Ok(IssuedBatch { batch_id, label, expires_at, max_uses: order.max_uses, codes })
}

impl CodeOrder {
    /// The batch that this order makes, before anything is issued.
    pub(super) fn begin(&self, cx: &Context<'_>, tenant: TenantId) -> Result<Batch, GenerateCodesError> {
        if !(1..=MAX_CODES).contains(&self.count) {
            return Err(GenerateCodesError::CountOutOfRange);
        }
        if !(1..=MAX_USES).contains(&self.max_uses) {
            return Err(GenerateCodesError::MaxUsesOutOfRange);
        }
        if self.ttl.is_some_and(|ttl| ttl <= Duration::ZERO) {
            return Err(GenerateCodesError::TtlNotPositive);
        }
        if self.ttl.is_some_and(|ttl| ttl > LONGEST_TTL) {
            return Err(GenerateCodesError::TtlTooLong);
        }
        Ok(Batch {
            id: Id::generate(cx.now, cx.entropy),
            tenant_id: tenant,
            label: self.label.clone(),
            max_uses: Some(self.max_uses),
            expires_at: self.ttl.map(|ttl| cx.now + ttl),
            ordered: self.count,
            issued: 0,
            state: BatchState::Issuing,
            source: BatchSource::Issued,
            created_by: Some(Batch::made_by(&cx.actor)),
            created_at: cx.now,
            updated_at: cx.now,
        })
    }
}

/// A part of the codes of a batch, made and not stored: their texts, and what the store keeps of them.
#[derive(Debug, Default)]
pub(super) struct MadeCodes {
    wanted: usize,
    /// Those that have no identifier yet.
    drawn: Vec<(PlainCode, KeyedCodeDigest)>,
    pub(super) issued: Vec<IssuedCode>,
    pub(super) records: Vec<NewCode>,
}

impl MadeCodes {
    /// A part of so many codes, of which none is made.
    pub(super) fn begin(count: u32) -> Self {
        Self { wanted: count.try_into().unwrap_or(usize::MAX), ..Self::default() }
    }

    /// Whether all of them are made.
    pub(super) const fn is_complete(&self) -> bool {
        self.records.len() == self.wanted
    }

    /// Makes so many more, or as many as are missing. They are there once all are made.
    pub(super) fn make(&mut self, cx: &Context<'_>, hasher: &dyn CodeHasher, order: &CodeOrder, batch: &Batch, count: usize) {
        if self.is_complete() {
            return;
        }
        let missing = self.wanted - self.drawn.len();
        self.drawn.reserve_exact(missing);
        self.drawn.extend((0..count.min(missing)).map(|_| {
            let code = PlainCode::generate(cx.entropy);
            let keyed = hasher.digest(&code);
            (code, keyed)
        }));
        if self.drawn.len() == self.wanted {
            self.identify(cx, order, batch);
        }
    }

    /// Gives them their identifiers. Of one moment, these are in no order by themselves, and neither are the digests. In the order of both, each
    /// row goes behind the one before in a store's indexes: that reads and writes fewer pages than to look for its place.
    fn identify(&mut self, cx: &Context<'_>, order: &CodeOrder, batch: &Batch) {
        let mut drawn = mem::take(&mut self.drawn);
        drawn.sort_unstable_by_key(|(_, keyed)| *keyed.digest.as_bytes());
        let mut ids: Vec<CodeId> = drawn.iter().map(|_| Id::generate(cx.now, cx.entropy)).collect();
        ids.sort_unstable();
        self.records.reserve_exact(drawn.len());
        self.issued.reserve_exact(drawn.len());
        for (id, (code, keyed)) in ids.into_iter().zip(drawn) {
            self.records.push(NewCode {
                id,
                digest: keyed.digest,
                key_id: keyed.key_id,
                hint: code.hint(),
                label: batch.label.clone(),
                max_uses: order.max_uses,
                expires_at: batch.expires_at,
            });
            self.issued.push(IssuedCode { id, code });
        }
    }
}
