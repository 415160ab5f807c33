//! Questions that are asked at the same time and answered by one statement.
//!
//! While questions of a kind are under way on a worker, those that come wait, and are asked together when it is their turn: one round trip for
//! all of them. Where nothing is under way none is kept waiting, and none is answered by what was read before it was asked.

use std::{
    collections::HashMap,
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Handle as RuntimeHandle, Id as RuntimeId, RuntimeFlavor},
    sync::oneshot,
    task, time,
};

/// How many questions are asked together. More would keep the first of them waiting for the last.
const MOST: usize = 16;

/// How long a question waits for others to be answered, and then for its own answer, before it is asked alone: what is amiss with one
/// connection is amiss with those alone that are on it already.
const PATIENCE: Duration = Duration::from_millis(250);

/// A kind of question.
pub trait Ask: Send + Sync + 'static {
    type Question: Send + 'static;
    type Answer: Send + 'static;

    /// Whether both can be asked by the same statement.
    fn alike(first: &Self::Question, other: &Self::Question) -> bool;

    /// The answers to several, in their order; `None` where they have to be asked one by one to find out.
    fn ask_together(&self, questions: &[Self::Question]) -> impl Future<Output = Option<Vec<Self::Answer>>> + Send;
}

/// Gathers the questions of a kind that come while others are asked.
pub struct Gathering<A: Ask> {
    ask: A,
    workers: Mutex<HashMap<RuntimeId, Worker<A>>>,
}

/// What is asked by one runtime. It is there while something is.
struct Worker<A: Ask> {
    under_way: usize,
    waiting: Vec<Waiting<A>>,
}

struct Waiting<A: Ask> {
    question: A::Question,
    answer: oneshot::Sender<A::Answer>,
}

impl<A: Ask> Gathering<A> {
    pub(crate) fn new(ask: A) -> Arc<Self> {
        Arc::new(Self { ask, workers: Mutex::default() })
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<RuntimeId, Worker<A>>> {
        // Nothing that is done with it can stop halfway.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a question that was asked together with others; `None` where it is to be asked alone.
    pub(crate) async fn ask(self: &Arc<Self>, question: A::Question) -> Option<A::Answer> {
        let runtime = RuntimeHandle::try_current().ok()?;
        let (sender, answer) = oneshot::channel();
        if let Some(turn) = self.wait(&runtime, Waiting { question, answer: sender }) {
            runtime.spawn(turn.take());
        }
        time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    /// Has a question wait, and gives the turn to ask where there is one.
    fn wait(self: &Arc<Self>, runtime: &RuntimeHandle, waiting: Waiting<A>) -> Option<Turn<A>> {
        let mut workers = self.workers();
        let worker = workers.entry(runtime.id()).or_insert_with(|| Worker { under_way: 0, waiting: Vec::new() });
        worker.waiting.push(waiting);
        if worker.under_way == at_once(runtime) {
            return None;
        }
        worker.under_way += 1;
        Some(Turn { gathering: Arc::clone(self), worker: runtime.id(), is_over: false })
    }
}

/// A worker that is a thread has its answers read and written by it alone: a second question under way would only be a smaller gathering.
fn at_once(runtime: &RuntimeHandle) -> usize {
    match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => 1,
        _ => runtime.metrics().num_workers(),
    }
}

/// A turn to ask on a worker, as long as somebody waits.
struct Turn<A: Ask> {
    gathering: Arc<Gathering<A>>,
    worker: RuntimeId,
    is_over: bool,
}

impl<A: Ask> Turn<A> {
    async fn take(mut self) {
        loop {
            // Whose requests came in the same moment ask in it, too.
            task::yield_now().await;
            let next = self.next_or_end();
            if next.is_empty() {
                return;
            }
            let (questions, askers): (Vec<_>, Vec<_>) =
                next.into_iter().map(|waiting| (waiting.question, waiting.answer)).unzip();
            let answers = self.gathering.ask.ask_together(&questions).await;
            // Without answers the askers are dropped, and so find out that they have to ask themselves.
            for (asker, answer) in askers.into_iter().zip(answers.into_iter().flatten()) {
                // Who went away needs no answer.
                asker.send(answer).ok();
            }
        }
    }

    /// Those that are asked next. Where nobody waits, the turn is over.
    fn next_or_end(&mut self) -> Vec<Waiting<A>> {
        let mut workers = self.gathering.workers();
        let Some(worker) = workers.get_mut(&self.worker) else { return Vec::new() };
        let next = worker.take();
        if next.is_empty() {
            self.is_over = true;
            worker.under_way -= 1;
            if worker.under_way == 0 {
                workers.remove(&self.worker);
            }
        }
        next
    }
}

impl<A: Ask> Worker<A> {
    /// Takes the first that waits, and those that can be asked together with it.
    fn take(&mut self) -> Vec<Waiting<A>> {
        // Who went away need not be asked for.
        let mut waiting = mem::take(&mut self.waiting).into_iter().filter(|waiting| !waiting.answer.is_closed());
        let Some(first) = waiting.next() else { return Vec::new() };
        let (mut with_first, mut room) = (Vec::new(), MOST - 1);
        for waiting in waiting {
            if room > 0 && A::alike(&first.question, &waiting.question) {
                with_first.push(waiting);
                room -= 1;
            } else {
                self.waiting.push(waiting);
            }
        }
        with_first.insert(0, first);
        with_first
    }
}

impl<A: Ask> Drop for Turn<A> {
    /// A runtime that ends drops what it has under way; nobody is left to wait on it.
    fn drop(&mut self) {
        if !self.is_over {
            self.gathering.workers().remove(&self.worker);
        }
    }
}

#[cfg(test)]
mod tests;
