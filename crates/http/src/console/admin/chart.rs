//! What happened on each day, as bars: drawn here, without a script. A table beside them says the same.

use tenantry_domain::UsageDay;

use super::dashboard::grouped;

/// How high the drawing is, in its own units.
const HEIGHT: u64 = 1_000;
/// How wide a day is.
const STEP: u64 = 10;
/// How high a bar is at the least, so that a single activation among thousands is seen.
const LEAST: u64 = 12;

/// Bars of activations, and on top of them those of refusals.
pub(super) struct Chart {
    pub width: u64,
    pub bars: Vec<Bar>,
    /// What the lines across stand for, from the top down, the bottom last.
    pub ticks: Vec<Tick>,
    /// The first day, the one in the middle, and the last.
    pub days: [String; 3],
    pub says: String,
    pub rows: Vec<Row>,
}

/// A day.
pub(super) struct Bar {
    pub x: u64,
    pub says: String,
    pub activations: Block,
    pub refusals: Block,
}

/// A part of a bar.
pub(super) struct Block {
    pub y: u64,
    pub height: u64,
}

/// A line across.
pub(super) struct Tick {
    pub y: u64,
    pub label: String,
}

/// A day on which something happened, in the table.
pub(super) struct Row {
    pub day: String,
    pub activations: String,
    pub returns: String,
    pub refusals: String,
}

impl Chart {
    /// The chart of these days, oldest first; `None` where nothing happened on any.
    pub fn of(days: &[UsageDay]) -> Option<Self> {
        let tries = |day: &UsageDay| day.usage.activations.saturating_add(day.usage.refusals);
        let top = round_up(days.iter().map(tries).max().filter(|&most| most > 0)?);
        let peak = days.iter().max_by_key(|day| day.usage.activations)?;
        let total: u64 = days.iter().map(|day| day.usage.activations).sum();
        let (first, middle, last) = (days.first()?, days.get(days.len() / 2)?, days.last()?);
        Some(Self {
            width: u64::try_from(days.len()).ok()? * STEP,
            bars: (0..).zip(days).filter(|(_, day)| tries(day) > 0).map(|(number, day)| Bar::of(number, day, top)).collect(),
            ticks: ticks(top),
            days: [first, middle, last].map(|day| day.day.to_string()),
            says: format!(
                "{} activations from {} to {}, the most on {}: {}.",
                grouped(total),
                first.day,
                last.day,
                peak.day,
                grouped(peak.usage.activations)
            ),
            rows: days.iter().rev().filter(|day| tries(day) + day.usage.returns > 0).map(Row::of).collect(),
        })
    }
}

impl Bar {
    fn of(number: u64, day: &UsageDay, top: u64) -> Self {
        let (activations, refusals) = (day.usage.activations, day.usage.refusals);
        let low = Block::above(HEIGHT, activations, top);
        let high = Block::above(low.y, refusals, top);
        let says = format!("{}: {} activations, {} refusals", day.day, grouped(activations), grouped(refusals));
        Self { x: number * STEP + 1, says, activations: low, refusals: high }
    }
}

impl Block {
    fn above(bottom: u64, value: u64, top: u64) -> Self {
        let height = if value == 0 { 0 } else { (value.saturating_mul(HEIGHT) / top.max(1)).max(LEAST) };
        Self { y: bottom.saturating_sub(height), height }
    }
}

impl Row {
    fn of(day: &UsageDay) -> Self {
        let usage = day.usage;
        Self {
            day: day.day.to_string(),
            activations: grouped(usage.activations),
            returns: grouped(usage.returns),
            refusals: grouped(usage.refusals),
        }
    }
}

/// The next number that is good to read at the top of an axis: one that has a half, but for 1.
fn round_up(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        if let Some(top) = [1, 2, 4, 6, 8, 10].into_iter().map(|times| unit.saturating_mul(times)).find(|&top| top >= most) {
            return top;
        }
        unit = unit.saturating_mul(10);
    }
}

fn ticks(top: u64) -> Vec<Tick> {
    let half = (top >= 2).then_some(top / 2);
    let values = [Some(top), half, Some(0)].into_iter().flatten();
    values.map(|value| Tick { y: HEIGHT - value.saturating_mul(HEIGHT) / top.max(1), label: grouped(value) }).collect()
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{CalendarDay, Usage};

    use super::*;

    fn days(counts: &[(u64, u64)]) -> Vec<UsageDay> {
        let day = |(number, &(activations, refusals))| UsageDay {
            day: CalendarDay::from_days_since_1970(20_000_i64 + number),
            usage: Usage { activations, returns: 0, refusals },
        };
        (0..).zip(counts).map(day).collect()
    }

    #[test]
    fn an_axis_ends_at_a_round_number_with_a_half() {
        let tops = [1, 2, 3, 5, 7, 9, 11, 99, 100, 101, 4_321].map(round_up);
        assert_eq!(tops, [1, 2, 4, 6, 8, 10, 20, 100, 100, 200, 6_000]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
        let labels: Vec<_> = ticks(2_000).into_iter().map(|tick| (tick.y, tick.label)).collect();
        assert_eq!(labels, [(0, "2,000".to_owned()), (500, "1,000".to_owned()), (1_000, "0".to_owned())]);
        assert_eq!(ticks(1).len(), 2);
    }

    #[test]
    fn bars_stand_on_each_other_and_a_single_try_is_seen() {
        assert!(Chart::of(&days(&[(0, 0), (0, 0)])).is_none() && Chart::of(&[]).is_none());
        let chart = Chart::of(&days(&[(0, 0), (1, 0), (500, 500)])).unwrap();
        assert_eq!((chart.width, chart.bars.len(), chart.rows.len()), (30, 2, 2));
        let [single, full] = &chart.bars[..] else { panic!() };
        assert_eq!((single.x, single.activations.y, single.activations.height, single.refusals.height), (11, 988, 12, 0));
        assert_eq!((full.activations.y, full.refusals.y, full.refusals.height), (500, 0, 500));
        assert!(chart.says.starts_with("501 activations from 2024-10-04 to 2024-10-06, the most on 2024-10-06: 500."));
    }
}
