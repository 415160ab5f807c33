use futures_util::{FutureExt as _, future::join_all};
use tokio::sync::Semaphore;

use super::*;

/// Doubles numbers, those with the same sign together, when it is let; and says what was asked together.
struct Doubling {
    let_go: Semaphore,
    asked: Mutex<Vec<Vec<i32>>>,
    works: bool,
}

impl Ask for Doubling {
    type Question = i32;
    type Answer = i32;

    fn alike(first: &i32, other: &i32) -> bool {
        first.signum() == other.signum()
    }

    async fn ask_together(&self, questions: &[i32]) -> Option<Vec<i32>> {
        self.asked.lock().unwrap().push(questions.to_vec());
        self.let_go.acquire().await.unwrap().forget();
        self.works.then(|| questions.iter().map(|question| 2 * question).collect())
    }
}

fn doubling(works: bool) -> Arc<Gathering<Doubling>> {
    Gathering::new(Doubling { let_go: Semaphore::new(0), asked: Mutex::default(), works })
}

impl Gathering<Doubling> {
    fn asked(&self) -> Vec<Vec<i32>> {
        self.ask.asked.lock().unwrap().clone()
    }

    fn is_at_rest(&self) -> bool {
        self.workers().is_empty()
    }

    /// Asks the first question, and comes back when it is under way.
    async fn first(self: &Arc<Self>, question: i32) -> task::JoinHandle<Option<i32>> {
        let first = tokio::spawn({
            let gathering = Arc::clone(self);
            async move { gathering.ask(question).await }
        });
        while self.asked().is_empty() {
            task::yield_now().await;
        }
        first
    }
}

#[tokio::test]
async fn those_that_come_at_the_same_time_are_asked_together_and_each_hears_its_own_answer() {
    let gathering = doubling(true);
    let first = gathering.first(100).await;
    let (answers, ()) = tokio::join!(join_all([1, 2, -3, 4, -5].map(|question| gathering.ask(question))), async {
        assert_eq!(gathering.asked(), [[100]], "they wait");
        gathering.ask.let_go.add_permits(3);
    });
    assert_eq!(answers, [2, 4, -6, 8, -10].map(Some));
    assert_eq!(first.await.unwrap(), Some(200));
    assert_eq!(gathering.asked(), [vec![100], vec![1, 2, 4], vec![-3, -5]], "only what is alike");
    task::yield_now().await;
    assert!(gathering.is_at_rest());
    // Where nothing is under way, too.
    gathering.ask.let_go.add_permits(1);
    assert_eq!(join_all([6, 7].map(|question| gathering.ask(question))).await, [12, 14].map(Some));
    assert_eq!(gathering.asked().last().unwrap(), &[6, 7]);
}

#[tokio::test]
async fn no_more_than_sixteen_are_asked_together() {
    let gathering = doubling(true);
    gathering.ask.let_go.add_permits(3);
    let questions: Vec<i32> = (1..=40).collect();
    let answers = join_all(questions.iter().map(|&question| gathering.ask(question))).await;
    assert_eq!(answers, questions.iter().map(|question| Some(2 * question)).collect::<Vec<_>>());
    assert_eq!(gathering.asked().iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
}

#[tokio::test]
async fn who_went_away_is_not_asked_for_and_holds_up_nobody() {
    let gathering = doubling(true);
    gathering.ask.let_go.add_permits(2);
    let mut gone = Box::pin(gathering.ask(1));
    assert!((&mut gone).now_or_never().is_none());
    let mut stays = Box::pin(gathering.ask(2));
    assert!((&mut stays).now_or_never().is_none());
    drop(gone);
    assert_eq!(stays.await, Some(4));
    assert_eq!(gathering.asked(), [[2]]);
    // And where all of them did.
    let mut gone = Box::pin(gathering.ask(3));
    assert!((&mut gone).now_or_never().is_none());
    drop(gone);
    while !gathering.is_at_rest() {
        task::yield_now().await;
    }
    assert_eq!(gathering.asked(), [[2]]);
}

#[tokio::test]
async fn where_they_get_no_answer_together_each_is_asked_alone() {
    let gathering = doubling(false);
    gathering.ask.let_go.add_permits(1);
    assert_eq!(join_all([1, 2].map(|question| gathering.ask(question))).await, [None, None]);
    task::yield_now().await;
    assert!(gathering.is_at_rest());
}

#[tokio::test]
async fn nobody_waits_longer_than_a_quarter_of_a_second() {
    let gathering = doubling(true);
    let first = gathering.first(1).await;
    let began = time::Instant::now();
    assert_eq!(gathering.ask(2).await, None, "it is to be asked alone, beside what doesn't end");
    assert!(began.elapsed() >= PATIENCE);
    assert_eq!(first.await.unwrap(), None);
    assert_eq!(gathering.asked(), [[1]]);
}

#[test]
fn what_a_runtime_leaves_undone_is_forgotten_with_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let gathering = doubling(true);
    let gone = runtime();
    drop(gone.block_on(gathering.first(1)));
    assert!(!gathering.is_at_rest());
    drop(gone);
    assert!(gathering.is_at_rest());
    gathering.ask.let_go.add_permits(1);
    assert_eq!(runtime().block_on(gathering.ask(2)), Some(4));
}
