//! What the server says of itself when it starts, to people: on standard output, and never in the log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tenantry_auth::ApiKeyToken;
use tenantry_domain::Timestamp;

use crate::config::{Config, Environment, Key};

/// What there is to say.
pub struct Greeting<'a> {
    pub config: &'a Config,
    /// Where it listens.
    pub address: SocketAddr,
    /// The address that people know it by.
    pub public_url: &'a str,
    /// The operator key that nobody knows yet.
    pub operator_key: Option<&'a ApiKeyToken>,
    /// The link that makes the first operator, and until when.
    pub link: Option<(String, Timestamp)>,
}

impl Greeting<'_> {
    /// Where it listens, where its data is, where mail goes, and how to come in.
    pub fn text(&self) -> String {
        let (config, environment) = (self.config, self.config.environment);
        let mut lines = vec![
            format!("Tenantry {} listening on http://{} ({})", env!("CARGO_PKG_VERSION"), self.address, environment.as_str()),
            format!("  data  {}", config.database.url),
            format!("  mail  {}", config.mail),
            format!("  consoles  {0}/admin for operators, {0}/tenant for tenants", self.public_url),
        ];
        if let Some((link, expires_at)) = &self.link {
            lines.push(format!("  first operator: {link}"));
            lines.push(format!("  Whoever opens this link becomes the owner: once, and until {expires_at}."));
        }
        if let Some(key) = self.operator_key {
            lines.push(format!("  operator key for this run: {}", key.reveal()));
            lines.push(format!("  It is stored nowhere; to keep one, set {} to it.", Key::BOOTSTRAP_API_KEY.env_name()));
        }
        if environment == Environment::Development && !config.http.bind.ip().to_canonical().is_loopback() {
            lines.push("  Others can reach this server, and it is in development: don't let it hold anything real.".to_owned());
        }
        lines.join("\n")
    }
}

/// An address under which this machine reaches what listens on `address`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn one_line_says_where_the_server_listens() {
        let environment = vec![("TENANTRY__DATABASE__URL".into(), "postgres://u:hunter2@h/db".into())];
        let config = Config::load(&Sources { environment, ..Sources::default() }, true).unwrap();
        let key = ApiKeyToken::generate(&tenantry_domain::SeededEntropy::new(1));
        let link = Some(("http://127.0.0.1:41234/bootstrap/tnb_x".to_owned(), Timestamp::MIN));
        let address = "127.0.0.1:41234".parse().unwrap();
        let text =
            Greeting { config: &config, address, public_url: "http://127.0.0.1:41234", operator_key: Some(&key), link }.text();
        assert_eq!(text.lines().filter(|line| line.contains("listening on http://127.0.0.1:41234 ")).count(), 1);
        assert_eq!((text.matches(key.reveal()).count(), text.matches("/bootstrap/tnb_x\n").count()), (1, 1));
        assert!(text.contains("postgres://u:***@h/db") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        for (listening, reached) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")] {
            assert_eq!(reachable(listening.parse().unwrap()).to_string(), reached);
        }
    }
}
