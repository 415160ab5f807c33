use std::collections::HashMap;

use tracing::info;

use crate::{
    Action, AuditEvent, Batch, BatchSource, BatchState, CodeDigest, CodeHasher, Context, Happening, Id, InvalidValue,
    LONGEST_TTL, Label, MAX_USES, NewCode, PlainCode, StoreError, Target, TenantId, Timestamp, event::announce, ports::*,
};

/// The most lines of one import: 100,000.
///
/// They are taken in by one transaction: on SQLite other writers wait for all of it. [`import_codes`] refuses more; whoever gathers lines stops
/// at [`CodeImport::lines`] already, rather than hold what will be refused.
pub const MAX_IMPORT: u32 = 100_000;

/// Lines that are looked up in the store at once.
const LINES_AT_ONCE: usize = 1_000;

/// One line of codes that come from elsewhere, as it was written. What is empty counts as missing.
#[derive(Clone, Copy)]
pub struct ImportLine<'a> {
    /// Its number in what it was read from.
    pub number: u32,
    /// The text of the code.
    pub code: &'a str,
    /// What it is for; else what the import is for.
    pub label: &'a str,
    /// How many projects it can activate; else one.
    pub max_uses: &'a str,
    /// Until when it is valid, by RFC 3339, at most [`LONGEST_TTL`] away; else for ever.
    pub expires_at: &'a str,
}

/// What is wrong with a line. It never repeats what the line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFault {
    /// The line's number.
    pub line: u32,
    /// What of the line: `code`, `label`, `max_uses`, `expires_at`; empty: the line as a whole.
    pub column: &'static str,
    /// What is wrong with it.
    pub invalid: InvalidValue,
}

/// What is known of an import, once all of its lines are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// How many lines there are.
    pub lines: u32,
    /// On how many of them something is wrong.
    pub bad: u32,
    /// All that is wrong, by line.
    pub faults: Vec<ImportFault>,
}

/// Why codes aren't imported: then none is.
#[derive(Debug, thiserror::Error)]
pub enum ImportCodesError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// There are more lines than [`MAX_IMPORT`].
    #[error("an import has at most {MAX_IMPORT} lines")]
    TooMany,
    /// Something is wrong with a line.
    #[error("{} of {} lines can't be imported", .0.bad, .0.lines)]
    Refused(ImportReport),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Codes that come from elsewhere, gathered line by line. Nothing is stored before [`import_codes`].
///
/// Each is kept as its digest: a gathered import holds no code's text.
pub struct CodeImport {
    label: Option<Label>,
    lines: u32,
    codes: Vec<NewCode>,
    /// On which line a code stands, by its digest under the signing key.
    seen: HashMap<[u8; 32], u32>,
    /// The digests under every key of lines that haven't been looked up yet.
    unknown: HashMap<[u8; 32], u32>,
    unknown_lines: usize,
    faults: Vec<ImportFault>,
}

impl CodeImport {
    /// No lines yet. `label` is what the codes are for, as far as their lines don't say.
    #[must_use]
    pub fn new(label: Option<Label>) -> Self {
        Self {
            label,
            lines: 0,
            codes: Vec::new(),
            seen: HashMap::new(),
            unknown: HashMap::new(),
            unknown_lines: 0,
            faults: Vec::new(),
        }
    }

    /// How many lines it has.
    #[must_use]
    pub const fn lines(&self) -> u32 {
        self.lines
    }

    /// Adds a line, and notes all that is wrong with it by itself and among those before.
    pub fn add(&mut self, cx: &Context<'_>, hasher: &dyn CodeHasher, line: &ImportLine<'_>) {
        self.lines += 1;
        let text = self.take(line.number, "code", PlainCode::parse(line.code));
        let label = self.take_optional(line.number, "label", line.label, Label::parse);
        let max_uses = self.take_optional(line.number, "max_uses", line.max_uses, parse_uses);
        let expires_at = self.take_optional(line.number, "expires_at", line.expires_at, |text| parse_end(cx.now, text));
        let Some(text) = text else { return };
        let keyed = hasher.digest(&text);
        let digest = *keyed.digest.as_bytes();
        if let Some(first) = self.seen.get(&digest) {
            let detail = format!("line {first} has the same code");
            return self.refuse(line.number, "code", InvalidValue::new("duplicate", detail));
        }
        self.seen.insert(digest, line.number);
        self.unknown.extend(hasher.candidates(&text).iter().map(|digest| (*digest.as_bytes(), line.number)));
        self.unknown_lines += 1;
        let (Some(label), Some(max_uses), Some(expires_at)) = (label, max_uses, expires_at) else { return };
        let code = NewCode {
            id: Id::generate(cx.now, cx.entropy),
            digest: keyed.digest,
            key_id: keyed.key_id,
            hint: text.hint(),
            label: label.or_else(|| self.label.clone()),
            max_uses: max_uses.unwrap_or(1),
            expires_at,
        };
        self.codes.push(code);
    }

    /// Adds a line that can't be read at all.
    pub fn add_unreadable(&mut self, number: u32, invalid: InvalidValue) {
        self.lines += 1;
        self.refuse(number, "", invalid);
    }

    /// Looks the codes of the lines since the last call up, if these are many, or `all` are wanted, and notes which are known already.
    /// To be called after each line, and for all after the last.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn look_up<R: CodeReads>(&mut self, reader: &mut R, all: bool) -> Result<(), StoreError> {
        if self.unknown_lines < LINES_AT_ONCE && !all {
            return Ok(());
        }
        self.unknown_lines = 0;
        let lines = std::mem::take(&mut self.unknown);
        let digests: Vec<CodeDigest> = lines.keys().copied().map(CodeDigest::from_bytes).collect();
        for known in digests.chunks(LINES_AT_ONCE) {
            for digest in reader.known_digests(known).await? {
                if let Some(&line) = lines.get(digest.as_bytes()) {
                    self.refuse(line, "code", InvalidValue::new("code_known", "there is a code with this text already"));
                }
            }
        }
        Ok(())
    }

    /// What was found so far.
    #[must_use]
    pub fn into_report(mut self) -> ImportReport {
        self.faults.sort_by_key(|fault| fault.line);
        let mut bad: Vec<u32> = self.faults.iter().map(|fault| fault.line).collect();
        bad.dedup();
        ImportReport { lines: self.lines, bad: u32::try_from(bad.len()).unwrap_or(u32::MAX), faults: self.faults }
    }

    fn take<T>(&mut self, line: u32, column: &'static str, parsed: Result<T, InvalidValue>) -> Option<T> {
        parsed.map_err(|invalid| self.refuse(line, column, invalid)).ok()
    }

    fn take_optional<T>(
        &mut self,
        line: u32,
        column: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<Option<T>> {
        let text = text.trim();
        if text.is_empty() { Some(None) } else { self.take(line, column, parse(text)).map(Some) }
    }

    fn refuse(&mut self, line: u32, column: &'static str, invalid: InvalidValue) {
        self.faults.push(ImportFault { line, column, invalid });
    }
}

fn parse_uses(text: &str) -> Result<u32, InvalidValue> {
    let out = || InvalidValue::new("out_of_range", format!("must be 1 to {MAX_USES}"));
    text.parse().ok().filter(|uses| (1..=MAX_USES).contains(uses)).ok_or_else(out)
}

fn parse_end(now: Timestamp, text: &str) -> Result<Timestamp, InvalidValue> {
    let end = text.parse::<Timestamp>()?;
    if end <= now {
        return Err(InvalidValue::new("out_of_range", "must lie in the future: the code could never be used"));
    }
    if end > now + LONGEST_TTL {
        let detail = format!("must be at most {} days away, or absent for a code that doesn't expire", LONGEST_TTL.whole_days());
        return Err(InvalidValue::new("out_of_range", detail));
    }
    Ok(end)
}

/// Takes codes from elsewhere in, all of them or none, as a batch of the tenant's.
///
/// Of racing imports that have a code in common one takes it, and with it all of its own; the others are refused.
///
/// # Errors
/// See [`ImportCodesError`].
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
/// let mut import = CodeImport::new(Some(Label::parse("From the old shop")?));
/// for (number, code) in (1..).zip(["12RY-S55W-4MZR-KP2J", "no code at all"]) {
///     import.add(&cx, &PlainHasher, &ImportLine { number, code, label: "", max_uses: "", expires_at: "" });
///     import.look_up(&mut store.reader(), false).await?;
/// }
/// // For a dry run stop here: `look_up` with `true`, then `into_report`.
/// match import_codes(&store, &cx, tenant, import).await {
///     Err(ImportCodesError::Refused(report)) => {
///         assert_eq!((report.lines, report.bad), (2, 1));
///         assert_eq!((report.faults[0].line, report.faults[0].column), (2, "code"));
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn import_codes<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    mut import: CodeImport,
) -> Result<Batch, ImportCodesError> {
    if import.lines > MAX_IMPORT {
        return Err(ImportCodesError::TooMany);
    }
    import.look_up(&mut store.reader(), true).await?;
    if !import.faults.is_empty() {
        return Err(ImportCodesError::Refused(import.into_report()));
    }
    // In one order, so that two imports of the same codes wait for each other, and neither for ever.
    import.codes.sort_unstable_by_key(|code| *code.digest.as_bytes());
    match take_in(store, cx, tenant, &import).await {
        Err(ImportCodesError::Store(conflict @ StoreError::Conflict(_))) => {
            // Another was first with one of the codes, since they were looked up. Asked in a transaction, which sees all that this one saw.
            import.unknown = import.seen.clone();
            import.look_up(&mut store.begin().await?, true).await?;
            match import.faults.is_empty() {
                true => Err(conflict.into()),
                false => Err(ImportCodesError::Refused(import.into_report())),
            }
        }
        done => done,
    }
}

async fn take_in<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    import: &CodeImport,
) -> Result<Batch, ImportCodesError> {
    let batch = Batch {
        id: Id::generate(cx.now, cx.entropy),
        tenant_id: tenant,
        label: import.label.clone(),
        max_uses: None,
        expires_at: None,
        ordered: import.lines,
        issued: import.lines,
        state: BatchState::Complete,
        source: BatchSource::Imported,
        created_by: Some(Batch::made_by(&cx.actor)),
        created_at: cx.now,
        updated_at: cx.now,
    };
    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(ImportCodesError::UnknownTenant)?;
    tx.insert_batch(&batch).await?;
    tx.insert_codes(&batch.issue(), &import.codes).await?;
    let event = AuditEvent::new(cx, Action::CodesImported, Some(tenant), Some(Target::Batch(batch.id)));
    tx.append_audit(&event.with("count", batch.issued)).await?;
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &Happening::codes_issued(&batch)).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, batch.id = %batch.id, count = batch.issued, "imported codes");
    Ok(batch)
}
