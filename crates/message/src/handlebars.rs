//! Texts with places to fill in, in the syntax of Handlebars as far as Amazon SES has it: `{{name}}`, `{{a.b}}`,
//! `{{#if}}`, `{{#unless}}`, `{{#each}}`, `{{#with}}`, `{{else}}`, comments. They are made into a template of the kept
//! engine (minijinja), which fills them in within the same bounds as a letter ([`merge`](crate::merge)).
//!
//! Promise: what the data do not have is an error that names it, and never an empty place; beside `if`, `unless`, `each` and
//! `with`, to which it is nothing. Nothing is escaped, as with SES: who puts a stranger's words into HTML escapes them.
//! Limits: no partials, no helpers beside these four, no block parameters; blocks stand 20 deep at most.

mod read;
mod write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use serde_json::Value as Json;

use crate::merge::FUEL;

/// Why a text cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    #[error("line {line}: {text}")]
    Syntax { line: usize, text: String },
    #[error("Attribute '{0}' is not present in the rendering data.")]
    Missing(String),
    #[error("Attribute '{0}' is an object in the rendering data: name one of its attributes")]
    NoText(String),
    #[error("it takes more than a message may: look for loops in it, or send fewer data")]
    TooMuch,
}

/// The text with what the data have.
///
/// # Errors
/// The text is no template of this syntax, or needs what the data do not have.
pub fn filled(text: &str, data: &Json) -> Result<String, TemplateFault> {
    let template = write::translated(text)?;
    let mut engine = Environment::empty();
    engine.set_syntax(syntax().map_err(|error| odd(&error))?);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(50);
    engine.add_function("shown", shown);
    engine.add_function("holds", holds);
    engine.add_function("at", at);
    engine.add_function("entries", entries);
    let rendered = engine.render_str(&template, minijinja::context! { data => value_of(data) });
    rendered.map_err(|error| fault(&error))
}

/// Marks that no text has: [`write::translated`] refuses it.
fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder()
        .block_delimiters(write::BLOCK.0, write::BLOCK.1)
        .variable_delimiters(write::PLACE.0, write::PLACE.1)
        .comment_delimiters(write::COMMENT.0, write::COMMENT.1)
        .keep_trailing_newline(true)
        .build()
}

fn fault(error: &Error) -> TemplateFault {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => TemplateFault::TooMuch,
        (ErrorKind::UndefinedError, Some(name)) => TemplateFault::Missing(name.to_owned()),
        (ErrorKind::InvalidOperation, Some(name)) => TemplateFault::NoText(name.to_owned()),
        _ => odd(error),
    }
}

fn odd(error: &Error) -> TemplateFault {
    TemplateFault::Syntax { line: error.line().unwrap_or(1), text: error.to_string() }
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(is) => Value::from(*is),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::from(list.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(members) => Value::from_pairs(members.iter().map(|(name, json)| (name.as_str(), value_of(json)))),
    }
}

/// What stands at a path; undefined where any of it is missing.
fn at(from: Value, path: Rest<String>) -> Value {
    path.iter().fold(from, |value, name| match (value.kind(), name.parse::<usize>()) {
        (ValueKind::Seq, Ok(number)) => value.get_item_by_index(number).unwrap_or_default(),
        (ValueKind::Map, _) => value.get_attr(name).unwrap_or_default(),
        _ => Value::UNDEFINED,
    })
}

fn named(path: &[String]) -> String {
    if path.is_empty() { "this".to_owned() } else { path.join(".") }
}

/// As text: null is none, a list stands with commas, a whole number has no point.
fn shown(from: Value, path: Rest<String>) -> Result<String, Error> {
    let name = named(&path);
    let value = at(from, path);
    match value.kind() {
        ValueKind::Undefined => Err(Error::new(ErrorKind::UndefinedError, name)),
        ValueKind::Map => Err(Error::new(ErrorKind::InvalidOperation, name)),
        ValueKind::Seq => {
            let all = value.try_iter()?.map(|one| shown(one, Rest(Vec::new())));
            Ok(all.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        _ => Ok(text(&value)),
    }
}

fn text(value: &Value) -> String {
    match (value.kind(), f64::try_from(value.clone())) {
        (ValueKind::None, _) => String::new(),
        (ValueKind::Bool, _) => value.is_true().to_string(),
        (ValueKind::Number, Ok(number)) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        _ => value.to_string(),
    }
}

/// What Handlebars takes for true: an object is, whatever it has; an empty text, list, null and 0 are not.
fn holds(from: Value, path: Rest<String>) -> bool {
    let value = at(from, path);
    value.kind() == ValueKind::Map || value.is_true()
}

/// The items of a list or the members of an object, each with its key. What is neither has none.
fn entries(state: &State<'_, '_>, from: Value, path: Rest<String>) -> Result<Value, Error> {
    let value = at(from, path);
    let entry = |key: Value, value: Value| Value::from_pairs([("key", key), ("value", value)]);
    let entries: Vec<Value> = match value.kind() {
        ValueKind::Seq => value.try_iter()?.enumerate().map(|(n, item)| entry(Value::from(n), item)).collect(),
        ValueKind::Map => {
            let member = |key: Value| entry(key.clone(), value.get_item(&key).unwrap_or_default());
            value.try_iter()?.map(member).collect()
        }
        _ => Vec::new(),
    };
    state.consume_fuel(entries.len() as u64)?;
    Ok(Value::from(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, data: &str, expected: &str) {
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let said = filled(text, &data).unwrap_or_else(|fault| fault.to_string());
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn places_are_filled_in() {
        let data = r#"{"name": "Ann", "n": 3, "x": 1.5, "whole": 2.0, "no": null, "yes": true, "html": "<b>&</b>",
            "a": {"b": {"c d": "deep"}}, "list": ["p", "q"], "{": "odd"}"#;
        check("Dear {{name}}, {{ name }} {{{name}}} {{&name}}", data, "Dear Ann, Ann Ann Ann");
        check(
            "{{n}} {{x}} {{whole}} [{{no}}] {{yes}} {{list}} {{list.1}} {{html}}",
            data,
            "3 1.5 2 [] true p,q q <b>&</b>",
        );
        check(
            "{{a.b.[c d]}} {{a/b/[c d]}} {{@root.a.b.[c d]}} {{this.name}} {{./name}}",
            data,
            "deep deep deep Ann Ann",
        );
        check("a {{! not this }}b {{!-- nor }} this --}}c", data, "a b c");
        check(r"\{{name}} {% x %} {# y #} { } }} {{name}}", data, "{{name}} {% x %} {# y #} { } }} Ann");
        check("a  {{~name~}}  b", data, "aAnnb");
    }

    #[test]
    fn blocks_choose_and_repeat() {
        let data = r#"{"name": "Ann", "vip": true, "none": [], "zero": 0, "empty": {}, "items": [{"t": "p", "n": 1}, {"t": "q", "n": 0}],
            "prices": {"de": 1, "fr": 2}, "tags": ["x", "y"]}"#;
        check(
            "{{#if vip}}V{{else}}-{{/if}}{{#if none}}N{{else}}-{{/if}}{{#if absent.deep}}A{{else}}-{{/if}}",
            data,
            "V--",
        );
        check(
            "{{#if zero}}a{{else if vip}}b{{else}}c{{/if}}{{#unless zero}}d{{/unless}}{{#if empty}}e{{/if}}",
            data,
            "bde",
        );
        check(
            "{{#each items}}{{@index}}{{t}}{{../name}}{{#if n}}!{{/if}}{{#unless @last}}, {{/unless}}{{/each}}",
            data,
            "0pAnn!, 1qAnn",
        );
        check("{{#each prices}}{{@key}}={{this}};{{/each}}{{#each tags}}{{this}}{{/each}}", data, "de=1;fr=2;xy");
        check("{{#each none}}x{{else}}nothing{{/each}}{{#each absent}}x{{/each}}", data, "nothing");
        check("{{#with prices}}{{de}}{{../name}}{{/with}}{{#with absent}}x{{else}}y{{/with}}", data, "1Anny");
        check("{{#each items}}{{#each ../tags}}{{this}}{{../t}} {{/each}}{{/each}}", data, "xp yp xq yq ");
        check("Hi\n{{#if vip}}\n  dear\n{{/if}}\nend\n", data, "Hi\n  dear\nend\n");
        check(
            "<ul>\r\n  {{#each tags}}\r\n  <li>{{this}}\r\n  {{/each}}\r\n</ul>",
            data,
            "<ul>\r\n  <li>x\r\n  <li>y\r\n</ul>",
        );
        check("{{^vip}}not {{/vip}}vip", data, "vip");
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        let data = r#"{"a": {"b": 1}, "list": [{}]}"#;
        check("{{name}}", data, "Attribute 'name' is not present in the rendering data.");
        check("{{a.c.d}}", data, "Attribute 'a.c.d' is not present in the rendering data.");
        check("{{#each list}}{{t}}{{/each}}", data, "Attribute 't' is not present in the rendering data.");
        check("{{a}}", data, "Attribute 'a' is an object in the rendering data: name one of its attributes");
        check("x\n{{#if a}}", data, "line 2: {{#if}} is not closed");
        check("{{/if}}", data, "line 1: {{/if}} closes nothing");
        check("{{#if a}}{{/each}}", data, "line 1: {{/each}} stands where {{/if}} is awaited");
        check("{{else}}", data, "line 1: {{else}} stands in no block");
        check("a {{name", data, "line 1: \"{{\" is not closed");
        check("{{> part}}", data, "line 1: partials are not known here: write what they hold in their place");
        check("{{#x}}{{/x}}", data, "line 1: {{#x}} is not known here: write {{#if x}}, {{#each x}} or {{#with x}}");
        check("{{date now}}", data, "line 1: the helper \"date\" is not known here: if, unless, each and with are");
        check("{{#each a as |x|}}{{/each}}", data, "line 1: \"a as |x|\" is no name: write one name of the data");
        check("{{../a}}", data, "line 1: \"../a\" leads out of the data");
        check("{{@index}}", data, "line 1: \"@index\" stands in no {{#each}}");
        check("{{a.\"b}}", data, "line 1: \"a.\\\"b\" is no name: write one name of the data");
        check("{{}}", data, "line 1: \"\" is no name: write one name of the data");
        check("\u{1}{ 1 }\u{1}", data, "line 1: a control character stands in it: take it out");
        let deep = "{{#if a}}".repeat(30) + &"{{/if}}".repeat(30);
        check(&deep, data, "line 1: blocks stand more than 20 deep");
        let many = format!(r#"{{"l": [{}0]}}"#, "0,".repeat(400));
        check(
            "{{#each l}}{{#each ../l}}{{#each ../../l}}x{{/each}}{{/each}}{{/each}}",
            &many,
            "it takes more than a message may: look for loops in it, or send fewer data",
        );
    }
}
