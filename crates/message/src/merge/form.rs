//! The templates of a letter: their environment with its limits, and their faults in the words of
//! a sender.

use std::collections::BTreeSet;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::{FUEL, LetterFault, MergeFault, OWN_FIELDS, escape};

/// Markup of a template; text without any is no template.
const MARKUP: [&str; 3] = ["{{", "{%", "{#"];

/// How the place of a template ends that is HTML.
const HTML: &str = "(html)";

pub(super) struct Form<'f> {
    pub templates: Environment<'static>,
    fields: &'f [String],
    used: BTreeSet<String>,
    /// The Content fields of a letter whose body is one text with merge fields.
    pub top_fields: String,
}

pub(super) fn has_markup(text: &str) -> bool {
    MARKUP.iter().any(|markup| text.contains(markup))
}

impl<'f> Form<'f> {
    pub fn new(fields: &'f [String]) -> Form<'f> {
        let mut templates = Environment::new();
        templates.set_syntax(keeping_line_ends());
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        templates.set_fuel(Some(FUEL));
        templates.set_recursion_limit(50);
        templates.set_auto_escape_callback(|name| match name.ends_with(HTML) {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        escape::sparingly(&mut templates);
        // It prints all of a recipient's fields.
        templates.remove_global("debug");
        Form { templates, fields, used: BTreeSet::new(), top_fields: String::new() }
    }

    pub fn uses(&self, field: &str) -> bool {
        self.used.contains(field)
    }

    /// Takes a template in under the name by which faults call it.
    pub fn add(&mut self, place: &str, text: String) -> Result<String, LetterFault> {
        let text = if place.ends_with(HTML) { escape::undone_in_markup(text) } else { text };
        self.templates.add_template_owned(place.to_owned(), text).map_err(|error| LetterFault::Syntax {
            place: place.to_owned(),
            line: error.line().unwrap_or(1),
            text: said(&error),
        })?;
        let globals: BTreeSet<String> = self.templates.globals().map(|(name, _)| name.to_owned()).collect();
        let Ok(template) = self.templates.get_template(place) else { return Ok(place.to_owned()) };
        for field in template.undeclared_variables(false) {
            let known = OWN_FIELDS.contains(&field.as_str()) || self.fields.contains(&field);
            if !known && !globals.contains(&field) {
                let near = nearest(&field, self.fields);
                return Err(LetterFault::UnknownField { place: place.to_owned(), field, near });
            }
            self.used.insert(field);
        }
        Ok(place.to_owned())
    }
}

/// The field that was probably meant: the same letters but for case, `_` and one more or less.
fn nearest(field: &str, fields: &[String]) -> Option<String> {
    let bare = |text: &str| text.to_lowercase().replace('_', "");
    let wanted = bare(field);
    fields
        .iter()
        .find(|f| {
            let have = bare(f);
            have == wanted || (wanted.len() > 2 && (have.contains(&wanted) || wanted.contains(&have)))
        })
        .cloned()
}

pub(super) fn fault(place: &str, error: &Error) -> MergeFault {
    let place = place.to_owned();
    match error.kind() {
        ErrorKind::OutOfFuel => MergeFault::TooMuch { place },
        ErrorKind::UndefinedError => match undefined(error) {
            Some(field) => MergeFault::Missing { place, field },
            None => MergeFault::Template { place, line: error.line().unwrap_or(1), text: said(error) },
        },
        _ => MergeFault::Template { place, line: error.line().unwrap_or(1), text: said(error) },
    }
}

/// The field that was not there: the engine's sentence quotes it.
fn undefined(error: &Error) -> Option<String> {
    let name = error.detail()?.split(['\'', '"', '`']).nth(1)?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    is_name.then(|| name.to_owned())
}

fn said(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The last line end of a body is the body's.
fn keeping_line_ends() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}
