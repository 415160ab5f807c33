//! The canary search: when a server ends, all that it wrote to its log is searched for secrets, in every test, whatever the test is about.
//!
//! Most secrets are known by their shape: tokens, codes, addresses, headers. One-time passwords, keys and passwords of databases have none;
//! they are remembered when a mail is read, or when a server is started. What a server shows on purpose stands on its standard output: the
//! link for the first operator, the key of a development server, the mails of one that has no mail server. That is searched for what is
//! shown to nobody.

use std::{
    collections::HashSet,
    fs,
    sync::{LazyLock, Mutex, PoisonError},
};

use tenantry_domain::PlainCode;

/// What was handed out in this process and has no shape.
static REMEMBERED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// The prefixes of tokens; 48 symbols follow.
const TOKENS: [&str; 4] = ["tns_", "tno_", "tnk_", "tnb_"];
/// Those of sessions, which no terminal is shown.
const SESSIONS: [&str; 2] = ["tns_", "tno_"];

/// Has every log searched for a secret, from now on.
pub(crate) fn remember(secret: &str) {
    REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.to_owned());
}

/// Remembers the passwords that stand in an address (`scheme://user:password@host`).
pub(crate) fn remember_password_of(url: &str) {
    let password = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).and_then(|(user, _)| user.split_once(':'));
    if let Some((_, password)) = password.filter(|(_, password)| password.len() >= 6) {
        remember(password);
    }
}

/// Remembers the keys of a key ring's file, if there is one.
pub(crate) fn remember_keys_of(file: &str) {
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        if let Some((_, key)) = line.split_once(':') {
            remember(key.trim());
        }
    }
}

/// The first line of a log that holds a secret, with what that is.
pub(crate) fn in_log(log: &str) -> Option<String> {
    let remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    log.lines().find_map(|line| {
        let what = token(line, &TOKENS).or_else(|| header(line)).or_else(|| {
            line.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.@+%".contains(c)).find_map(|word| match word {
                _ if is_address(word) => Some("an e-mail address"),
                _ if is_code(word) => Some("an activation code"),
                _ if remembered.contains(word) => Some("a one-time password, a key or a password"),
                _ => None,
            })
        });
        what.map(|what| format!("{what}: {line}"))
    })
}

/// The first line of a terminal that holds what no terminal is shown.
pub(crate) fn on_terminal(shown: &str) -> Option<String> {
    shown.lines().find_map(|line| token(line, &SESSIONS).map(|what| format!("{what}: {line}")))
}

fn token(line: &str, prefixes: &[&str]) -> Option<&'static str> {
    let is_whole = |at: usize| {
        let symbols = line.as_bytes()[at + 4..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        symbols.count() >= 48
    };
    let found =
        line.match_indices("tn").any(|(at, _)| line.get(at..at + 4).is_some_and(|p| prefixes.contains(&p)) && is_whole(at));
    // A webhook's secret is its prefix and base64.
    let webhook = line.match_indices("whsec_").any(|(at, prefix)| {
        line.as_bytes()[at + prefix.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
            .count()
            >= 32
    });
    (found || webhook).then_some("a token")
}

/// Names of headers whose values are secrets, and what the value of one begins with.
fn header(line: &str) -> Option<&'static str> {
    let lower = line.to_ascii_lowercase();
    let named = ["authorization", "cookie", "bearer "].iter().any(|name| lower.contains(name));
    named.then_some("a header with a secret")
}

fn is_address(word: &str) -> bool {
    let word = word.trim_matches('.');
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    })
}

fn is_code(word: &str) -> bool {
    let word = word.trim_matches('.');
    word.len() == 19 && word.split('-').map(str::len).eq([4; 4]) && PlainCode::parse(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_secret_is_found_in_a_log() {
        let body = "A".repeat(48);
        remember("042137");
        remember_password_of("postgres://tenantry:hunter22@db/tenantry");
        for secret in [
            &format!("tns_{body}"),
            &format!("tno_{body}"),
            &format!("https://portal.example.com/bootstrap/tnb_{body}"),
            &format!("key=tnk_{body}"),
            &format!("secret whsec_{body}="),
            "12RY-S55W-4MZR-KP2J",
            "code=12ry-s55w-4mzr-kp2j.",
            "ops@acme.example",
            "<ops@acme.example>:",
            "042137",
            "code=042137,",
            "hunter22",
            "{\"Authorization\":\"x\"}",
            "Cookie: a=b",
            "bearer abc",
        ] {
            let line = format!("2026-03-01T12:00:00Z  INFO answered {secret} http.status=200");
            let found = in_log(&format!("first\n{line}\nlast"));
            assert!(found.as_ref().is_some_and(|found| found.ends_with(&line)), "{secret}: {found:?}");
        }
    }

    #[test]
    fn what_a_log_is_full_of_is_no_secret() {
        remember("042137");
        let log =
            "2026-03-01T12:00:00.042137Z  INFO request{request.id=req_018bcfe568007000800000000000000a}: duration_ms=1.042137
            postgres://tenantry:***@127.0.0.1/tenantry token prefix tns_ 018bcfe5-6800-7000-8000-00000000000a
            the-same-four-text trace.id=4bf92f3577b34da6a3ce929d0e0e4736 message.id=msg_018bcfe568007000800000000000000a";
        assert_eq!(in_log(log), None);
    }

    #[test]
    fn a_terminal_may_show_a_link_and_a_key_and_no_session() {
        let body = "A".repeat(48);
        assert_eq!(
            on_terminal(&format!("first operator: http://h/bootstrap/tnb_{body}\n key: tnk_{body} 12RY-S55W-4MZR-KP2J")),
            None
        );
        assert!(on_terminal(&format!("tns_{body}")).is_some());
    }
}
