//! What a field holds, in HTML: `&`, `<`, `>` and quotes as entities, and nothing else. The engine's own way writes a
//! slash as an entity too, and a link that is spelt so looks like one that is disguised. And the other way round within a template's own markup.

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

/// What an editor of HTML writes in place of characters, undone where a template reads them: in `{{ }}` and `{% %}`.
pub(super) fn undone_in_markup(mut html: String) -> String {
    for (opening, closing) in [("{{", "}}"), ("{%", "%}")] {
        let mut at = 0;
        while let Some(start) = html[at..].find(opening).map(|found| at + found) {
            let Some(end) = html[start..].find(closing).map(|found| start + found) else { break };
            let typed = typed(&html[start..end]);
            at = start + typed.len();
            html.replace_range(start..end, &typed);
        }
    }
    html
}

fn typed(markup: &str) -> String {
    const WRITTEN: [(&str, &str); 8] = [
        ("\u{a0}", " "),
        ("&nbsp;", " "),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        // Last, so that what it makes is not taken for another.
        ("&amp;", "&"),
    ];
    WRITTEN.iter().fold(markup.to_owned(), |text, (written, meant)| text.replace(written, meant))
}
