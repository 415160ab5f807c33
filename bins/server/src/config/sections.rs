//! The sections of the configuration.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    thread::available_parallelism,
    time::Duration,
};

use ipnet::IpNet;
use lettre::{message::Mailbox, transport::smtp::client::Certificate};
use tenantry_auth::AuthPolicy;
use tenantry_domain::{HexColor, Rate, Retention};
use tenantry_http::HttpSettings;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    addresses::{DatabaseUrl, PublicUrl},
    environment::{Environment, LogFormat},
    error::ConfigError,
    key::Key,
    mail_url::MailUrl,
    values::Values,
};
use crate::mail::{Brand, Support};

#[derive(Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    pub max_connections: u32,
}

#[derive(Debug)]
pub struct HttpConfig {
    pub bind: SocketAddr,
    /// `None`, in development alone: where the server listens.
    pub public_url: Option<PublicUrl>,
    pub trusted_proxies: Vec<IpNet>,
    pub max_in_flight: usize,
    /// `None`: no guard.
    pub flood: Option<Rate>,
    pub request_timeout: Duration,
    /// How long a server that is to stop says that it isn't ready, before it takes no more connections.
    pub drain: Duration,
    pub workers: usize,
}

#[derive(Debug)]
pub struct MailConfig {
    pub url: MailUrl,
    pub from: Mailbox,
    /// Certificates in PEM that are trusted beside the public ones, where the mail server has a private authority.
    pub ca: Option<String>,
}

#[derive(Debug)]
pub struct WebhookConfig {
    /// Whether a webhook may be where not everybody can reach it.
    pub allow_private: bool,
}

#[derive(Debug)]
pub struct LogConfig {
    pub format: LogFormat,
    pub filter: String,
}

#[derive(Debug)]
pub struct MetricsConfig {
    /// `None`: metrics are served to nobody.
    pub bind: Option<SocketAddr>,
}

#[derive(Debug)]
pub struct TelemetryConfig {
    /// The collector that traces are sent to; `None`: they are sent to nobody.
    pub otlp_endpoint: Option<Url>,
}

#[derive(Debug)]
pub struct HousekeepingConfig {
    /// From one round of a server's to the next, about.
    pub interval: Duration,
    pub retention: Retention,
}

impl DatabaseConfig {
    /// More connections than this gain nothing on one PostgreSQL (`performance.md`).
    const MAX_CONNECTIONS: u32 = 8;

    pub(super) fn read(values: &Values, data_dir: &Path) -> Result<Self, ConfigError> {
        let expected = "`sqlite://path/to/tenantry.db` or `postgres://user:password@host:5432/database`";
        let url = values.parsed(Key::DATABASE_URL, expected, DatabaseUrl::parse)?;
        let max_connections = values.number(Key::DATABASE_MAX_CONNECTIONS, 1..=1000)?.unwrap_or(Self::MAX_CONNECTIONS);
        Ok(Self { url: url.unwrap_or_else(|| DatabaseUrl::of_file(&data_dir.join("tenantry.db"))), max_connections })
    }
}

impl HttpConfig {
    /// A balancer that asks every other second has seen it by then.
    const DRAIN: Duration = Duration::from_secs(5);

    pub(super) fn read(values: &Values, bind: SocketAddr, environment: Environment) -> Result<Self, ConfigError> {
        let defaults = HttpSettings::default();
        let proxies = "addresses or networks such as 10.0.0.0/8, separated by commas";
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            bind,
            public_url: values.parsed(Key::HTTP_PUBLIC_URL, PublicUrl::EXPECTED, PublicUrl::parse)?,
            trusted_proxies: values.list(Key::HTTP_TRUSTED_PROXIES, proxies, parse_network)?,
            max_in_flight: values.number(Key::HTTP_MAX_IN_FLIGHT, 1..=1_000_000)?.unwrap_or(defaults.max_in_flight),
            flood: read_flood(values)?,
            request_timeout: values
                .number::<u64>(Key::HTTP_REQUEST_TIMEOUT_SECONDS, 1..=3600)?
                .map_or(defaults.request_timeout, Duration::from_secs),
            drain: values
                .number::<u64>(Key::HTTP_DRAIN_SECONDS, 0..=300)?
                .map_or(if environment == Environment::Production { Self::DRAIN } else { Duration::ZERO }, Duration::from_secs),
            // A worker holds a megabyte or two; four serve more than one database answers.
            workers: values.number(Key::HTTP_WORKERS, 1..=256)?.unwrap_or_else(|| cores.min(4)),
        })
    }

    /// As the HTTP crate takes it.
    pub fn settings(&self) -> HttpSettings {
        HttpSettings {
            trusted_proxies: self.trusted_proxies.clone(),
            max_in_flight: self.max_in_flight,
            flood: self.flood,
            request_timeout: self.request_timeout,
            workers: self.workers,
            hsts: self.public_url.as_ref().is_some_and(PublicUrl::is_https),
            ..HttpSettings::default()
        }
    }

    /// What tenants open: as configured, or where the server listens.
    pub fn public_url(&self, listening: SocketAddr) -> String {
        self.public_url.as_ref().map_or_else(|| format!("http://{listening}"), PublicUrl::to_string)
    }
}

/// What the guard against floods lets through; a burst of 0 is for none.
fn read_flood(values: &Values) -> Result<Option<Rate>, ConfigError> {
    let Some(default) = HttpSettings::default().flood else { return Ok(None) };
    let burst = values.number(Key::HTTP_FLOOD_BURST, 0..=1_000_000)?.unwrap_or(default.burst);
    let interval = values.number::<i64>(Key::HTTP_FLOOD_INTERVAL_MILLISECONDS, 1..=60_000)?;
    let interval = interval.map_or(default.interval, time::Duration::milliseconds);
    Ok((burst > 0).then_some(Rate { burst, interval }))
}

impl MailConfig {
    pub(super) const FROM: &str = "Tenantry <tenantry@localhost.localdomain>";

    pub(super) fn read(values: &Values, environment: Environment) -> Result<Self, ConfigError> {
        let url = values.parsed(Key::MAIL_URL, MailUrl::EXPECTED, |text| MailUrl::parse(text, environment))?;
        let expected = "an address such as `Portal <no-reply@example.com>`";
        let from = values.text(Key::MAIL_FROM)?.unwrap_or(Self::FROM);
        let from = parse_mailbox(from).ok_or_else(|| values.invalid(Key::MAIL_FROM, expected))?;
        let expected = "certificates in PEM, or better the name of a file of such in `mail.ca_file`";
        let ca = values.parsed(Key::MAIL_CA, expected, |text| {
            let some = text.contains("-----BEGIN CERTIFICATE-----") && Certificate::from_pem(text.as_bytes()).is_ok();
            some.then(|| text.to_owned())
        })?;
        Ok(Self { url: url.unwrap_or(MailUrl::Console), from, ca })
    }
}

/// Names and looks in mails.
pub(super) fn read_brand(values: &Values) -> Result<Brand, ConfigError> {
    let name = values.parsed(Key::BRAND_NAME, "1 to 60 characters on one line", |text| {
        let fits = (1..=60).contains(&text.chars().count()) && !text.contains(char::is_control);
        fits.then(|| text.to_owned())
    })?;
    let expected = format!("a colour such as `{}`", Brand::COLOR);
    let color = values.text(Key::BRAND_COLOR)?.unwrap_or(Brand::COLOR).trim();
    Ok(Brand {
        name: name.unwrap_or_else(|| Brand::NAME.to_owned()),
        color: HexColor::parse(color).map_err(|_| values.invalid(Key::BRAND_COLOR, expected))?,
        support: values.parsed(Key::BRAND_SUPPORT, Support::EXPECTED, Support::parse)?,
    })
}

impl WebhookConfig {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self { allow_private: values.flag(Key::WEBHOOKS_ALLOW_PRIVATE)?.unwrap_or(false) })
    }
}

impl LogConfig {
    pub(super) fn read(values: &Values, terminal: bool) -> Result<Self, ConfigError> {
        let format = values.parsed(Key::LOG_FORMAT, "`pretty` or `json`", LogFormat::parse)?;
        let expected = "a filter such as `info` or `info,tenantry_http=debug`";
        let filter =
            values.parsed(Key::LOG_FILTER, expected, |text| EnvFilter::try_new(text).is_ok().then(|| text.to_owned()))?;
        Ok(Self {
            format: format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json }),
            filter: filter.unwrap_or_else(|| "info".to_owned()),
        })
    }
}

impl MetricsConfig {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self { bind: values.parsed(Key::METRICS_BIND, "an address and a port such as 127.0.0.1:9464", parse_bind)? })
    }
}

impl TelemetryConfig {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        let key = Key::TELEMETRY_OTLP_ENDPOINT;
        let otlp_endpoint = values.parsed(key, "a collector's address such as http://127.0.0.1:4318", parse_collector)?;
        if otlp_endpoint.is_some() && !cfg!(feature = "otlp") {
            let sentence =
                format!("{key} is set, and this program can't send traces: build it with `--features otlp`, or take that out");
            return Err(ConfigError::Refused(sentence));
        }
        Ok(Self { otlp_endpoint })
    }
}

impl HousekeepingConfig {
    const INTERVAL: Duration = Duration::from_secs(3600);
    const KEEP_DAYS: i64 = 30;

    pub(super) fn read(values: &Values, policy: &AuthPolicy) -> Result<Self, ConfigError> {
        let days = |key| -> Result<time::Duration, ConfigError> {
            Ok(time::Duration::days(values.number::<i64>(key, 1..=3650)?.unwrap_or(Self::KEEP_DAYS)))
        };
        Ok(Self {
            interval: values
                .number::<u64>(Key::HOUSEKEEPING_INTERVAL_SECONDS, 1..=86_400)?
                .map_or(Self::INTERVAL, Duration::from_secs),
            retention: Retention {
                sessions: days(Key::HOUSEKEEPING_KEEP_SESSIONS_DAYS)?,
                messages: days(Key::HOUSEKEEPING_KEEP_MESSAGES_DAYS)?,
                failures_count_for: policy.otp_budget.window,
            },
        })
    }
}

impl fmt::Display for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            MailUrl::Console => f.write_str("this console"),
            MailUrl::Folder(folder) => write!(f, "files in {}", folder.display()),
            MailUrl::Smtp(server) => write!(f, "{}:{}", server.host, server.port),
        }
    }
}

pub(super) fn parse_bind(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// A collector is spoken to without TLS, and without a password: it stands beside the server.
fn parse_collector(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.scheme() == "http" && url.has_host() && url.username().is_empty() && url.password().is_none();
    (plain && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

fn parse_network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    Some(network.trunc())
}

fn parse_mailbox(text: &str) -> Option<Mailbox> {
    // What would end a header's line ends here.
    text.parse().ok().filter(|_| !text.contains(char::is_control))
}
