//! The configuration: defaults, overridden by `tenantry.toml`, overridden by the environment, overridden by flags.
//!
//! [`key`] lists the settings, `layers` reads them, and [`Config::load`] gives them their types and defaults and refuses what a server
//! must not be started with.

mod addresses;
mod environment;
mod error;
mod figures;
mod key;
mod layers;
mod mail_url;
mod print;
mod production;
mod sections;
mod values;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use tenantry_auth::{ApiKeyToken, AuthPolicy, LegacyPepper};

pub use self::{
    addresses::{DatabaseUrl, PublicUrl},
    environment::{Environment, LogFormat},
    error::ConfigError,
    key::Key,
    layers::Sources,
    mail_url::{MailUrl, SmtpTls, SmtpUrl},
    sections::{
        DatabaseConfig, HousekeepingConfig, HttpConfig, LogConfig, MailConfig, MetricsConfig, TelemetryConfig, WebhookConfig,
    },
};
use self::{error::Origin, sections::parse_bind, values::Values};
use crate::mail::Brand;

/// What the server was told, with the defaults of what it wasn't.
#[derive(Debug)]
pub struct Config {
    pub environment: Environment,
    pub data_dir: PathBuf,
    pub database: DatabaseConfig,
    pub http: HttpConfig,
    pub mail: MailConfig,
    pub brand: Brand,
    pub webhooks: WebhookConfig,
    pub keys_file: PathBuf,
    /// What an older portal put before the codes that it digested.
    pub legacy_pepper: Option<LegacyPepper>,
    /// The operator key for unattended installs.
    pub bootstrap_key: Option<ApiKeyToken>,
    pub log: LogConfig,
    pub metrics: MetricsConfig,
    pub telemetry: TelemetryConfig,
    pub policy: AuthPolicy,
    pub housekeeping: HousekeepingConfig,
    /// What set each setting that isn't the default.
    origins: BTreeMap<Key, Origin>,
}

impl Config {
    /// Reads and checks everything but the files and servers that the configuration names. `terminal`: whether the log goes to one.
    pub fn load(sources: &Sources, terminal: bool) -> Result<Self, ConfigError> {
        let values = Values::new(sources.read()?);
        let bind = values.parsed(Key::HTTP_BIND, "an address and a port such as 127.0.0.1:8080", parse_bind)?;
        let bind = bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let environment = values.parsed(Key::ENVIRONMENT, "`development` or `production`", Environment::parse)?;
        let environment = environment.unwrap_or_else(|| Environment::by_address(bind));
        let data_dir = values.text(Key::DATA_DIR)?.map_or_else(|| PathBuf::from("./data"), PathBuf::from);
        let keys_file = values.text(Key::KEYS_FILE)?.map_or_else(|| data_dir.join("keys"), PathBuf::from);
        let policy = figures::read(&values)?;
        let config = Self {
            environment,
            database: DatabaseConfig::read(&values, &data_dir)?,
            http: HttpConfig::read(&values, bind, environment)?,
            mail: MailConfig::read(&values, environment)?,
            brand: sections::read_brand(&values)?,
            webhooks: WebhookConfig::read(&values)?,
            keys_file,
            legacy_pepper: values.text(Key::KEYS_LEGACY_PEPPER)?.and_then(LegacyPepper::new),
            data_dir,
            bootstrap_key: values.parsed(
                Key::BOOTSTRAP_API_KEY,
                "an operator key as `tenantry-server api-key generate` prints it",
                |text| ApiKeyToken::parse(text).ok(),
            )?,
            log: LogConfig::read(&values, terminal)?,
            metrics: MetricsConfig::read(&values)?,
            telemetry: TelemetryConfig::read(&values)?,
            housekeeping: HousekeepingConfig::read(&values, &policy)?,
            policy,
            origins: values.into_origins(),
        };
        production::check(&config)?;
        Ok(config)
    }

    /// The effective configuration as TOML, secrets left out, with what each setting was set by.
    pub fn print(&self) -> String {
        print::print(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Config::load(&Sources { environment, ..Sources::default() }, true)
    }

    #[test]
    fn nothing_set_is_a_development_server_on_this_machine() {
        let config = config(&[]).unwrap();
        assert_eq!(config.environment, Environment::Development);
        assert_eq!(config.http.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database.url.reveal(), "sqlite://./data/tenantry.db");
        assert_eq!(config.keys_file, PathBuf::from("./data/keys"));
        assert_eq!(config.mail.url, MailUrl::Console);
        assert_eq!(config.mail.from.to_string(), MailConfig::FROM);
        assert!(config.bootstrap_key.is_none());
        assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Pretty, "info"));
        assert_eq!(config.http.public_url("127.0.0.1:41000".parse().unwrap()), "http://127.0.0.1:41000");
        assert!(!config.http.settings().hsts);
    }

    #[test]
    fn data_dir_moves_what_lies_in_it() {
        let config = config(&[("TENANTRY__DATA_DIR", "/srv/t"), ("TENANTRY__HTTP__BIND", "localhost:0")]).unwrap();
        assert_eq!(config.database.url.reveal(), "sqlite:///srv/t/tenantry.db");
        assert_eq!(config.keys_file, PathBuf::from("/srv/t/keys"));
        assert_eq!(config.http.bind.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_it_has_to_be() {
        for (name, value, expected) in [
            ("TENANTRY__HTTP__BIND", "8080", "must be an address and a port"),
            ("TENANTRY__METRICS__BIND", "9464", "must be an address and a port such as 127.0.0.1:9464"),
            ("TENANTRY__TELEMETRY__OTLP_ENDPOINT", "https://collector:4318", "must be a collector's address such as http://"),
            ("TENANTRY__TELEMETRY__OTLP_ENDPOINT", "http://u:hunter2@collector", "must be a collector's address such as http://"),
            ("TENANTRY__HTTP__WORKERS", "many", "must be a whole number from 1 to 256"),
            ("TENANTRY__HTTP__WORKERS", "0", "must be a whole number from 1 to 256"),
            ("TENANTRY__HTTP__TRUSTED_PROXIES", "10.0.0.0/8,everyone", "must be addresses or networks"),
            ("TENANTRY__HTTP__PUBLIC_URL", "portal.example.com", "must be an address such as https://"),
            ("TENANTRY__DATABASE__URL", "mysql://u:hunter2@h/db", "must be `sqlite://"),
            ("TENANTRY__MAIL__URL", "imap://u:hunter2@h", "must be `smtps://"),
            ("TENANTRY__MAIL__FROM", "Tenantry", "must be an address such as `Portal"),
            ("TENANTRY__MAIL__FROM", "a@example.com\r\nBcc: b@example.com", "must be an address such as `Portal"),
            ("TENANTRY__BRAND__NAME", "Two\nlines", "must be 1 to 60 characters"),
            ("TENANTRY__BRAND__COLOR", "red", "must be a colour such as `#1f5f8b`"),
            ("TENANTRY__BRAND__SUPPORT", "http://example.com", "must be an address such as `help@example.com`"),
            ("TENANTRY__BOOTSTRAP__API_KEY", "hunter2", "`tenantry-server api-key generate`"),
            ("TENANTRY__ENVIRONMENT", "staging", "must be `development` or `production`"),
            ("TENANTRY__HOUSEKEEPING__INTERVAL_SECONDS", "0", "must be a whole number from 1 to 86400"),
            ("TENANTRY__HOUSEKEEPING__KEEP_SESSIONS_DAYS", "0", "must be a whole number from 1 to 3650"),
            ("TENANTRY__HOUSEKEEPING__KEEP_MESSAGES_DAYS", "forever", "must be a whole number from 1 to 3650"),
            ("TENANTRY__WEBHOOKS__ALLOW_PRIVATE", "yes", "must be `true` or `false`"),
            ("TENANTRY__LOG__FORMAT", "xml", "must be `pretty` or `json`"),
            ("TENANTRY__LOG__FILTER", "a=b=c", "must be a filter"),
        ] {
            let error = config(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_has_types_and_a_wrong_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Config::load(&Sources { file: Some(path.clone()), ..Sources::default() }, true)
        };
        assert!(load("[webhooks]\nallow_private = true\n").unwrap().webhooks.allow_private);
        let config = load("[http]\nworkers = 3\ntrusted_proxies = ['10.1.2.3/8', '::1']\nmax_in_flight = 7\n").unwrap();
        assert_eq!((config.http.workers, config.http.settings().max_in_flight), (3, 7));
        assert_eq!(config.http.trusted_proxies, vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for text in
            ["[http]\nworkers = true", "[http]\nbind = 8080", "[http]\ntrusted_proxies = [1]", "[mail]\nfrom = ['a@example.com']"]
        {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains("must be") && error.contains("t.toml"), "{error}");
        }
    }

    #[test]
    fn proxies_are_a_list_with_commas_and_an_address_is_a_network_of_one() {
        let config = config(&[("TENANTRY__HTTP__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,2001:db8::1,")]).unwrap();
        let networks: Vec<_> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = ApiKeyToken::generate(&tenantry_domain::SeededEntropy::new(1));
        let config = config(&[
            ("TENANTRY__BOOTSTRAP__API_KEY", key.reveal()),
            ("TENANTRY__DATABASE__URL", "postgres://u:hunter2@h/db"),
            ("TENANTRY__MAIL__URL", "smtps://u:hunter2@h"),
            ("TENANTRY__KEYS__LEGACY_PEPPER", "hunter2"),
        ]);
        let shown = format!("{:?}", config.unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains(key.reveal()), "{shown}");
    }
}
