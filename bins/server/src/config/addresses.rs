//! Addresses with secrets in them: of the database, of the mail server, and the public one.

use std::{fmt, path::PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

/// What the path of a `sqlite://` address can't hold as it is.
const SPECIAL_IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// Where the database is. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Checks the scheme; the rest is checked by connecting.
    pub fn parse(text: &str) -> Option<Self> {
        ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)).then(|| Self(text.to_owned()))
    }

    /// The file of an embedded database.
    pub fn of_file(file: &std::path::Path) -> Self {
        Self(format!("sqlite://{}", utf8_percent_encode(&file.display().to_string(), SPECIAL_IN_PATH)))
    }

    /// The address as it was given, password included.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The embedded database's file; `None` for a database server.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let path = self.0.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path).split('?').next()?;
        Some(percent_decode_str(path).decode_utf8().ok()?.into_owned().into())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address without its password. What is between the scheme and the last `@` counts as user and password even where an
/// unescaped character makes a parser see it otherwise.
pub fn without_password(address: &str) -> String {
    const HIDDEN: &str = "***";
    let Some((scheme, rest)) = address.split_once("://") else {
        return if address.contains(['@', '?']) { HIDDEN.to_owned() } else { address.to_owned() };
    };
    // An `@` behind a server that parses as one stands in the query, and belongs to no login.
    let server_first = Url::parse(address).is_ok_and(|url| url.username().is_empty() && url.password().is_none());
    let rest = match rest.rsplit_once('@').filter(|_| !server_first) {
        Some((login, server)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{server}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let Some((path, query)) = rest.split_once('?') else { return format!("{scheme}://{rest}") };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.to_lowercase().contains("pass") => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    format!("{scheme}://{path}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// Where tenants open Tenantry: the only address that mails and answers ever name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// What [`parse`](Self::parse) takes.
    pub const EXPECTED: &str = "an address such as https://portal.example.com, without user, query and fragment";

    /// Takes an address of http or https that other paths can be appended to.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        (plain && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }

    /// Whether it is reached by TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Its host, where that is a name and no number.
    pub fn domain(&self) -> Option<&str> {
        self.0.domain()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (address, shown) in [
            ("postgres://h:5432/db?user=a&password=p@ssw0rd", "postgres://h:5432/db?user=a&password=***"),
            ("postgres://ana:hunter2@db.example:5432/tenantry", "postgres://ana:***@db.example:5432/tenantry"),
            ("postgres://ana:hunter2/hunter2@db.example/tenantry", "postgres://ana:***@db.example/tenantry"),
            ("postgres://ana:hunter2?x@hunter2@db.example/tenantry", "postgres://ana:***@db.example/tenantry"),
            ("postgres://db.example/tenantry?user=ana&password=hunter2", "postgres://db.example/tenantry?user=ana&password=***"),
            ("smtps://ana%40example.com:hunter2@mail.example:465", "smtps://ana%40example.com:***@mail.example:465"),
            ("postgres:hunter2@db", "***"),
            ("sqlite://./data/tenantry.db?mode=rwc", "sqlite://./data/tenantry.db?mode=rwc"),
            ("console:", "console:"),
        ] {
            assert_eq!(without_password(address), shown);
        }
        let url = DatabaseUrl::parse("postgres://ana:hunter2@db.example/tenantry").unwrap();
        assert!(!format!("{url:?} {url}").contains("hunter2"));
    }

    #[test]
    fn any_folder_can_hold_the_embedded_database() {
        for file in ["./data/tenantry.db", "/srv/100% of it?/t#.db", "/srv/with blanks/ä.db"] {
            assert_eq!(DatabaseUrl::of_file(file.as_ref()).sqlite_file(), Some(file.into()));
        }
        assert_eq!(DatabaseUrl::parse("sqlite:t.db?mode=rwc").unwrap().sqlite_file(), Some("t.db".into()));
        assert_eq!(DatabaseUrl::parse("postgres://h/db").unwrap().sqlite_file(), None);
        assert_eq!(DatabaseUrl::parse("mysql://h/db"), None);
    }

    #[test]
    fn a_public_address_is_one_that_paths_can_follow() {
        assert_eq!(PublicUrl::parse("https://portal.example.com/").unwrap().to_string(), "https://portal.example.com");
        assert_eq!(PublicUrl::parse("http://10.0.0.1:81/portal").unwrap().to_string(), "http://10.0.0.1:81/portal");
        for text in
            ["", "portal.example.com", "ftp://portal.example.com", "https://u:p@portal.example.com", "https://p.example/?a=b"]
        {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
    }
}
