//! What an import found, as clients see it.

use serde::Serialize;
use tenantry_domain::{ImportFault, ImportReport};
use utoipa::ToSchema;

/// What an import found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ImportReportJson {
    /// How many lines with codes there are.
    lines: u32,
    /// How many of them would be taken in if the others were right.
    good: u32,
    /// How many of them have a fault.
    bad: u32,
    /// What is wrong, by line. A dry run shows all of it, a refusal the first 1,000 faults.
    faults: Vec<ImportFaultJson>,
}

/// What is wrong with a line. It never repeats what the line holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportFault)]
struct ImportFaultJson {
    /// The line's number in the file; the first, which names the columns, is 1.
    line: u32,
    /// The column; null: the line as a whole.
    column: Option<&'static str>,
    /// What is wrong, for programs.
    code: &'static str,
    /// What is wrong, and what would be right.
    detail: String,
}

impl ImportReportJson {
    /// A report with so many of its faults at the most.
    pub fn new(report: ImportReport, most: usize) -> Self {
        let ImportReport { lines, bad, faults } = report;
        Self { lines, good: lines.saturating_sub(bad), bad, faults: faults.into_iter().take(most).map(Into::into).collect() }
    }
}

impl From<ImportFault> for ImportFaultJson {
    fn from(ImportFault { line, column, invalid }: ImportFault) -> Self {
        Self { line, column: Some(column).filter(|column| !column.is_empty()), code: invalid.code, detail: invalid.detail }
    }
}
