//! The fields of a form: each with its label, what was typed, and what is wrong with it.

use askama::{Template, filters::HtmlSafe};

use super::Form;

impl Form {
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
    use crate::problem::Problem;

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
}
