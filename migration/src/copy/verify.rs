//! Whether two databases hold the same: every table's rows, counted and digested in the order of their keys, in a form that doesn't depend on
//! the database.

use super::{
    CopyError, Progress, Side,
    catalog::Table,
    rows::{self},
    side::Connected,
};

/// The rows that are digested at once.
const PAGE_ROWS: usize = 5_000;

/// A table's rows.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digest: blake3::Hash,
}

/// Compares all tables as they are now, and answers their rows, and the tallies that the source had wrong.
pub(super) async fn verify(
    source: &mut Connected,
    target: &mut Connected,
    tables: &[Table],
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<(String, u64)>, Vec<String>), CopyError> {
    for (connected, side) in [(&mut *source, Side::Source), (&mut *target, Side::Target)] {
        connected.begin_snapshot().await.map_err(CopyError::of(side, "beginning to compare"))?;
    }
    let (mut counted, mut different, mut mended) = (Vec::new(), Vec::new(), Vec::new());
    for table in tables {
        progress(Progress::Comparing { table: table.name.clone() });
        if table.is_tally() {
            let theirs = rows::tally(source, Side::Source, table).await?;
            if theirs != rows::tally(target, Side::Target, table).await? {
                mended.push(table.name.clone());
            }
            continue;
        }
        let (theirs, ours) = tokio::join!(sum(source, Side::Source, table), sum(target, Side::Target, table));
        let (theirs, ours) = (theirs?, ours?);
        if theirs != ours {
            different.push(table.name.clone());
        }
        counted.push((table.name.clone(), ours.rows));
    }
    for (connected, side) in [(source, Side::Source), (target, Side::Target)] {
        connected.run("COMMIT").await.map_err(CopyError::of(side, "comparing"))?;
    }
    if different.is_empty() { Ok((counted, mended)) } else { Err(CopyError::Differs { tables: different }) }
}

async fn sum(connected: &mut Connected, side: Side, table: &Table) -> Result<Sum, CopyError> {
    let (mut rows, mut hasher, mut last) = (0, blake3::Hasher::new(), None);
    loop {
        let page = rows::page(connected, side, table, last.as_deref(), PAGE_ROWS).await?;
        let Some(end) = page.last() else { return Ok(Sum { rows, digest: hasher.finalize() }) };
        last = Some(table.key.iter().filter_map(|&place| end.get(place).cloned()).collect::<Vec<_>>());
        rows += page.len() as u64;
        for value in page.iter().flatten() {
            value.digest(&mut hasher);
        }
    }
}
