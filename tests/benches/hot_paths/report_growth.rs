//! What became of requests as the database grew.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    growth::{Grown, KINDS},
    machine::Head,
    report::{list, ms, name},
};

/// Everything that a run found.
pub struct GrowthReport {
    pub head: Head,
    pub grown: Vec<Grown>,
}

impl GrowthReport {
    /// What makes figures invalid.
    pub fn complaints(&self) -> Vec<String> {
        let of = |grown: &Grown| {
            let place = format!("{} with {}", name(grown.kind), grown.size);
            grown.errors.iter().map(|error| format!("{place}: {error}")).collect::<Vec<_>>()
        };
        self.grown.iter().flat_map(of).collect()
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text = list(&self.head);
        text += "\nOne caller, to each size by turns; half of its requests took less, in the median of 9 rounds. In brackets: how often as long as with \
                 the fewest rows. There are so many codes, so many projects and so many sessions, and a hundredth of it tenants. The same number of \
                 tenants ask, 100, at every size; the figures of the dashboard are those of all. The housekeeping deletes 1,000 sessions.\n";
        text += &table(&self.grown);
        text
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let grown = self.grown.iter().map(|grown| {
            let smallest = smallest(&self.grown, grown);
            let took = KINDS.iter().zip(grown.took).zip(smallest.took).map(|((kind, took), least)| {
                json!({ "request": kind, "p50_ms": took.as_secs_f64() * 1_000.0, "to_the_smallest": ratio(took, least) })
            });
            json!({
                "database": name(grown.kind),
                "rows": grown.size,
                "requests": took.collect::<Vec<_>>(),
                "filled_in_seconds": grown.filled.as_secs_f64(),
            })
        });
        let head: serde_json::Map<_, _> = self.head.iter().map(|(what, how)| ((*what).to_owned(), how.as_str().into())).collect();
        json!({ "head": head, "growth": grown.collect::<Vec<_>>() })
    }
}

/// What was found, a row for each database and size.
pub fn table(all: &[Grown]) -> String {
    let mut text =
        format!("\n| database | rows | {} |\n|---|--:{}|\n", KINDS.join(", ms | ") + ", ms", "|--:".repeat(KINDS.len()));
    for grown in all {
        let took = grown.took.iter().zip(smallest(all, grown).took);
        let cells = took.map(|(took, least)| format!("{} ({:.2})", ms(*took), ratio(*took, least)));
        text += &format!("| {} | {} | {} |\n", name(grown.kind), grown.size, cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn smallest<'a>(all: &'a [Grown], of: &Grown) -> &'a Grown {
    let same = all.iter().filter(|grown| grown.kind == of.kind);
    same.min_by_key(|grown| grown.size).expect("there is one at least")
}

fn ratio(took: Duration, least: Duration) -> f64 {
    took.as_secs_f64() / least.as_secs_f64()
}
