//! What other sites may have a browser send here: nothing that changes anything.
//!
//! Browsers say where a request comes from, in `Sec-Fetch-Site`, and those that don't say so in `Origin`. A request that says that it comes
//! from elsewhere is refused, whoever it names. One that says nothing comes from a program, which has no cookies that another could use; so a
//! cookie counts for a change only where the browser says that the page was ours.

use actix_web::http::{
    Method, Uri,
    header::{HOST, HeaderMap, HeaderValue, ORIGIN},
};

/// Where a request comes from, as its browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a page of ours, or from the reader's own hand.
    Own,
    /// From elsewhere.
    Foreign,
    /// It doesn't say.
    Unsaid,
}

impl Origin {
    /// Reads the headers. `public` is the address that pages have (`https://portal.example`); where it isn't known, `Host` stands for it.
    pub fn of(headers: &HeaderMap, public: Option<&str>) -> Self {
        let mut sites = headers.get_all("sec-fetch-site");
        match (sites.next().map(HeaderValue::as_bytes), sites.next()) {
            (None, _) => {}
            (Some(b"same-origin" | b"none"), None) => return Self::Own,
            (Some(_), _) => return Self::Foreign,
        }
        let mut origins = headers.get_all(ORIGIN);
        match (origins.next(), origins.next()) {
            (None, _) => Self::Unsaid,
            (Some(origin), None) => {
                let own = origin.to_str().is_ok_and(|origin| match public {
                    Some(public) => origin == public,
                    None => {
                        authority(origin).is_some_and(|at| headers.get(HOST).is_some_and(|host| host.as_bytes() == at.as_bytes()))
                    }
                });
                if own { Self::Own } else { Self::Foreign }
            }
            (Some(_), Some(_)) => Self::Foreign,
        }
    }
}

/// Whether a method changes nothing, by the word of HTTP.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn authority(origin: &str) -> Option<String> {
    Some(origin.parse::<Uri>().ok()?.authority()?.to_string())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn origin(headers: &[(&'static str, &str)], public: Option<&str>) -> Origin {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        Origin::of(&map, public)
    }

    #[test]
    fn a_browser_that_says_where_it_comes_from_is_believed() {
        for (site, expected) in [
            ("same-origin", Origin::Own),
            ("none", Origin::Own),
            ("same-site", Origin::Foreign),
            ("cross-site", Origin::Foreign),
            ("", Origin::Foreign),
        ] {
            assert_eq!(origin(&[("sec-fetch-site", site)], None), expected, "{site}");
        }
        assert_eq!(origin(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], None), Origin::Foreign);
    }

    #[test]
    fn without_it_the_origin_decides() {
        let host = ("host", "portal.example:8080");
        assert_eq!(origin(&[host], None), Origin::Unsaid);
        assert_eq!(origin(&[host, ("origin", "http://portal.example:8080")], None), Origin::Own);
        for foreign in ["http://portal.example", "https://evil.example", "null", "", "portal.example:8080x"] {
            assert_eq!(origin(&[host, ("origin", foreign)], None), Origin::Foreign, "{foreign}");
        }
        let public = Some("https://portal.example");
        assert_eq!(origin(&[host, ("origin", "https://portal.example")], public), Origin::Own);
        assert_eq!(origin(&[("host", "evil.example"), ("origin", "https://evil.example")], public), Origin::Foreign);
    }
}
