//! What a server for tenants is not started with.

use super::{Config, ConfigError, Environment, Key, MailConfig};

/// Refuses what is good enough for development alone. (The key ring's file is checked where it is read.)
pub fn check(config: &Config) -> Result<(), ConfigError> {
    if config.environment == Environment::Development {
        return Ok(());
    }
    let refused = |sentence: String| Err(ConfigError::Refused(format!("{sentence}{}", why(config))));
    if config.http.public_url.is_none() {
        return refused(format!(
            "{} is missing: set it to the address that tenants open, such as https://portal.example.com",
            Key::HTTP_PUBLIC_URL
        ));
    }
    if !config.mail.url.delivers() {
        return refused(format!(
            "{} is `{}`, which delivers no mail and is for development alone: set it to your mail server, such as \
             smtps://user:password@mail.example.com",
            Key::MAIL_URL,
            config.mail.url
        ));
    }
    if let Some(everyone) = config.http.trusted_proxies.iter().find(|network| network.prefix_len() == 0) {
        return refused(format!(
            "{} has {everyone}, by which every client chooses its own address and its own limits: name the proxies alone",
            Key::HTTP_TRUSTED_PROXIES
        ));
    }
    if config.mail.from.to_string() == MailConfig::FROM {
        return refused(format!("{} is missing: set it to a sender that your mail server accepts", Key::MAIL_FROM));
    }
    Ok(())
}

/// Why production's rules apply to a server that wasn't said to be in production.
fn why(config: &Config) -> String {
    if config.origins.contains_key(&Key::ENVIRONMENT) {
        return String::new();
    }
    format!(
        ". The server is in production because it listens on {}, which others can reach; to try it out, set {}=development",
        config.http.bind,
        Key::ENVIRONMENT.env_name()
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;

    const BIND: (&str, &str) = ("TENANTRY__HTTP__BIND", "0.0.0.0:8080");
    const URL: (&str, &str) = ("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example.com");
    const MAIL: (&str, &str) = ("TENANTRY__MAIL__URL", "smtps://mail.example.com");
    const FROM: (&str, &str) = ("TENANTRY__MAIL__FROM", "no-reply@example.com");
    const PRODUCTION: (&str, &str) = ("TENANTRY__ENVIRONMENT", "production");

    #[test]
    fn a_proxy_that_could_be_anyone_is_refused() {
        for everyone in ["0.0.0.0/0", "::/0", "10.0.0.0/8,0.0.0.0/0"] {
            let refusal =
                config(&[BIND, URL, MAIL, FROM, ("TENANTRY__HTTP__TRUSTED_PROXIES", everyone)]).unwrap_err().to_string();
            assert!(refusal.contains("http.trusted_proxies"), "{refusal}");
        }
    }

    #[test]
    fn a_server_says_that_it_goes_before_it_goes() {
        assert_eq!(config(&[BIND, URL, MAIL, FROM]).unwrap().http.drain.as_secs(), 5);
        assert_eq!(config(&[]).unwrap().http.drain.as_secs(), 0);
        assert!(config(&[("TENANTRY__HTTP__DRAIN_SECONDS", "301")]).is_err());
    }

    #[test]
    fn a_complete_configuration_is_accepted() {
        let config = config(&[BIND, URL, MAIL, FROM]).unwrap();
        assert_eq!(config.environment.as_str(), "production");
        assert!(config.http.settings().hsts);
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        for (variables, named) in [
            (&[PRODUCTION, MAIL, FROM][..], "TENANTRY__HTTP__PUBLIC_URL"),
            (&[PRODUCTION, URL, FROM], "TENANTRY__MAIL__URL"),
            (&[PRODUCTION, URL, FROM, ("TENANTRY__MAIL__URL", "file:///tmp/mail")], "TENANTRY__MAIL__URL"),
            (&[PRODUCTION, URL, MAIL], "TENANTRY__MAIL__FROM"),
        ] {
            let error = config(variables).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("set it to") && !error.contains("because it listens"), "{error}");
        }
    }

    #[test]
    fn a_server_that_others_can_reach_is_in_production_unless_it_says_otherwise() {
        let error = config(&[BIND]).unwrap_err().to_string();
        assert!(error.contains("because it listens on 0.0.0.0:8080"), "{error}");
        assert!(error.contains("TENANTRY__ENVIRONMENT=development"), "{error}");
        assert!(config(&[BIND, ("TENANTRY__ENVIRONMENT", "development")]).is_ok());
        assert!(config(&[("TENANTRY__HTTP__BIND", "[::1]:0")]).is_ok());
        assert!(config(&[("TENANTRY__HTTP__BIND", "[::ffff:127.0.0.1]:0")]).is_ok());
    }
}
