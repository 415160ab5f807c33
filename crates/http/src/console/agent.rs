//! Programs in words: `Firefox on Linux`, of what a browser says of itself.

/// How browsers are told apart, in this order: each also says that it is one of those further down.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

/// The most characters of a program's own name.
const MAX: usize = 40;

/// What a program says of itself, in words. Anybody can say anything: it is a help for who looks at their own sessions, and no proof.
pub(super) fn in_words(agent: Option<&str>) -> String {
    let agent = agent.map(str::trim).filter(|agent| !agent.is_empty());
    let Some(agent) = agent else { return "Unknown program".to_owned() };
    let named = |known: &[(&str, &'static str)]| known.iter().find(|(sign, _)| agent.contains(sign)).map(|&(_, name)| name);
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => {
            let name = agent.split(['/', ' ', '(']).next().unwrap_or_default();
            name.chars().take(MAX).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_browser_is_named_with_its_system() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), "Firefox on Linux"),
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/142.0.0.0 Safari/537.36"), "Chrome on Windows"),
            (format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0"), "Edge on Windows"),
            (format!("Mozilla/5.0 (Linux; Android 16; Pixel 9) {webkit} Chrome/142.0 Mobile Safari/537.36"), "Chrome on Android"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_7) AppleWebKit/605.1 Version/26.0 Safari/605.1".to_owned(),
                "Safari on macOS",
            ),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Safari/604.1".to_owned(), "Safari on iPhone"),
            (format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/142.0.0.0 Safari/537.36"), "Chrome on Linux"),
        ] {
            assert_eq!(in_words(Some(&agent)), words, "{agent}");
        }
    }

    #[test]
    fn another_program_is_named_as_it_names_itself() {
        assert_eq!(in_words(Some("curl/8.14.1")), "curl");
        assert_eq!(in_words(Some("python-requests/2.32 (Linux)")), "python-requests");
        assert_eq!((in_words(None), in_words(Some("  "))), ("Unknown program".to_owned(), "Unknown program".to_owned()));
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_words_are_few(agent in "\\PC*") {
            prop_assert!(in_words(Some(&agent)).chars().count() <= MAX);
        }
    }
}
