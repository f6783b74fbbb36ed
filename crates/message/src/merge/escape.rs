//! What a field holds, in HTML: `&`, `<`, `>` and quotes as entities, and nothing else. The engine's own way writes a
//! slash as an entity too, and a link that is spelt so looks like one that is disguised.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, State, escape_formatter};

pub(super) fn sparingly(templates: &mut Environment<'static>) {
    templates.set_formatter(formatted);
    templates.add_filter("e", filtered);
    templates.add_filter("escape", filtered);
}

fn formatted(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn filtered(value: Value) -> Value {
    if value.is_safe() {
        return value;
    }
    Value::from_safe_string(escaped(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str()))
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
