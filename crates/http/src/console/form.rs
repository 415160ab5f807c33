//! Forms: what was typed, what is wrong with it, and the fields that show both.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use askama::{Template, filters::HtmlSafe};
use percent_encoding::percent_decode;
use tenantry_domain::{Entropy, Expected, InvalidValue};

use crate::{errors::ErrorCode, problem::Problem};

/// What a form holds, as text, and what was wrong with it when it was sent. It can hold a code, and so has no `Debug`.
///
/// An endpoint that takes one is given what its address asks for: the filters of a list, its cursor, what was done.
#[derive(Clone, Default)]
pub(crate) struct Form {
    values: Vec<(String, String)>,
    problem: Option<Problem>,
}

impl FromRequest for Form {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = request.query_string().as_bytes();
        ready(readable(sent).map(|()| Self::parse(sent)))
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`. Bytes that aren't [readable] it can only replace.
    pub fn parse(sent: &[u8]) -> Self {
        Self { values: form_urlencoded::parse(sent).into_owned().collect(), problem: None }
    }

    /// The form with a field's first value.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and references read alike")]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    /// The form with a value for a field that it doesn't have.
    pub fn or(self, name: &str, value: impl ToString) -> Self {
        if self.has(name) { self } else { self.with(name, value) }
    }

    /// Whether the form has a field, with whatever in it.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(field, _)| field == name)
    }

    /// The form with a key of its own, so that sending it twice does once what it does. One that was refused keeps its key.
    pub fn keyed(self, entropy: &dyn Entropy) -> Self {
        if self.has(Self::KEY) {
            return self;
        }
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        self.with(Self::KEY, uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The field that a form's idempotency key is in.
    pub const KEY: &str = "form_key";

    /// The form without its key: sent again, it does what it does once more.
    pub fn anew(mut self) -> Self {
        self.values.retain(|(name, _)| name != Self::KEY);
        self
    }

    /// All that the form holds but one field, to be sent again as it was.
    pub fn all_but(&self, name: &str) -> Vec<(String, String)> {
        self.values.iter().filter(|(field, _)| field != name).cloned().collect()
    }

    /// The field of that key.
    pub fn key(&self) -> Field<'_> {
        self.hidden(Self::KEY)
    }

    /// Whether the name of what would be lost was typed.
    pub fn confirms(&self, field: &str, name: &str) -> Result<(), Problem> {
        if self.value(field) == name {
            return Ok(());
        }
        Err(Problem::field(
            format!("/{field}"),
            InvalidValue::new("unconfirmed", format!("type `{name}` to say that this is meant")),
        ))
    }

    /// The form as it was sent, and why it was refused.
    ///
    /// An edit of what was changed meanwhile forgets the version that it was meant for: who reads why it was refused may send it again. So
    /// does one that was sent before with something else in it, with its key.
    pub fn refused(mut self, problem: Problem) -> Self {
        let mut problem = with_wait(problem);
        if problem.code == ErrorCode::PreconditionFailed {
            self.values.retain(|(name, _)| name != "version");
            problem.detail =
                "somebody changed this meanwhile. What you typed is still here: look at it, and send it again to have it".into();
        }
        if problem.code == ErrorCode::IdempotencyMismatch {
            self = self.anew();
            problem.detail = "this form was sent before, with something else in it. Send it again to have this too".into();
        }
        for field in &mut problem.fields {
            field.detail = quoted(&field.detail);
        }
        problem.detail = quoted(&problem.detail).into();
        self.problem = Some(problem);
        self
    }

    /// What a field holds: without blanks around it, and empty where it isn't there.
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// The same; `None` where it is empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.value(name)).filter(|value| !value.is_empty())
    }

    /// All that a field holds, of which there can be several.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The whole number that a field holds.
    ///
    /// # Errors
    /// `invalid_number`.
    pub fn whole(&self, name: &str) -> Result<i64, InvalidValue> {
        self.value(name).parse().map_err(|_| InvalidValue::new("invalid_number", "must be a whole number"))
    }

    /// The version that was shown with the form, in its field `version`: what the edit is meant for.
    pub fn expected(&self) -> Expected {
        Expected::OneOf(self.value("version").parse().into_iter().collect())
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    /// The values of these fields, for an address that keeps them.
    pub fn kept<'a>(&'a self, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        names.iter().map(|&name| (name, self.value(name))).collect()
    }

    /// What is wrong with a field.
    fn error(&self, name: &str) -> Option<&str> {
        let field = self.problem.as_ref()?.fields.iter().find(|field| names(&field.pointer) == name)?;
        Some(&field.detail)
    }

    /// Whether something is wrong with a field.
    pub fn is_wrong(&self, name: &str) -> bool {
        self.error(name).is_some()
    }

    /// Whether it was sent and refused.
    pub fn is_refused(&self) -> bool {
        self.problem.is_some()
    }

    /// What is wrong with the form as a whole, or with a field that it doesn't show.
    pub fn alert(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        match problem.fields.iter().find(|field| !self.values.iter().any(|(name, _)| name == names(&field.pointer))) {
            Some(hidden) => Some(&hidden.detail),
            None if problem.fields.is_empty() => Some(&problem.detail),
            None => None,
        }
    }

    /// A field of one line.
    pub fn text<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Input { input: "text" })
    }

    /// An e-mail address.
    pub fn email<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Input { input: "email" })
    }

    /// A number.
    pub fn number<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Input { input: "number" })
    }

    /// What a list is searched for.
    pub fn search<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Input { input: "search" })
    }

    /// A day.
    pub fn day<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Input { input: "date" })
    }

    /// A field of several lines.
    pub fn lines<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(self, name, label, Kind::Lines)
    }

    /// One of several.
    pub fn select<'a>(&'a self, name: &'a str, label: &'a str, choices: impl AsRef<[Choice]>) -> Field<'a> {
        let chosen = self.value(name);
        let choices = choices.as_ref().iter().map(|choice| Choice { on: choice.value == chosen, ..choice.clone() }).collect();
        Field::new(self, name, label, Kind::Select { choices })
    }

    /// Any of several.
    pub fn boxes<'a>(&'a self, name: &'a str, label: &'a str, choices: impl AsRef<[Choice]>) -> Field<'a> {
        let choices = choices
            .as_ref()
            .iter()
            .map(|choice| Choice { on: self.all(name).any(|value| value == choice.value), ..choice.clone() })
            .collect();
        Field::new(self, name, label, Kind::Boxes { choices })
    }

    /// What is sent along and not shown.
    pub fn hidden<'a>(&'a self, name: &'a str) -> Field<'a> {
        Field::new(self, name, "", Kind::Hidden)
    }
}

/// Refuses what isn't UTF-8: a form that was read with other letters than were meant would be taken for something else.
pub(super) fn readable(sent: &[u8]) -> Result<(), Problem> {
    // What stands between fields and values is ASCII, so all of them are text where the whole is.
    match percent_decode(sent).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(ErrorCode::BadRequest, "what was sent isn't UTF-8; nothing was done with it")),
    }
}

/// The problem, and how long to wait where that helps.
fn with_wait(mut problem: Problem) -> Problem {
    if let Some(after) = problem.retry_after {
        // Rounded up: whoever waits that long is let in.
        let minutes = (after.whole_seconds() + 59) / 60;
        let wait = if minutes > 1 { format!("{minutes} minutes") } else { "a minute".to_owned() };
        problem.detail = format!("{}; try again in {wait}", problem.detail).into();
    }
    problem
}

/// A text with the quotes that people read in the place of those that programs print.
fn quoted(text: &str) -> String {
    let mut open = false;
    let quote = |c| {
        if c != '`' {
            return c;
        }
        open = !open;
        if open { '“' } else { '”' }
    };
    text.chars().map(quote).collect()
}

/// The name of the field that a problem points at.
fn names(pointer: &str) -> &str {
    let name = pointer.trim_start_matches(['/', '?']);
    name.split('/').next().unwrap_or(name)
}

/// Something to choose.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub value: String,
    pub label: String,
    on: bool,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), on: false }
    }

    /// A word that says itself what it means.
    pub fn word(word: &str) -> Self {
        Self::new(word, word.replace('_', " "))
    }
}

enum Kind {
    Input { input: &'static str },
    Lines,
    Select { choices: Vec<Choice> },
    Boxes { choices: Vec<Choice> },
    Hidden,
}

/// A field of a form, with its label, its hint and what is wrong with it.
#[derive(Template)]
#[template(path = "console/parts/field.html")]
pub(crate) struct Field<'a> {
    name: &'a str,
    label: &'a str,
    value: &'a str,
    error: Option<&'a str>,
    hint: &'a str,
    kind: Kind,
    class: &'a str,
    wide: bool,
    autocomplete: &'a str,
    max: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
    required: bool,
    refused: bool,
    focused: bool,
}

impl HtmlSafe for Field<'_> {}

impl<'a> Field<'a> {
    fn new(form: &'a Form, name: &'a str, label: &'a str, kind: Kind) -> Self {
        let error = form.error(name);
        Self {
            name,
            label,
            value: form.value(name),
            error,
            hint: "",
            kind,
            class: "",
            wide: false,
            autocomplete: "off",
            max: None,
            least: None,
            most: None,
            required: false,
            refused: form.is_refused(),
            focused: error.is_some(),
        }
    }

    /// What may stand there.
    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    /// How it looks.
    pub fn class(mut self, class: &'a str) -> Self {
        self.class = class;
        self
    }

    /// It takes what room there is.
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// What browsers may fill in.
    pub fn autocomplete(mut self, what: &'a str) -> Self {
        self.autocomplete = what;
        self
    }

    /// The most characters.
    pub fn max(mut self, characters: u32) -> Self {
        self.max = Some(characters);
        self
    }

    /// The least and the most that a number is.
    pub fn between(mut self, least: u32, most: u32) -> Self {
        (self.least, self.most) = (Some(least), Some(most));
        self
    }

    /// It can't be empty.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Where typing begins, if no other field is wrong.
    pub fn focused(mut self) -> Self {
        self.focused |= !self.refused;
        self
    }

    fn describes(&self) -> String {
        let parts =
            [(!self.hint.is_empty()).then(|| format!("{}-hint", self.name)), self.error.map(|_| format!("{}-error", self.name))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::InvalidValue;

    use super::*;

    #[test]
    fn a_form_is_utf_8_or_refused() {
        for good in ["", "a=b&c=%C3%A9", "a=\u{e9}", "a=%", "a=%zz", "name=%EF%BF%BD"] {
            assert!(readable(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [&b"a=%E9"[..], b"%ff=a", b"a=\xE9", b"a=%C3&b=%A9", b"a=%ED%A0%80", b"a=%C0%AF"] {
            assert_eq!(readable(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad:?}");
        }
    }

    #[test]
    fn what_was_typed_comes_back_escaped_with_what_is_wrong_with_it() {
        let form = Form::parse(b"name=%3Cb%3E+%22x%22&count=7&scope=a&scope=b");
        assert_eq!((form.value("name"), form.value("count"), form.optional("none")), ("<b> \"x\"", "7", None));
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["a", "b"]);
        let refused = form.refused(Problem::field("/name", InvalidValue::new("x", "is <no> name")));
        let html = refused.text("name", "Name").hint("A name.").max(9).to_string();
        assert!(html.contains("value=\"&#60;b&#62; &#34;x&#34;\""), "{html}");
        assert!(html.contains("aria-invalid=\"true\"") && html.contains("is &#60;no&#62; name"), "{html}");
        assert!(html.contains("aria-describedby=\"name-hint name-error\""), "{html}");
        assert_eq!(refused.alert(), None);
        assert!(!refused.text("count", "Count").to_string().contains("aria-invalid"));
    }

    #[test]
    fn who_asked_too_often_is_told_how_long_to_wait() {
        let told = |seconds| {
            let after = time::Duration::seconds(seconds);
            with_wait(Problem::new(ErrorCode::RateLimited, "too often").retry_after(after)).detail.into_owned()
        };
        assert_eq!(told(0), "too often; try again in a minute");
        assert_eq!(told(60), "too often; try again in a minute");
        assert_eq!(told(61), "too often; try again in 2 minutes");
    }

    #[test]
    fn a_reason_is_quoted_as_people_do() {
        let form = Form::parse(b"confirm=acme").confirms("confirm", "globex").unwrap_err();
        let refused = Form::parse(b"confirm=acme").refused(form);
        assert_eq!(refused.error("confirm"), Some("type “globex” to say that this is meant"));
    }

    #[test]
    fn what_no_field_shows_is_said_above_the_form() {
        let form = Form::parse(b"name=x");
        let hidden = Problem::field("/plan_id", InvalidValue::new("x", "there is no such plan"));
        assert_eq!(form.clone().refused(hidden).alert(), Some("there is no such plan"));
        assert_eq!(form.refused(Problem::not_found()).alert(), Some("there is nothing here that is yours"));
    }
}
