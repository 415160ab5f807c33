//! Callers, and what they found: in a closed loop, where each sends the next request when the last one is answered, or at a fixed rate.

use std::{
    future::Future,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

/// One of the concurrent callers, with its connection.
pub trait Caller: Send + 'static {
    /// Does the work of one item; `Err` says what went wrong.
    fn call(&mut self, item: usize) -> impl Future<Output = Result<(), String>> + Send;
}

/// How much a round does, and how fast.
#[derive(Clone, Debug)]
pub struct Round {
    pub work: Work,
    /// Calls a second that fall due, whatever became of those before. A call's time then begins when it is due, so that a stall counts for
    /// all who would have come meanwhile. `None`: a closed loop.
    pub rate: Option<f64>,
}

/// How much a round does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Each item once.
    Items(Range<usize>),
    /// Items 0, 1, 2 and on for so long.
    For(Duration),
}

/// What one round, or the median of several, found.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub calls: usize,
    /// Calls a second.
    pub rate: f64,
    /// Half of the calls took less.
    pub p50: Duration,
    /// All but one call in a hundred took less.
    pub p99: Duration,
    /// Calls that failed.
    pub errors: usize,
    /// What the first of them said.
    pub first_error: Option<String>,
}

impl Figures {
    /// Of calls that took so long and came so often.
    pub fn of(mut took: Vec<Duration>, rate: f64) -> Self {
        took.sort_unstable();
        let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
        Self { calls: took.len(), rate, p50: at(50), p99: at(99), ..Self::default() }
    }
}

/// Lets the callers work, and gives them back for the next round.
pub async fn round<C: Caller>(callers: Vec<C>, Round { work, rate }: Round) -> (Vec<C>, Figures) {
    let first = if let Work::Items(items) = &work { items.start } else { 0 };
    let next = Arc::new(AtomicUsize::new(first));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let (next, work) = (Arc::clone(&next), work.clone());
        tasks.spawn(async move {
            let mut tally = Tally::default();
            loop {
                let item = next.fetch_add(1, Ordering::Relaxed);
                let due = rate.map(|rate| Duration::from_secs_f64((item - first) as f64 / rate));
                let ended = match &work {
                    Work::Items(items) => item >= items.end,
                    Work::For(time) => due.unwrap_or_else(|| started.elapsed()) >= *time,
                };
                if ended {
                    return (caller, tally);
                }
                let sent = match due {
                    Some(due) => {
                        tokio::time::sleep_until((started + due).into()).await;
                        started + due
                    }
                    None => Instant::now(),
                };
                let outcome = caller.call(item).await;
                tally.took.push(sent.elapsed());
                tally.errors.extend(outcome.err());
            }
        });
    }
    let mut callers = Vec::new();
    let mut all = Tally::default();
    while let Some(done) = tasks.join_next().await {
        let (caller, tally) = done.expect("a caller doesn't panic");
        callers.push(caller);
        all.took.extend(tally.took);
        all.errors.extend(tally.errors);
    }
    (callers, all.figures(started.elapsed()))
}

#[derive(Default)]
struct Tally {
    took: Vec<Duration>,
    errors: Vec<String>,
}

impl Tally {
    fn figures(self, elapsed: Duration) -> Figures {
        let rate = self.took.len() as f64 / elapsed.as_secs_f64();
        let errors = self.errors.len();
        Figures { errors, first_error: self.errors.into_iter().next(), ..Figures::of(self.took, rate) }
    }
}

/// The median of each figure; calls and errors are all.
pub fn median_of(rounds: &[Figures]) -> Figures {
    Figures {
        calls: rounds.iter().map(|figures| figures.calls).sum(),
        rate: median(rounds.iter().map(|figures| figures.rate)),
        p50: median(rounds.iter().map(|figures| figures.p50)),
        p99: median(rounds.iter().map(|figures| figures.p99)),
        errors: rounds.iter().map(|figures| figures.errors).sum(),
        first_error: rounds.iter().find_map(|figures| figures.first_error.clone()),
    }
}

/// The one in the middle, or just above it.
pub fn median<T: PartialOrd + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|one, other| one.partial_cmp(other).expect("figures compare"));
    values.get(values.len() / 2).copied().unwrap_or_default()
}
