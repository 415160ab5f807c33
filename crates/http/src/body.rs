//! Bodies, read strictly: the right media type, at most 64 KiB, and in JSON no field that isn't known.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tenantry_domain::InvalidValue;
use tokio::time::timeout;

use crate::{errors::ErrorCode, in_flight::Place, problem::Problem};

/// The most bytes that a body has.
pub(crate) const LIMIT: usize = 64 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a body is, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    Form,
    Other,
}

/// A body that hasn't been read. Endpoints read it once they know who sends it, so that a stranger's body costs nothing.
pub(crate) struct Body {
    payload: Payload,
    place: Option<Place>,
    media_type: MediaType,
    declared: Option<usize>,
}

/// The same, of JSON.
pub(crate) struct JsonBody(Body);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request, payload)))
    }
}

impl JsonBody {
    /// The body of a request.
    pub fn of(request: &HttpRequest, payload: &mut Payload) -> Self {
        Self(Body::of(request, payload))
    }

    /// Reads and parses the body.
    pub async fn read<T: DeserializeOwned>(mut self) -> Result<T, Problem> {
        parse(&self.receive().await?)
    }

    /// Reads the body.
    pub async fn receive(&mut self) -> Result<Bytes, Problem> {
        self.0.receive(MediaType::Json).await
    }

    /// The same; `None` for a body that is empty, whatever its media type.
    pub async fn receive_optional(&mut self) -> Result<Option<Bytes>, Problem> {
        let bytes = self.0.bytes().await?;
        match (bytes.is_empty(), self.0.media_type) {
            (true, _) => Ok(None),
            (false, MediaType::Json) => Ok(Some(bytes)),
            (false, _) => Err(wrong_type(MediaType::Json)),
        }
    }
}

impl Body {
    /// The body of a request.
    pub fn of(request: &HttpRequest, payload: &mut Payload) -> Self {
        let media_type = match request.content_type() {
            json if json.eq_ignore_ascii_case("application/json") => MediaType::Json,
            form if form.eq_ignore_ascii_case("application/x-www-form-urlencoded") => MediaType::Form,
            _ => MediaType::Other,
        };
        let declared = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        Self { payload: payload.take(), place: request.extensions().get().cloned(), media_type, declared }
    }

    /// Reads the body, which is to be of this type.
    pub async fn receive(&mut self, expected: MediaType) -> Result<Bytes, Problem> {
        if self.media_type == expected { self.bytes().await } else { Err(wrong_type(expected)) }
    }

    async fn bytes(&mut self) -> Result<Bytes, Problem> {
        if self.declared.is_some_and(|length| length > LIMIT) {
            return Err(too_large());
        }
        if let Some(place) = &self.place {
            place.pause();
        }
        let arrived = timeout(PATIENCE, self.arrive()).await;
        if let Some(place) = &self.place {
            place.resume()?;
        }
        arrived.unwrap_or_else(|_| {
            let detail = format!("the body did not arrive within {} s", PATIENCE.as_secs());
            Err(Problem::new(ErrorCode::RequestTimeout, detail))
        })
    }

    async fn arrive(&mut self) -> Result<Bytes, Problem> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(ErrorCode::BadRequest, "the body ended before its time"))?;
            if bytes.len() + chunk.len() > LIMIT {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

fn wrong_type(expected: MediaType) -> Problem {
    let send = match expected {
        MediaType::Form => "send a form, with `Content-Type: application/x-www-form-urlencoded`",
        MediaType::Json | MediaType::Other => "send JSON, with `Content-Type: application/json`",
    };
    Problem::new(ErrorCode::UnsupportedMediaType, send)
}

fn too_large() -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("a body has at most {LIMIT} bytes"))
}

/// Parses a body that was read.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde reads an object's fields from an array too, by their order in the code: nobody's contract.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("", InvalidValue::new("invalid_field", "expected an object")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|failure| refusal(&failure))?;
    deserializer.end().map_err(|failure| malformed(&failure))?;
    Ok(parsed)
}

fn malformed(failure: &serde_json::Error) -> Problem {
    let place = format!("the body is no JSON from line {}, column {} on", failure.line(), failure.column());
    Problem::new(ErrorCode::MalformedJson, place)
}

fn refusal(failure: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = failure.inner();
    if !inner.is_data() {
        return malformed(inner);
    }
    let pointer: String =
        failure.path().iter().map(|segment| format!("/{}", segment.to_string().replace('~', "~0").replace('/', "~1"))).collect();
    Problem::field(pointer, InvalidValue::new("invalid_field", shape_of(&inner.to_string())))
}

/// What serde says of a field, without the value that it may quote (a code, a password) and without the place in the text.
fn shape_of(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(before, _)| before);
    match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => {
            let kind = found.split(['`', '"']).next().unwrap_or_default().trim_end();
            format!("{kind}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its parsing is tested")]
        code: String,
    }

    #[test]
    fn an_unknown_field_is_named_and_a_value_is_not() {
        let problem = parse::<Sample>(br#"{"code":"a","use_count":0}"#).unwrap_err();
        assert_eq!(problem.code, ErrorCode::ValidationFailed);
        assert!(problem.fields[0].detail.contains("`use_count`"), "{problem:?}");
        let problem = parse::<Sample>(br#"{"code":271828}"#).unwrap_err();
        assert_eq!(problem.fields[0].pointer, "/code");
        assert_eq!(problem.fields[0].detail, "invalid type: integer, expected a string");
        let problem = parse::<Sample>(br#"["12RY-S55W-4MZR-KP2J", 1]"#).unwrap_err();
        assert!(!format!("{problem:?}").contains("12RY"), "{problem:?}");
    }

    #[test]
    fn text_that_is_no_json_is_told_apart() {
        for text in ["", "{", "{\"code\":\"a\"} x", "\u{0}"] {
            assert_eq!(parse::<Sample>(text.as_bytes()).unwrap_err().code, ErrorCode::MalformedJson, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_parser(bytes in any::<Vec<u8>>()) {
            let _ = parse::<Sample>(&bytes);
        }
    }
}
