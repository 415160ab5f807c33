//! What an adoption did, or would do: counts by table, and every row that isn't taken as it is.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::wanted::TABLES;

/// What becomes of a row that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It isn't taken.
    Refused,
    /// It is taken, but not as it was.
    Changed,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Changed => "changed",
        }
    }
}

/// A row that isn't taken, or not as it was. It names the row by its key and repeats nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which of the older portal's tables, by its place in [`TABLES`].
    pub table: usize,
    /// The row's key there.
    pub key: String,
    pub outcome: Outcome,
    pub reason: String,
}

/// How many rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// There are.
    pub found: usize,
    /// Were taken before.
    pub before: usize,
    /// Are taken now.
    pub taken: usize,
}

#[derive(Debug, Default)]
pub struct Report {
    pub source: String,
    /// Whether it was done, or is what would be done.
    pub applied: bool,
    /// By the place of a table in [`TABLES`].
    pub counts: [Counts; 5],
    pub remarks: Vec<Remark>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

impl Report {
    pub fn refuse(&mut self, table: usize, key: &str, reason: impl Into<String>) {
        self.remark(table, key, Outcome::Refused, reason.into());
    }

    pub fn change(&mut self, table: usize, key: &str, reason: impl Into<String>) {
        self.remark(table, key, Outcome::Changed, reason.into());
    }

    fn remark(&mut self, table: usize, key: &str, outcome: Outcome, reason: String) {
        self.remarks.push(Remark { table, key: shown(key), outcome, reason });
    }

    /// Forgets what was said of changes to rows that are refused in the end, and puts the rest in the order of the tables.
    pub fn settle(&mut self) {
        let refused: std::collections::HashSet<(usize, String)> =
            self.remarks.iter().filter(|it| it.outcome == Outcome::Refused).map(|it| (it.table, it.key.clone())).collect();
        self.remarks.retain(|it| it.outcome == Outcome::Refused || !refused.contains(&(it.table, it.key.clone())));
        self.remarks.sort_by_key(|it| (it.table, it.outcome));
    }

    fn with(&self, table: usize, outcome: Outcome) -> usize {
        let its = self.remarks.iter().filter(|it| it.table == table && it.outcome == outcome);
        its.map(|it| it.key.as_str()).collect::<std::collections::HashSet<_>>().len()
    }

    /// For people.
    pub fn text(&self) -> String {
        let verb = if self.applied { "taken" } else { "to take" };
        let mut text = format!("{:20} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "table", "found", "before", verb, "changed", "refused");
        for (place, (table, counts)) in TABLES.iter().zip(self.counts).enumerate() {
            let Counts { found, before, taken } = counts;
            let (changed, refused) = (self.with(place, Outcome::Changed), self.with(place, Outcome::Refused));
            let _ = writeln!(text, "{:20} {found:8} {before:8} {taken:8} {changed:8} {refused:8}", table.name);
        }
        if !self.remarks.is_empty() {
            text.push('\n');
            let width = self.remarks.iter().map(|it| it.key.chars().count()).max().unwrap_or(0).max(3);
            let _ = writeln!(text, "{:20} {:width$} {:8} reason", "table", "key", "row is");
            for Remark { table, key, outcome, reason } in &self.remarks {
                let name = TABLES.get(*table).map_or("", |table| table.name);
                let _ = writeln!(text, "{name:20} {key:width$} {:8} {reason}", outcome.as_str());
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let tables = TABLES.iter().zip(self.counts).enumerate().map(|(place, (table, counts))| {
            json!({
                "table": table.name,
                "found": counts.found,
                "before": counts.before,
                "taken": counts.taken,
                "changed": self.with(place, Outcome::Changed),
                "refused": self.with(place, Outcome::Refused),
            })
        });
        let rows = self.remarks.iter().map(|it| {
            let table = TABLES.get(it.table).map_or("", |table| table.name);
            json!({ "table": table, "key": it.key, "outcome": it.outcome.as_str(), "reason": it.reason })
        });
        json!({
            "source": self.source,
            "applied": self.applied,
            "tables": tables.collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

/// A key as a terminal may show it.
fn shown(key: &str) -> String {
    key.chars().map(|c| if c.is_control() { '?' } else { c }).take(80).collect()
}
