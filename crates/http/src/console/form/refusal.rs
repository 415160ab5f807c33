//! What was wrong with a form that was sent, in words for people.

use crate::{errors::ErrorCode, problem::Problem};

use super::Form;

impl Form {
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

    /// What is wrong with a field.
    pub(super) fn error(&self, name: &str) -> Option<&str> {
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

#[cfg(test)]
mod tests {
    use tenantry_domain::InvalidValue;

    use super::*;

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
