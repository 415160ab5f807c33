//! The names of all settings.

use std::fmt;

/// A setting's name: `http.bind` in a file, `TENANTRY__HTTP__BIND` in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(&'static str);

/// What the environment's names start with.
pub const PREFIX: &str = "TENANTRY__";

macro_rules! keys {
    ($($name:ident = $path:literal,)+) => {
        impl Key {
            $(pub const $name: Self = Self($path);)+

            /// All there are, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

keys! {
    ENVIRONMENT = "environment",
    DATA_DIR = "data_dir",
    DATABASE_URL = "database.url",
    DATABASE_MAX_CONNECTIONS = "database.max_connections",
    HTTP_BIND = "http.bind",
    HTTP_PUBLIC_URL = "http.public_url",
    HTTP_TRUSTED_PROXIES = "http.trusted_proxies",
    HTTP_MAX_IN_FLIGHT = "http.max_in_flight",
    HTTP_REQUEST_TIMEOUT_SECONDS = "http.request_timeout_seconds",
    HTTP_FLOOD_BURST = "http.flood_burst",
    HTTP_FLOOD_INTERVAL_MILLISECONDS = "http.flood_interval_milliseconds",
    HTTP_DRAIN_SECONDS = "http.drain_seconds",
    HTTP_WORKERS = "http.workers",
    MAIL_URL = "mail.url",
    MAIL_FROM = "mail.from",
    MAIL_CA = "mail.ca",
    BRAND_NAME = "brand.name",
    BRAND_COLOR = "brand.color",
    BRAND_SUPPORT = "brand.support",
    WEBHOOKS_ALLOW_PRIVATE = "webhooks.allow_private",
    KEYS_FILE = "keys.file",
    KEYS_LEGACY_PEPPER = "keys.legacy_pepper",
    BOOTSTRAP_API_KEY = "bootstrap.api_key",
    BOOTSTRAP_LINK_TTL_SECONDS = "bootstrap.link_ttl_seconds",
    LOG_FORMAT = "log.format",
    LOG_FILTER = "log.filter",
    METRICS_BIND = "metrics.bind",
    TELEMETRY_OTLP_ENDPOINT = "telemetry.otlp_endpoint",
    OTP_TTL_SECONDS = "otp.ttl_seconds",
    OTP_ATTEMPTS = "otp.attempts",
    OTP_ACCOUNT_FAILURES = "otp.account_failures",
    OTP_ACCOUNT_FAILURES_WINDOW_SECONDS = "otp.account_failures_window_seconds",
    OTP_REQUESTS_PER_ACCOUNT_BURST = "otp.requests_per_account_burst",
    OTP_REQUESTS_PER_ACCOUNT_INTERVAL_SECONDS = "otp.requests_per_account_interval_seconds",
    OTP_REQUESTS_PER_ADDRESS_BURST = "otp.requests_per_address_burst",
    OTP_REQUESTS_PER_ADDRESS_INTERVAL_SECONDS = "otp.requests_per_address_interval_seconds",
    OTP_REQUESTS_GLOBAL_BURST = "otp.requests_global_burst",
    OTP_REQUESTS_GLOBAL_INTERVAL_MILLISECONDS = "otp.requests_global_interval_milliseconds",
    SESSION_IDLE_SECONDS = "session.idle_seconds",
    SESSION_ABSOLUTE_SECONDS = "session.absolute_seconds",
    ACTIVATION_RETURN_GRACE_SECONDS = "activation.return_grace_seconds",
    ACTIVATION_UNKNOWN_CODES_BURST = "activation.unknown_codes_burst",
    ACTIVATION_UNKNOWN_CODES_INTERVAL_SECONDS = "activation.unknown_codes_interval_seconds",
    CERTIFICATE_TTL_SECONDS = "certificate.ttl_seconds",
    HOUSEKEEPING_INTERVAL_SECONDS = "housekeeping.interval_seconds",
    HOUSEKEEPING_KEEP_SESSIONS_DAYS = "housekeeping.keep_sessions_days",
    HOUSEKEEPING_KEEP_MESSAGES_DAYS = "housekeeping.keep_messages_days",
}

impl Key {
    /// The setting of this name.
    pub fn find(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.0 == path)
    }

    /// The name in a file: `http.bind`.
    pub const fn path(self) -> &'static str {
        self.0
    }

    /// The section that a path is in, and its name there; the section of settings outside of all sections is empty.
    pub fn split(path: &str) -> (&str, &str) {
        path.split_once('.').unwrap_or(("", path))
    }

    /// The name in the environment: `TENANTRY__HTTP__BIND`.
    pub fn env_name(self) -> String {
        env_name(self.0)
    }
}

/// What the environment calls a path, whether there is such a setting or not.
pub fn env_name(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.0, self.env_name())
    }
}
