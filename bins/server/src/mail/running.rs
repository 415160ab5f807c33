//! A mailer at work beside the server.

use std::{sync::Arc, time::Duration};

use tenantry_domain::ports::Store;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use super::worker::Mailer;

/// How long a batch at hand is waited for when the server stops. What isn't sent by then is sent after the next start.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to rest after a panic.
const REST: Duration = Duration::from_secs(1);

/// A mailer at work.
pub struct RunningMailer {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RunningMailer {
    /// Puts a mailer to work. A panic ends a batch, whose messages are claimed again later, and not the mailer.
    pub fn start<S: Store>(mailer: Mailer<S>) -> Self {
        let mailer = Arc::new(mailer);
        let wake = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(false);
        let woken = Arc::clone(&wake);
        let task = tokio::spawn(async move {
            while tokio::spawn(Arc::clone(&mailer).work(Arc::clone(&woken), stopped.clone())).await.is_err() {
                error!("the mailer failed; it goes on with the next batch");
                sleep(REST).await;
            }
        });
        Self { wake, stop, task }
    }

    /// What is to be called when a mail waits.
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        let wake = Arc::clone(&self.wake);
        Arc::new(move || wake.notify_one())
    }

    /// Lets it finish the batch at hand.
    pub async fn stop(self) {
        // It fails only where nobody listens any more.
        let _ = self.stop.send(true);
        if timeout(PATIENCE, self.task).await.is_err() {
            warn!("the mail at hand could not be sent in time; it will be tried again");
        }
    }
}
