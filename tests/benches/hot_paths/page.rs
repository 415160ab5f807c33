//! Files that are partly written by a run: what lies between two marks, `<!-- name -->` and `<!-- /name -->`.

use std::{fs, path::Path};

/// What a page begins with.
const PAGE: &str = "# Speed

Written by `scripts/bench --markdown docs/performance.md`, and its last part by the same with `--growth 10000,1000000`: no figure on this page was
typed. Compare within one run only; on another machine the ratios hold, and the figures don't.

<!-- hot paths -->
<!-- /hot paths -->

## Growth

<!-- growth -->
<!-- /growth -->
";

/// Writes a part of a page, which is begun where there is none.
pub fn write_part(file: &Path, name: &str, text: &str) {
    if !file.exists() {
        fs::write(file, PAGE).expect("the page can be written");
    }
    write_between(file, name, text);
}

/// Writes what lies between two marks.
pub fn write_between(file: &Path, name: &str, text: &str) {
    let page = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (start, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let parts = page.split_once(&start).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{} has no {start} and {end}", file.display()));
    fs::write(file, format!("{before}{start}\n{}\n{end}{after}", text.trim_end())).expect("the page can be written");
}
