//! The trace that a request belongs to, by W3C's Trace Context: <https://www.w3.org/TR/trace-context/>.

use actix_web::http::header::HeaderMap;
use tenantry_domain::{Entropy, TraceId};

/// The trace of a request, and the span of whoever sent it in that trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The sender's span, which isn't zero; `None` where the trace begins here.
    pub parent_id: Option<u64>,
}

impl TraceContext {
    /// The one that `traceparent` names, or a new one where that is missing, stands twice or can't be read. Whoever sends it is believed the
    /// identifiers alone: not whether the trace is to be recorded.
    pub(crate) fn of(headers: &HeaderMap, entropy: &dyn Entropy) -> Self {
        let mut lines = headers.get_all("traceparent");
        let named = match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().ok().and_then(parse),
            _ => None,
        };
        named.unwrap_or_else(|| Self { trace_id: TraceId::generate(entropy), parent_id: None })
    }
}

/// `00-{trace}-{parent}-{flags}`. A version that isn't known yet may have more behind a hyphen.
fn parse(text: &str) -> Option<TraceContext> {
    let (known, more) = text.split_at_checked(55)?;
    let mut parts = known.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let ends = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => more.is_empty() || more.starts_with('-'),
    };
    if !ends || parts.next().is_some() || !is_hex(version, 2) || !is_hex(parent, 16) || !is_hex(flags, 2) {
        return None;
    }
    let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    Some(TraceContext { trace_id: TraceId::parse(trace).ok()?, parent_id: Some(parent_id) })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;
    use tenantry_domain::SeededEntropy;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn seen(lines: &[&str]) -> TraceContext {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static("traceparent"), HeaderValue::from_str(line).unwrap());
        }
        TraceContext::of(&headers, &SeededEntropy::new(1))
    }

    #[test]
    fn a_good_header_names_the_trace_whatever_its_flags() {
        for flags in ["00", "01", "ff"] {
            let context = seen(&[&format!("00-{TRACE}-00f067aa0ba902b7-{flags}")]);
            assert_eq!((context.trace_id.to_string().as_str(), context.parent_id), (TRACE, Some(0x00f0_67aa_0ba9_02b7)));
        }
        for later in ["cc-", "01-"] {
            let version = format!("{later}{}", &GOOD[3..]);
            assert_eq!(seen(&[&version]), seen(&[GOOD]));
            assert_eq!(seen(&[&format!("{version}-more")]), seen(&[GOOD]));
        }
    }

    #[test]
    fn whatever_else_is_as_if_it_were_not_there() {
        let fresh = seen(&[]);
        assert_eq!((fresh.parent_id, fresh.trace_id.to_string() == TRACE), (None, false));
        let upper = GOOD.to_uppercase();
        for line in [
            "",
            "00",
            TRACE,
            &upper,
            &GOOD[..54],
            &format!("{GOOD} "),
            &format!("{GOOD}-"),
            &format!("{GOOD}-more"),
            &format!("{GOOD},{GOOD}"),
            &format!("ff{}", &GOOD[2..]),
            &format!("0g{}", &GOOD[2..]),
            &format!("01{}x", &GOOD[2..]),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0+",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
            "00-<script>alert(1)</script>-00f067aa0ba902b7-01-",
        ] {
            assert_eq!(seen(&[line]), fresh, "{line}");
        }
        assert_eq!(seen(&[GOOD, GOOD]), fresh, "twice is no answer");
    }

    proptest! {
        #[test]
        fn no_header_panics_the_parser(text in "[0-9a-f-]{0,80}|\\PC{0,80}") {
            let _ = parse(&text);
        }
    }
}
