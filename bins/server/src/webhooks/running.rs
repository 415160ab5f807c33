//! A notifier at work beside the server.

use std::{sync::Arc, time::Duration};

use tenantry_domain::ports::Store;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use super::worker::Notifier;

/// How long the calls at hand are waited for when the server stops: one takes no longer. What isn't sent by then is sent after the next
/// start.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long to rest after a panic.
const REST: Duration = Duration::from_secs(1);

/// A notifier at work.
pub struct RunningNotifier {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RunningNotifier {
    /// Puts a notifier to work. A panic ends the calls at hand, whose messages are claimed again later, and not the notifier.
    pub fn start<S: Store>(notifier: Notifier<S>) -> Self {
        let notifier = Arc::new(notifier);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            while tokio::spawn(Arc::clone(&notifier).work(stopped.clone())).await.is_err() {
                error!("the notifier of webhooks failed; it goes on");
                sleep(REST).await;
            }
        });
        Self { stop, task }
    }

    /// Lets it finish the calls at hand.
    pub async fn stop(self) {
        // It fails only where nobody listens any more.
        let _ = self.stop.send(true);
        if timeout(PATIENCE, self.task).await.is_err() {
            warn!("the calls of webhooks at hand did not end in time; their messages will be sent again");
        }
    }
}
