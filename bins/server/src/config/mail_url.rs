//! Where mail goes.

use std::{fmt, path::PathBuf};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{addresses::without_password, environment::Environment};

/// Where mail goes. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum MailUrl {
    /// `console:`, to standard output. For development.
    Console,
    /// `file:///folder`, each mail into a file. For development and tests.
    Folder(PathBuf),
    /// `smtp://` or `smtps://`, to a mail server.
    Smtp(SmtpUrl),
}

/// A mail server.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    address: String,
    /// Its name or number.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// How a connection to a mail server is protected. Certificates are checked wherever there is TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// `?tls=none`: not at all.
    None,
    /// `?tls=opportunistic`: by STARTTLS if the server offers it, which someone in between can make it not do.
    Opportunistic,
    /// `?tls=required`: by STARTTLS, or nothing is sent.
    Required,
    /// `smtps://`: from the first byte.
    Implicit,
}

impl MailUrl {
    /// What [`parse`](Self::parse) takes.
    pub const EXPECTED: &str = "`smtps://user:password@host:465`, `smtp://user:password@host:587` (with `?tls=required`, `opportunistic` or \
         `none`), `file:///folder` or `console:`, with special characters in user and password percent-encoded";

    /// Reads an address. Without `tls=`, `smtp://` is plain to this machine; to others it requires STARTTLS in production and takes it
    /// if offered in development.
    pub fn parse(text: &str, environment: Environment) -> Option<Self> {
        if text == "console:" {
            return Some(Self::Console);
        }
        let url = Url::parse(text).ok()?;
        match url.scheme() {
            "file" => url.to_file_path().ok().map(Self::Folder),
            "smtp" | "smtps" => SmtpUrl::read(text, &url, environment).map(Self::Smtp),
            _ => None,
        }
    }

    /// Whether mail gets to those it is for.
    pub const fn delivers(&self) -> bool {
        matches!(self, Self::Smtp(_))
    }
}

impl SmtpUrl {
    fn read(text: &str, url: &Url, environment: Environment) -> Option<Self> {
        let host = match url.host()? {
            Host::Domain(name) => percent_decode_str(name).decode_utf8().ok()?.into_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        if host.is_empty() || !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return None;
        }
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let (tls, usual_port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (SmtpTls::Implicit, 465),
            ("smtp", Some("tls=none")) => (SmtpTls::None, 25),
            ("smtp", Some("tls=opportunistic")) => (SmtpTls::Opportunistic, 587),
            ("smtp", Some("tls=required")) => (SmtpTls::Required, 587),
            ("smtp", None) if here => (SmtpTls::None, 25),
            ("smtp", None) if environment == Environment::Production => (SmtpTls::Required, 587),
            ("smtp", None) => (SmtpTls::Opportunistic, 587),
            _ => return None,
        };
        let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?)),
            (_, None) => return None,
        };
        Some(Self { address: text.to_owned(), host, port: url.port().unwrap_or(usual_port), tls, login })
    }
}

impl fmt::Display for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console:"),
            Self::Folder(folder) => match Url::from_file_path(folder) {
                Ok(url) => url.fmt(f),
                Err(()) => folder.display().fmt(f),
            },
            Self::Smtp(server) => f.write_str(&without_password(&server.address)),
        }
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(text: &str, environment: Environment) -> SmtpUrl {
        match MailUrl::parse(text, environment) {
            Some(MailUrl::Smtp(server)) => server,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_login_is_decoded_and_not_shown() {
        let text = "smtps://ops%40example.com:p%40ss%2Bword+1@mail.example";
        let server = smtp(text, Environment::Production);
        assert_eq!((server.host.as_str(), server.port, server.tls), ("mail.example", 465, SmtpTls::Implicit));
        assert_eq!(server.login, Some(("ops@example.com".to_owned(), "p@ss+word+1".to_owned())));
        let shown = format!("{:?}", MailUrl::Smtp(server));
        assert_eq!(shown, "smtps://ops%40example.com:***@mail.example");
    }

    #[test]
    fn plain_smtp_leaves_the_machine_only_when_asked_to() {
        use Environment::{Development, Production};
        assert_eq!(smtp("smtp://127.0.0.1:2525", Production).tls, SmtpTls::None);
        assert_eq!(smtp("smtp://[::1]:2525", Production).host, "::1");
        assert_eq!(smtp("smtp://mail.example", Production).tls, SmtpTls::Required);
        assert_eq!(smtp("smtp://mail.example", Development).tls, SmtpTls::Opportunistic);
        assert_eq!(smtp("smtp://relay:25?tls=none", Production).tls, SmtpTls::None);
        assert_eq!(smtp("smtp://mail.example?tls=required", Development).port, 587);
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in [
            "",
            "console",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://h?tls=maybe",
            "smtp://h/x",
            "smtps://user@h",
        ] {
            assert_eq!(MailUrl::parse(text, Environment::Development), None, "{text}");
        }
        assert_eq!(MailUrl::parse("file:///tmp/mail", Environment::Development), Some(MailUrl::Folder("/tmp/mail".into())));
    }
}
