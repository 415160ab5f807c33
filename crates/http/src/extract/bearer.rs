use actix_web::{HttpRequest, http::header::AUTHORIZATION};

use crate::{
    console::Door,
    problem::Problem,
    same_origin::{Origin, is_safe},
    state::AppState,
};

/// The token that a request presents: as a bearer, or in the cookie of a console. A cookie counts for a change only where the browser says
/// that the page was ours.
pub(super) fn presented<S>(request: &HttpRequest, state: &AppState<S>, door: Door) -> Result<String, Problem> {
    if request.headers().contains_key(AUTHORIZATION) {
        return bearer(request).map(str::to_owned).ok_or_else(Problem::unauthenticated);
    }
    let token = state.cookie_token(request, door).ok_or_else(Problem::unauthenticated)?;
    let own = || Origin::of(request.headers(), state.console.public_origin.as_deref()) == Origin::Own;
    if is_safe(request.method()) || own() { Ok(token) } else { Err(Problem::cross_site()) }
}

/// The token of `Authorization: Bearer ..`; `None` where there is none, more than one, or something else.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut lines = request.headers().get_all(AUTHORIZATION);
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn read(line: &[u8]) -> Option<String> {
        let value = actix_web::http::header::HeaderValue::from_bytes(line).ok()?;
        let request = TestRequest::default().insert_header((AUTHORIZATION, value)).to_http_request();
        bearer(&request).map(str::to_owned)
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(read(b"Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read(b"bearer  abc ").as_deref(), Some("abc"));
        assert!([&b"abc"[..], b"Basic abc", b"", b"Bearer", b"\xff\xfe \xff"].iter().all(|line| read(line).is_none()));
        let twice = TestRequest::default().append_header((AUTHORIZATION, "Bearer a")).append_header((AUTHORIZATION, "Bearer b"));
        assert_eq!(bearer(&twice.to_http_request()), None);
    }

    proptest! {
        #[test]
        fn no_header_panics_the_parser(line in any::<Vec<u8>>()) {
            let _ = read(&line);
        }
    }
}
