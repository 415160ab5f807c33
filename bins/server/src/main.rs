//! `tenantry-server`: reads the configuration, wires store, sign-in and HTTP together, serves, and stops in order.

mod backup;
mod bootstrap_link;
mod cli;
mod config;
mod database;
mod database_keys;
mod demo;
mod doctor;
mod greeting;
mod health;
mod housekeeping;
mod interruption;
mod key_rotation;
mod keys;
mod logging;
mod mail;
mod manual;
mod metrics;
mod observer;
mod older_codes;
mod operator_key;
mod serve;
mod service_manager;
mod telemetry;
mod terminal;
mod webhooks;

use std::{
    error::Error,
    io::{IsTerminal, stderr},
    process::ExitCode,
};

use tenantry_auth::ApiKeyToken;
use tenantry_domain::{Chain, SystemEntropy};

use crate::{
    cli::{ApiKeyVerb, Cli, ConfigVerb, KeysVerb, Verb},
    config::{Config, ConfigError, Environment, Key},
    interruption::interruptible,
};

/// A tenth faster than the system's allocator under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::read()) {
        Ok(status) => status,
        Err(error) => {
            terminal::remark(format!("tenantry-server: {}", Chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    let load =
        |settings: cli::Settings| -> Result<Config, ConfigError> { Config::load(&settings.sources(), stderr().is_terminal()) };
    match cli.verb {
        None => {
            let config = load(cli.settings)?;
            let traces = logging::start(&config.log, &config.telemetry)?;
            let served = actix_web::rt::System::new().block_on(serve::serve(config, cli.demo));
            traces.finish();
            served?;
        }
        Some(Verb::ApiKey(ApiKeyVerb::Generate)) => {
            terminal::say(ApiKeyToken::generate(&SystemEntropy).reveal());
            let name = Key::BOOTSTRAP_API_KEY.env_name();
            terminal::remark(format!("Keep it secret. The server takes it as {name}, or from the file that {name}_FILE names."));
        }
        Some(Verb::BootstrapLink { recover }) => {
            let config = load(cli.settings)?;
            let (address, made) = actix_web::rt::System::new().block_on(bootstrap_link::make(&config, recover))?;
            terminal::say(address);
            terminal::remark(format!("Whoever opens it becomes an owner: once, and until {}.", made.link.expires_at));
        }
        Some(Verb::Keys(verb)) => {
            let config = load(cli.settings)?;
            match verb {
                KeysVerb::List => actix_web::rt::System::new().block_on(key_rotation::list(&config))?,
                KeysVerb::Rotate => actix_web::rt::System::new().block_on(key_rotation::rotate(&config))?,
                KeysVerb::Promote => actix_web::rt::System::new().block_on(key_rotation::promote(&config))?,
                KeysVerb::Accept => actix_web::rt::System::new().block_on(key_rotation::accept(&config))?,
            }
        }
        Some(Verb::Config(ConfigVerb::Print)) => terminal::say(load(cli.settings)?.print().trim_end()),
        Some(Verb::Config(ConfigVerb::Check)) => {
            let config = load(cli.settings)?;
            if config.environment == Environment::Production || config.keys_file.exists() {
                keys::check(&config.keys_file, config.environment)?;
            }
            terminal::say(format!("The configuration is good: {} on {}.", config.environment.as_str(), config.http.bind));
        }
        Some(Verb::Doctor { json }) => {
            let config = load(cli.settings)?;
            if !actix_web::rt::System::new().block_on(doctor::run(&config, json)) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Some(Verb::Health { live }) => {
            let path = if live { health::LIVE } else { health::READY };
            actix_web::rt::System::new().block_on(health::check(&load(cli.settings)?, path))?;
        }
        Some(Verb::Man { folder }) => manual::write_pages(&folder)?,
        Some(Verb::Backup { file, replace }) => {
            let config = load(cli.settings)?;
            let made = backup::make(&config, &file, replace);
            return actix_web::rt::System::new().block_on(interruptible(made, "no file was written"));
        }
        Some(Verb::Restore { file, yes, keep_sessions }) => {
            let config = load(cli.settings)?;
            let restored = backup::restore(&config, &file, yes, keep_sessions);
            let meaning = "the database holds what it held, or all of the backup, and nothing between the two";
            return actix_web::rt::System::new().block_on(interruptible(restored, meaning));
        }
        Some(Verb::Completions { shell }) => terminal::say(String::from_utf8_lossy(&cli::completions(shell)).trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
