//! What mails say of whom they come from.

use std::fmt;

use tenantry_domain::{Email, HexColor, HttpsUrl};

/// How the operator is called and looks in mails.
#[derive(Clone, Debug)]
pub struct Brand {
    pub name: String,
    /// What its name stands on.
    pub color: HexColor,
    /// Where its tenants find help.
    pub support: Option<Support>,
}

/// Where tenants find help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    Mail(Email),
    Page(HttpsUrl),
}

impl Brand {
    pub const NAME: &str = "Tenantry";
    pub const COLOR: &str = "#1f5f8b";

    /// Black or white, whichever reads better on the brand's colour.
    pub fn ink(&self) -> &'static str {
        if self.color.is_bright() { "#000000" } else { "#ffffff" }
    }
}

impl Support {
    pub const EXPECTED: &str = "an address such as `help@example.com` or `https://example.com/help`";

    pub fn parse(text: &str) -> Option<Self> {
        let page = HttpsUrl::parse(text).map(Self::Page);
        page.or_else(|_| Email::parse(text).map(Self::Mail)).ok()
    }

    /// What a click on it opens.
    pub fn link(&self) -> String {
        match self {
            Self::Mail(address) => format!("mailto:{}", address.as_str()),
            Self::Page(page) => page.as_str().to_owned(),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => f.write_str(address.as_str()),
            Self::Page(page) => f.write_str(page.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_read_on_every_colour() {
        let ink = |color: &str| Brand { name: String::new(), color: HexColor::parse(color).unwrap(), support: None }.ink();
        assert_eq!(["#000000", "#1f5f8b", "#ff0000", "#757575"].map(ink), ["#ffffff", "#ffffff", "#000000", "#ffffff"]);
        assert_eq!(["#ffffff", "#ffcc00", "#00ff00", "#767676"].map(ink), ["#000000"; 4]);
    }

    #[test]
    fn help_is_a_page_or_a_mailbox() {
        assert_eq!(Support::parse("help@example.com").unwrap().link(), "mailto:help@example.com");
        assert_eq!(Support::parse("https://example.com/help").unwrap().link(), "https://example.com/help");
        assert_eq!(Support::parse("javascript:alert(1)"), None);
        assert_eq!(Support::parse("http://example.com"), None);
    }
}
