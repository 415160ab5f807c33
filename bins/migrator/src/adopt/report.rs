//! What an adoption did, or would do: counts by table, and every row that isn't taken as it is.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::{Value, json};

use super::wanted::TABLES;

/// What becomes of a row that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Reasons that people are shown.
    const GROUPS: usize = 100;

    /// Keys that people are shown of a reason.
    const KEYS: usize = 10;

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
        // Numbers by their size, though they are texts.
        self.remarks.sort_by(|one, other| {
            let rank = |it: &Remark| (it.table, it.outcome, it.key.len());
            rank(one).cmp(&rank(other)).then_with(|| one.key.cmp(&other.key))
        });
    }

    fn with(&self, table: usize, outcome: Outcome) -> usize {
        let its = self.remarks.iter().filter(|it| it.table == table && it.outcome == outcome);
        its.map(|it| it.key.as_str()).collect::<std::collections::HashSet<_>>().len()
    }

    /// The remarks of one table, outcome and reason together, in the order of their first ones: each with all its keys.
    fn groups(&self) -> Vec<(&Remark, Vec<&str>)> {
        let mut groups: Vec<(&Remark, Vec<&str>)> = Vec::new();
        let mut places = HashMap::new();
        for it in &self.remarks {
            let place = *places.entry((it.table, it.outcome, &it.reason)).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, keys)) => keys.push(&it.key),
                None => groups.push((it, vec![&it.key])),
            }
        }
        groups
    }

    /// For people: counts, and reasons with some of the rows.
    pub fn text(&self) -> String {
        let verb = if self.applied { "taken" } else { "to take" };
        let mut text = format!("{:20} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "table", "found", "before", verb, "changed", "refused");
        for (place, (table, counts)) in TABLES.iter().zip(self.counts).enumerate() {
            let Counts { found, before, taken } = counts;
            let (changed, refused) = (self.with(place, Outcome::Changed), self.with(place, Outcome::Refused));
            let _ = writeln!(text, "{:20} {found:8} {before:8} {taken:8} {changed:8} {refused:8}", table.name);
        }
        let groups = self.groups();
        if !groups.is_empty() {
            text.push('\n');
            let _ = writeln!(text, "{:20} {:8} {:>8} reason, and keys", "table", "row is", "rows");
        }
        for (remark, keys) in groups.iter().take(Self::GROUPS) {
            let name = TABLES.get(remark.table).map_or("", |table| table.name);
            let _ = writeln!(text, "{name:20} {:8} {:8} {}", remark.outcome.as_str(), keys.len(), remark.reason);
            let more = if keys.len() > Self::KEYS { ", .." } else { "" };
            let some = keys.iter().take(Self::KEYS).copied().collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "{:38} {some}{more}", "");
        }
        if groups.len() > Self::GROUPS || groups.iter().any(|(_, keys)| keys.len() > Self::KEYS) {
            let _ = writeln!(text, "\nThere are more: --report FILE has every row.");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_reasons_with_some_rows_and_programs_see_every_row() {
        let mut report = Report::default();
        for key in (1..=12).rev() {
            report.refuse(1, &key.to_string(), "slug: is missing");
        }
        report.refuse(1, "3", "email: is missing");
        report.change(1, "3", "name: is missing");
        report.settle();
        let text = report.text();
        let shown = "tenants              refused        12 slug: is missing
                                       1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..
tenants              refused         1 email: is missing
                                       3
";
        assert!(text.contains(shown) && text.contains("--report FILE"), "{text}");
        assert!(!text.contains("changed        1"), "a row that is refused isn't changed: {text}");
        assert_eq!(report.json()["rows"].as_array().unwrap().len(), 13);
    }
}
