//! Codes, each from its row: its standing and its uses, never its text.

use tenantry_auth::LegacyDigest;
use tenantry_domain::{CodeHint, Label, MAX_USES, Timestamp};

use super::cells::{Cells, Reason, of};

/// What a code of which the older portal kept no last group shows in its place.
pub const NO_HINT: &str = "----";

/// A code as the older portal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderCode {
    pub digest: LegacyDigest,
    pub hint: String,
    pub label: Option<Label>,
    pub max_uses: u32,
    /// As far as the code's row says; projects may say more.
    pub use_count: u32,
    pub used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// The key or the slug of the project that used it.
    pub project: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a word says of a code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unsaid,
    Used,
    Revoked,
    Expired,
}

fn standing(cells: Cells<'_>) -> Result<Standing, Reason> {
    Ok(match cells.word("status").as_deref() {
        None | Some("active" | "available" | "unused" | "new" | "issued" | "valid" | "pending" | "assigned" | "sent") => {
            Standing::Unsaid
        }
        Some("used" | "redeemed" | "activated" | "consumed" | "exhausted" | "claimed") => Standing::Used,
        Some("revoked" | "disabled" | "inactive" | "cancelled" | "canceled" | "deleted" | "blocked") => Standing::Revoked,
        Some("expired") => Standing::Expired,
        // It would be wrong to let somebody use a code of which nobody knows how it stands.
        Some(_) => return Err("status: is a word that isn't known".to_owned()),
    })
}

/// Reads a code's row, and says what is changed of it.
pub fn code(cells: Cells<'_>) -> Result<(OlderCode, Vec<Reason>), Reason> {
    let (created_at, updated_at) = cells.made()?;
    let standing = standing(cells)?;
    let digest = LegacyDigest::parse(cells.needed("hash")?).ok_or("hash: is no SHA-256 in hexadecimal")?;
    let mut changes = Vec::new();
    let max_uses = cells.number("max_uses")?.unwrap_or(1);
    let bounds = || format!("max_uses: must be 1 to {MAX_USES}");
    let max_uses = u32::try_from(max_uses).ok().filter(|uses| (1..=MAX_USES).contains(uses)).ok_or_else(bounds)?;

    let counted = cells.number("use_count")?.unwrap_or(0);
    let counted = u32::try_from(counted).map_err(|_| "use_count: is below zero or too large".to_owned())?;
    let used_at = cells.past("used_at")?;
    let was_used = cells.truth("used")? == Some(true) || used_at.is_some();
    let use_count = match standing {
        // Used there is used up here.
        Standing::Used => max_uses,
        _ => counted.max(u32::from(was_used)),
    };
    if use_count > max_uses {
        changes.push(format!("use_count: {use_count} of {max_uses}; it is used up"));
    }

    let withdrawn = standing == Standing::Revoked || cells.truth("revoked")? == Some(true);
    // Some portals switch a code off when it is used: then it is used, and need not be revoked too.
    let withdrawn = withdrawn || (cells.truth("active")? == Some(false) && use_count == 0);
    let revoked_at = cells.past("revoked_at")?.or(withdrawn.then_some(updated_at));
    let expires_at = match (standing, cells.moment("expires_at")?) {
        (Standing::Expired, None) => Some(updated_at),
        (_, end) => end,
    };
    let label = match cells.text("label").map(Label::parse) {
        Some(Err(invalid)) => {
            changes.push(format!("{}; it is left out", of("label")(invalid)));
            None
        }
        label => label.and_then(Result::ok),
    };
    let hint = cells.text("hint").and_then(|hint| CodeHint::parse(hint).ok());
    let code = OlderCode {
        digest,
        hint: hint.map_or_else(|| NO_HINT.to_owned(), |hint| hint.to_string()),
        label,
        max_uses,
        use_count: use_count.min(max_uses),
        used_at: used_at.or((use_count > 0).then_some(updated_at)),
        revoked_at,
        expires_at,
        project: cells.text("project").map(str::to_owned),
        created_at,
        updated_at,
    };
    Ok((code, changes))
}
