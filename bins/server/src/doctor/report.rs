//! What was checked and what was found, for people and for programs.

use std::io::{IsTerminal, stdout};

use serde_json::{Value, json};

use crate::terminal;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// It works, and could be better.
    Warning,
    Failed,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a check that isn't content found.
#[derive(Clone, Debug, Default)]
pub struct Complaint {
    /// What is wrong.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// How many rows are wrong, and some of them.
    pub found: u64,
    pub examples: Vec<String>,
}

impl Complaint {
    pub fn new(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { detail: detail.into(), advice: advice.into(), ..Self::default() }
    }
}

/// In which form a report is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line a check.
    Plain,
    /// The same, and what is being checked.
    Terminal,
    /// One object, at the end.
    Json,
}

impl Form {
    /// What suits the standard output.
    pub fn for_output() -> Self {
        if stdout().is_terminal() { Self::Terminal } else { Self::Plain }
    }
}

/// What was checked so far.
pub struct Report {
    form: Form,
    checks: Vec<(&'static str, Verdict, Complaint)>,
}

/// As wide as the longest name.
const NAME: usize = 24;
const VERDICT: usize = 9;

impl Report {
    pub const fn new(form: Form) -> Self {
        Self { form, checks: Vec::new() }
    }

    /// Says what is being checked, to who watches.
    pub fn begin(&self, name: &str) {
        if self.form == Form::Terminal {
            terminal::overwrite(format!("{name:NAME$} .."));
        }
    }

    /// Notes that all is well.
    pub fn ok(&mut self, name: &'static str) {
        self.note(name, Verdict::Ok, Complaint::default());
    }

    /// Notes what could be better.
    pub fn warning(&mut self, name: &'static str, complaint: Complaint) {
        self.note(name, Verdict::Warning, complaint);
    }

    /// Notes what is wrong.
    pub fn failed(&mut self, name: &'static str, complaint: Complaint) {
        self.note(name, Verdict::Failed, complaint);
    }

    fn note(&mut self, name: &'static str, verdict: Verdict, complaint: Complaint) {
        if self.form == Form::Terminal {
            terminal::overwrite("");
        }
        if self.form != Form::Json {
            terminal::say(lines(name, verdict, &complaint));
        }
        self.checks.push((name, verdict, complaint));
    }

    /// Ends the report, and answers whether nothing failed.
    pub fn end(self) -> bool {
        let worst = self.checks.iter().map(|(_, verdict, _)| *verdict).max().unwrap_or(Verdict::Ok);
        match self.form {
            Form::Json => terminal::say(self.json(worst).to_string()),
            Form::Plain | Form::Terminal => terminal::say(self.summary()),
        }
        worst < Verdict::Failed
    }

    fn summary(&self) -> String {
        let count = |wanted| self.checks.iter().filter(|(_, verdict, _)| *verdict == wanted).count();
        let [ok, warning, failed] = [Verdict::Ok, Verdict::Warning, Verdict::Failed].map(count);
        format!("{} checks: {ok} ok, {warning} warning, {failed} failed", self.checks.len())
    }

    fn json(&self, worst: Verdict) -> Value {
        let check = |(name, verdict, complaint): &(&str, Verdict, Complaint)| {
            let Complaint { detail, advice, found, examples } = complaint;
            let text = |text: &String| (!text.is_empty()).then(|| text.clone());
            json!({
                "name": name, "status": verdict.as_str(), "found": found, "examples": examples,
                "detail": text(detail), "advice": text(advice),
            })
        };
        json!({ "status": worst.as_str(), "checks": self.checks.iter().map(check).collect::<Vec<_>>() })
    }
}

fn lines(name: &str, verdict: Verdict, complaint: &Complaint) -> String {
    let verdict = verdict.as_str();
    let Complaint { detail, advice, examples, .. } = complaint;
    let mut lines = format!("{name:NAME$} {verdict:VERDICT$}{detail}").trim_end().to_owned();
    let margin = " ".repeat(NAME + 1 + VERDICT);
    for example in examples {
        lines += &format!("\n{margin}- {example}");
    }
    if !advice.is_empty() {
        lines += &format!("\n{margin}what to do: {advice}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint() -> Complaint {
        Complaint {
            found: 7,
            examples: vec!["code_1".to_owned(), "code_2".to_owned()],
            ..Complaint::new("7 are wrong", "mend them")
        }
    }

    #[test]
    fn a_check_is_a_line_and_a_complaint_says_what_to_do() {
        assert_eq!(lines("mail", Verdict::Ok, &Complaint::default()), "mail                     ok");
        let expected = "uses_equal_redemptions   failed   7 are wrong
                                  - code_1
                                  - code_2
                                  what to do: mend them";
        assert_eq!(lines("uses_equal_redemptions", Verdict::Failed, &complaint()), expected);
    }

    #[test]
    fn the_worst_check_is_the_reports_status() {
        let mut report = Report::new(Form::Json);
        report.ok("mail");
        assert_eq!(report.json(Verdict::Ok)["checks"][0]["detail"], Value::Null);
        report.warning("key_file", complaint());
        report.failed("schema", complaint());
        let json = report.json(Verdict::Failed);
        assert_eq!(
            (&json["status"], &json["checks"][2]["found"], &json["checks"][2]["examples"][1]),
            (&json!("failed"), &json!(7), &json!("code_2"))
        );
        assert_eq!(report.summary(), "3 checks: 1 ok, 1 warning, 1 failed");
        assert!(!report.end());
    }

    #[test]
    fn a_warning_is_no_failure() {
        let mut report = Report::new(Form::Json);
        report.warning("key_file", complaint());
        assert!(report.end());
    }
}
