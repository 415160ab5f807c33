//! Conditional requests (RFC 9110, section 13): which version of a thing a client has, and which one its edit is meant for.
//!
//! A thing's `ETag` is its version. Whether an edit's `If-Match` holds is decided inside the edit's transaction, of the row that it has
//! locked: here it is read, and no more.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use serde::Serialize;
use tenantry_domain::{Expected, Version};

use crate::{errors::ErrorCode, problem::Problem};

/// A version as the header that shows it.
pub(crate) fn etag(version: Version) -> (HeaderName, String) {
    (ETAG, format!("\"{version}\""))
}

/// A request's `If-Match`, as it came. Read by the endpoint, once it knows who asks.
pub(crate) struct IfMatch(Vec<HeaderValue>);

/// A request's `If-None-Match`, as it came.
pub(crate) struct IfNoneMatch(Vec<HeaderValue>);

impl IfMatch {
    /// The versions that the edit is meant for. An edit without the header, or with `*`, is meant for any; with what is no list of tags, for
    /// none that there is.
    pub fn expected(&self) -> Result<Expected, Problem> {
        if self.0.is_empty() {
            return Ok(Expected::Any);
        }
        Ok(match read(&self.0).ok_or_else(unreadable)? {
            Tags::Any => Expected::Any,
            // A tag that is weak, or was never answered, names no version: an edit with no other is meant for none.
            Tags::These(tags) => Expected::OneOf(tags.iter().filter(|tag| !tag.weak).filter_map(Tag::version).collect()),
        })
    }
}

impl IfNoneMatch {
    /// A thing and its version, or 304 alone where the client has that version already.
    pub fn answer(&self, version: Version, json: impl Serialize) -> HttpResponse {
        let seen = self.names(version);
        let mut response = if seen { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header(etag(version));
        if seen { response.finish() } else { response.json(json) }
    }

    /// What is no list of tags names nothing that the client could have.
    fn names(&self, version: Version) -> bool {
        match read(&self.0) {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::These(tags)) => tags.iter().any(|tag| tag.version() == Some(version)),
        }
    }
}

macro_rules! from_header {
    ($($name:ident: $header:ident;)*) => {$(
        impl FromRequest for $name {
            type Error = Infallible;
            type Future = Ready<Result<Self, Infallible>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(Ok(Self(request.headers().get_all($header).cloned().collect())))
            }
        }
    )*};
}
from_header! {
    IfMatch: IF_MATCH;
    IfNoneMatch: IF_NONE_MATCH;
}

fn unreadable() -> Problem {
    Problem::new(ErrorCode::PreconditionFailed, "`If-Match` takes `*`, or tags as `ETag` gave them, with commas between")
}

/// What one of the two headers says.
#[derive(Debug, PartialEq, Eq)]
enum Tags<'a> {
    Any,
    These(Vec<Tag<'a>>),
}

/// An entity tag, without its quotes.
#[derive(Debug, PartialEq, Eq)]
struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl Tag<'_> {
    /// The version that it stands for, if it is one of ours.
    fn version(&self) -> Option<Version> {
        str::from_utf8(self.opaque).ok()?.parse().ok()
    }
}

/// The tags of all lines together; `None` where there are none, or something else is there.
fn read(lines: &[HeaderValue]) -> Option<Tags<'_>> {
    if let [line] = lines
        && line.as_bytes().trim_ascii() == b"*"
    {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    for line in lines {
        let mut rest = line.as_bytes().trim_ascii_start();
        while let Some(&first) = rest.first() {
            if first == b',' {
                rest = rest.get(1..)?.trim_ascii_start();
                continue;
            }
            let (tag, behind) = first_tag(rest)?;
            tags.push(tag);
            rest = behind.trim_ascii_start();
            if !matches!(rest.first(), None | Some(b',')) {
                return None;
            }
        }
    }
    (!tags.is_empty()).then_some(Tags::These(tags))
}

/// The tag that a text starts with, and what is behind it.
fn first_tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let strong = text.strip_prefix(b"W/");
    let weak = strong.is_some();
    let inside = strong.unwrap_or(text).strip_prefix(b"\"")?;
    let end = inside.iter().position(|&byte| byte == b'"')?;
    let (opaque, behind) = inside.split_at_checked(end)?;
    let allowed = |&byte: &u8| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
    opaque.iter().all(allowed).then_some((Tag { weak, opaque }, behind.get(1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenantry_domain::Timestamp;
    use time::Duration;

    use super::*;

    fn lines(lines: &[&str]) -> Vec<HeaderValue> {
        lines.iter().map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap()).collect()
    }

    fn version(micros: i64) -> Version {
        Version::of(Timestamp::MIN + Duration::microseconds(micros))
    }

    #[test]
    fn an_edit_is_meant_for_the_strong_tags_that_it_names() {
        let expected = |text: &[&str]| IfMatch(lines(text)).expected().unwrap();
        let one_of = |micros: &[i64]| Expected::OneOf(micros.iter().map(|&micros| version(micros)).collect());
        assert_eq!(expected(&[]), Expected::Any);
        assert_eq!(expected(&["*"]), Expected::Any);
        assert_eq!(expected(&["\"7\""]), one_of(&[7]));
        assert_eq!(expected(&[" \"7\" ,, \"8\",", "\"9\""]), one_of(&[7, 8, 9]));
        assert_eq!(expected(&["W/\"7\", \"a,b\", \"\", \"ä\", \"07\", \"8\""]), one_of(&[8]));
        assert_eq!(expected(&["W/\"7\""]), one_of(&[]), "a weak tag stands for no version to be edited");
    }

    #[test]
    fn what_is_no_list_of_tags_stands_for_no_version() {
        for text in ["", ",", "7", "\"7", "7\"", "\"7\" \"8\"", "*, \"7\"", "* *", "w/\"7\"", "W/7", "\"a b\"", "\"7\";"] {
            assert_eq!(IfMatch(lines(&[text])).expected().unwrap_err().code, ErrorCode::PreconditionFailed, "{text:?}");
            assert!(!IfNoneMatch(lines(&[text])).names(version(7)), "{text:?}");
        }
        assert!(IfMatch(lines(&["*", "*"])).expected().is_err());
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let status = |text: &[&str]| {
            let response = IfNoneMatch(lines(text)).answer(version(7), ());
            assert_eq!(response.headers().get(ETAG).unwrap(), "\"7\"");
            response.status().as_u16()
        };
        assert_eq!([status(&[]), status(&["\"8\""]), status(&["\"8\", \"seven\""])], [200; 3]);
        assert_eq!([status(&["\"7\""]), status(&["W/\"7\""]), status(&["\"8\"", "\"7\""]), status(&["*"])], [304; 4]);
    }

    proptest! {
        #[test]
        fn no_header_panics_the_parser(line in any::<Vec<u8>>()) {
            let line: Vec<_> = HeaderValue::from_bytes(&line).into_iter().collect();
            let _ = (IfMatch(line.clone()).expected(), IfNoneMatch(line).answer(version(7), ()));
        }

        #[test]
        fn every_etag_is_read_as_it_was_shown(micros in 0..i64::MAX / 2) {
            let (_, tag) = etag(version(micros));
            prop_assert_eq!(IfMatch(lines(&[&tag])).expected().unwrap(), Expected::OneOf(vec![version(micros)]));
        }
    }
}
