//! The log, to standard error, and what a panic leaves in it.

use std::{io, io::IsTerminal, panic, thread};

use tracing::error;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Starts the log, once a process.
pub fn start(config: &LogConfig) {
    // What these tell at each start, the server's own lines say better; a filter that names them shows it.
    let filter = EnvFilter::new(format!("actix_server=warn,sea_orm_migration=warn,{}", config.filter));
    let log = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.format {
        LogFormat::Pretty => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    panic::set_hook(Box::new(log_panic));
}

/// Says where, and not what: the message of a panic can hold anything, a secret too.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let location = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let thread = thread::current();
    error!(panic.location = location, thread.name = thread.name().unwrap_or("unnamed"), "a thread panicked");
}
