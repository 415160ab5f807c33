//! `config print`.

use std::fmt::{Display, Write};

use tenantry_domain::Rate;

use super::{Config, Key};

/// The effective configuration as TOML, each line with what set it.
pub fn print(config: &Config) -> String {
    let mut lines = String::new();
    let mut section = "";
    for &key in Key::ALL {
        let (of, name) = Key::split(key.path());
        if of != section {
            section = of;
            let _ = write!(lines, "\n[{section}]\n");
        }
        let origin = config.origins.get(&key).map_or_else(|| "default".to_owned(), ToString::to_string);
        let _ = match shown(config, key) {
            Some(value) => writeln!(lines, "{name} = {value}  # {origin}"),
            None => writeln!(lines, "# {name} is not set"),
        };
    }
    lines
}

/// A setting's value as TOML; `None` where there is neither a value nor a default.
fn shown(config: &Config, key: Key) -> Option<String> {
    let Config { database, http, mail, brand, webhooks, log, policy, housekeeping, .. } = config;
    let rate = |rate: &Rate| (rate.burst.to_string(), rate.interval.whole_seconds().to_string());
    Some(match key {
        Key::ENVIRONMENT => quoted(&config.environment.as_str()),
        Key::DATA_DIR => quoted(&config.data_dir.display()),
        Key::DATABASE_URL => quoted(&database.url),
        Key::DATABASE_MAX_CONNECTIONS => database.max_connections.to_string(),
        Key::HTTP_BIND => quoted(&http.bind),
        Key::HTTP_PUBLIC_URL => quoted(http.public_url.as_ref()?),
        Key::HTTP_TRUSTED_PROXIES => {
            format!("[{}]", http.trusted_proxies.iter().map(|network| quoted(network)).collect::<Vec<_>>().join(", "))
        }
        Key::HTTP_MAX_IN_FLIGHT => http.max_in_flight.to_string(),
        Key::HTTP_FLOOD_BURST => http.flood.map_or(0, |rate| rate.burst).to_string(),
        // Without a guard it means nothing, and is left out.
        Key::HTTP_FLOOD_INTERVAL_MILLISECONDS => http.flood?.interval.whole_milliseconds().to_string(),
        Key::HTTP_REQUEST_TIMEOUT_SECONDS => http.request_timeout.as_secs().to_string(),
        Key::HTTP_DRAIN_SECONDS => http.drain.as_secs().to_string(),
        Key::HTTP_WORKERS => http.workers.to_string(),
        Key::MAIL_URL => quoted(&mail.url),
        Key::MAIL_FROM => quoted(&mail.from),
        Key::MAIL_CA => quoted(mail.ca.as_ref()?),
        Key::BRAND_NAME => quoted(&brand.name),
        Key::BRAND_COLOR => quoted(&brand.color.as_str()),
        Key::BRAND_SUPPORT => quoted(brand.support.as_ref()?),
        Key::WEBHOOKS_ALLOW_PRIVATE => webhooks.allow_private.to_string(),
        Key::KEYS_FILE => quoted(&config.keys_file.display()),
        Key::KEYS_LEGACY_PEPPER => quoted(&config.legacy_pepper.as_ref().map(|_| "***")?),
        Key::BOOTSTRAP_API_KEY => quoted(&config.bootstrap_key.as_ref().map(|_| "***")?),
        Key::BOOTSTRAP_LINK_TTL_SECONDS => policy.bootstrap_link_ttl.whole_seconds().to_string(),
        Key::LOG_FORMAT => quoted(&log.format.as_str()),
        Key::LOG_FILTER => quoted(&log.filter),
        Key::METRICS_BIND => quoted(&config.metrics.bind?),
        Key::TELEMETRY_OTLP_ENDPOINT => quoted(config.telemetry.otlp_endpoint.as_ref()?),
        Key::OTP_TTL_SECONDS => policy.otp_ttl.whole_seconds().to_string(),
        Key::OTP_ATTEMPTS => policy.otp_budget.attempts.to_string(),
        Key::OTP_ACCOUNT_FAILURES => policy.otp_budget.failures.to_string(),
        Key::OTP_ACCOUNT_FAILURES_WINDOW_SECONDS => policy.otp_budget.window.whole_seconds().to_string(),
        Key::OTP_REQUESTS_PER_ACCOUNT_BURST => rate(&policy.otp_per_account).0,
        Key::OTP_REQUESTS_PER_ACCOUNT_INTERVAL_SECONDS => rate(&policy.otp_per_account).1,
        Key::OTP_REQUESTS_PER_ADDRESS_BURST => rate(&policy.otp_per_address).0,
        Key::OTP_REQUESTS_PER_ADDRESS_INTERVAL_SECONDS => rate(&policy.otp_per_address).1,
        Key::OTP_REQUESTS_GLOBAL_BURST => rate(&policy.otp_global).0,
        Key::OTP_REQUESTS_GLOBAL_INTERVAL_MILLISECONDS => policy.otp_global.interval.whole_milliseconds().to_string(),
        Key::SESSION_IDLE_SECONDS => policy.session_idle.whole_seconds().to_string(),
        Key::SESSION_ABSOLUTE_SECONDS => policy.session_absolute.whole_seconds().to_string(),
        Key::ACTIVATION_RETURN_GRACE_SECONDS => policy.return_grace.whole_seconds().to_string(),
        Key::ACTIVATION_UNKNOWN_CODES_BURST => policy.guesses_per_tenant.burst.to_string(),
        Key::ACTIVATION_UNKNOWN_CODES_INTERVAL_SECONDS => policy.guesses_per_tenant.interval.whole_seconds().to_string(),
        Key::CERTIFICATE_TTL_SECONDS => policy.certificate_ttl.whole_seconds().to_string(),
        Key::HOUSEKEEPING_INTERVAL_SECONDS => housekeeping.interval.as_secs().to_string(),
        Key::HOUSEKEEPING_KEEP_SESSIONS_DAYS => housekeeping.retention.sessions.whole_days().to_string(),
        Key::HOUSEKEEPING_KEEP_MESSAGES_DAYS => housekeeping.retention.messages.whole_days().to_string(),
        _ => return None,
    })
}

/// JSON's strings are TOML's, but for the character DEL, which TOML wants escaped.
fn quoted(text: &dyn Display) -> String {
    serde_json::Value::String(text.to_string()).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, tests::config};
    use super::*;

    #[test]
    fn what_is_printed_is_what_it_was_made_of() {
        let variables = [
            ("TENANTRY__DATA_DIR", "/srv/\"t\"\u{7f}"),
            ("TENANTRY__HTTP__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
            ("TENANTRY__HTTP__PUBLIC_URL", "http://portal.example.com"),
            ("TENANTRY__OTP__TTL_SECONDS", "300"),
        ];
        let printed = config(&variables).unwrap().print();
        assert!(printed.contains("ttl_seconds = 300  # TENANTRY__OTP__TTL_SECONDS\n"), "{printed}");
        assert!(printed.contains("bind = \"127.0.0.1:8080\"  # default\n"), "{printed}");
        assert!(printed.contains("# api_key is not set\n"), "{printed}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenantry.toml");
        std::fs::write(&path, &printed).unwrap();
        let again = Config::load(&Sources { file: Some(path), ..Sources::default() }, true).unwrap().print();
        let values =
            |printed: &str| printed.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(values(&again), values(&printed));
    }

    #[test]
    fn every_setting_is_printed_and_no_secret() {
        let key = tenantry_auth::ApiKeyToken::generate(&tenantry_domain::SeededEntropy::new(1));
        let config = config(&[
            ("TENANTRY__BOOTSTRAP__API_KEY", key.reveal()),
            ("TENANTRY__DATABASE__URL", "postgres://u:hunter2@h/db"),
            ("TENANTRY__MAIL__URL", "smtps://u:hunter2@h"),
            ("TENANTRY__HTTP__PUBLIC_URL", "http://portal.example.com"),
            ("TENANTRY__BRAND__SUPPORT", "help@example.com"),
            ("TENANTRY__KEYS__LEGACY_PEPPER", "hunter2"),
            ("TENANTRY__METRICS__BIND", "127.0.0.1:9464"),
        ]);
        let mut config = config.unwrap();
        // A program without the feature refuses it.
        config.telemetry.otlp_endpoint = "http://127.0.0.1:4318".parse().ok();
        // No certificate lies in the repository that could be read.
        config.mail.ca = Some("-----BEGIN CERTIFICATE-----\n".to_owned());
        assert!(Key::ALL.iter().all(|key| shown(&config, *key).is_some()));
        let printed = config.print();
        assert!(!printed.contains("hunter2") && !printed.contains(key.reveal()), "{printed}");
        assert!(printed.contains("url = \"postgres://u:***@h/db\"") && printed.contains("api_key = \"***\""), "{printed}");
    }
}
