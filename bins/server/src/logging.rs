//! The log, to standard error, and what a panic leaves in it.

use std::{error::Error, io, io::IsTerminal, panic, thread};

use tracing::error;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _};

use crate::{
    config::{LogConfig, LogFormat, TelemetryConfig},
    telemetry::{self, Export},
};

/// Starts the log, and the sending of traces, once a process.
pub fn start(config: &LogConfig, telemetry: &TelemetryConfig) -> Result<Export, Box<dyn Error>> {
    // What these tell at each start, the server's own lines say better; a filter that names them shows it.
    let filter = EnvFilter::new(format!("actix_server=warn,sea_orm_migration=warn,{}", config.filter));
    let (traces, export) = telemetry::start(telemetry)?;
    let log = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let subscriber = registry().with(filter).with(traces);
    match config.format {
        LogFormat::Pretty => subscriber.with(log).init(),
        LogFormat::Json => subscriber.with(log.json().flatten_event(true).with_span_list(false)).init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(export)
}

/// Says where, and not what: the message of a panic can hold anything, a secret too.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let location = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let thread = thread::current();
    error!(panic.location = location, thread.name = thread.name().unwrap_or("unnamed"), "a thread panicked");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_leaves_its_place_in_the_log_and_not_its_message() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log);
        let subscriber = fmt().with_ansi(false).with_writer(move || Written(Arc::clone(&written))).finish();
        let hook = panic::take_hook();
        panic::set_hook(Box::new(log_panic));
        let result = tracing::subscriber::with_default(subscriber, || panic::catch_unwind(|| panic!("the code is 042137")));
        panic::set_hook(hook);
        assert!(result.is_err());
        let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        assert!(text.contains("logging.rs:") && text.contains("a thread panicked"), "{text}");
        assert!(!text.contains("042137"), "{text}");
    }

    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
