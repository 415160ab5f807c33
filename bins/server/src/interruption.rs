//! Ctrl-C and SIGTERM while a command works: what it has begun is cleared away, and the command says what they left.

use std::{error::Error, future::Future, process::ExitCode};

use tokio::signal::unix::{SignalKind, signal};

use crate::terminal;

/// Does the work, unless a signal ends it before: then says what that means, and answers the status that shells expect.
pub async fn interruptible<E: Error + 'static>(
    work: impl Future<Output = Result<(), E>>,
    meaning: &str,
) -> Result<ExitCode, Box<dyn Error>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let status = tokio::select! {
        biased;
        done = work => return done.map(|()| ExitCode::SUCCESS).map_err(Into::into),
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    terminal::remark(format!("tenantry-server: interrupted: {meaning}"));
    Ok(ExitCode::from(status))
}
