//! JSON Schema as far as the description of the API uses it. What is not known here is a fault of the test, never passed over.

use repute_types::{Address, Domain, MessageId, Timestamp};
use serde_json::{Map, Value};

/// What may be around a value.
#[derive(Clone, Copy)]
pub struct Schemas<'a> {
    pub document: &'a Value,
    /// Whether a member that is not described is a fault: of what is answered, where nothing says so.
    pub closed: bool,
}

type Found = Result<(), String>;

/// Says nothing about the value.
const TOLD: [&str; 5] = ["description", "example", "default", "title", "contentEncoding"];

impl Schemas<'_> {
    pub fn check(&self, schema: &Value, value: &Value, at: &str) -> Found {
        if *schema == Value::Bool(true) {
            return Ok(());
        }
        let schema = schema.as_object().unwrap_or_else(|| panic!("{at}: {schema} is no schema"));
        for (keyword, said) in schema {
            self.keyword((keyword, said), schema, value, at)?;
        }
        Ok(())
    }

    fn keyword(&self, (keyword, said): (&str, &Value), schema: &Map<String, Value>, value: &Value, at: &str) -> Found {
        let wrong = || Err(format!("{at}: {value} is against {keyword} {said}"));
        let holds = match keyword {
            _ if TOLD.contains(&keyword) => true,
            "$ref" => return self.check(self.referred(said), value, at),
            "type" => match said.as_array() {
                Some(types) => types.iter().any(|one| is_of(one, value)),
                None => is_of(said, value),
            },
            "enum" => list(said).contains(value),
            // Each describes the members that are its own.
            "allOf" => {
                let open = Schemas { closed: false, ..*self };
                return list(said).iter().try_for_each(|one| open.check(one, value, at));
            }
            "anyOf" => list(said).iter().any(|one| self.check(one, value, at).is_ok()),
            "oneOf" => list(said).iter().filter(|one| self.check(one, value, at).is_ok()).count() == 1,
            "minimum" => value.as_f64().is_none_or(|n| n >= number(said)),
            "maximum" => value.as_f64().is_none_or(|n| n <= number(said)),
            "minLength" => value.as_str().is_none_or(|s| s.chars().count() as f64 >= number(said)),
            "maxLength" => value.as_str().is_none_or(|s| s.chars().count() as f64 <= number(said)),
            "minItems" => value.as_array().is_none_or(|a| a.len() as f64 >= number(said)),
            "maxItems" => value.as_array().is_none_or(|a| a.len() as f64 <= number(said)),
            "maxProperties" => value.as_object().is_none_or(|o| o.len() as f64 <= number(said)),
            "pattern" => value.as_str().is_none_or(|text| matches(said.as_str().unwrap(), text)),
            "format" => is_formed(said.as_str().unwrap(), value),
            "required" => {
                let is_there =
                    |object: &Map<String, Value>| list(said).iter().all(|n| object.contains_key(n.as_str().unwrap()));
                value.as_object().is_none_or(is_there)
            }
            "items" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                return items.iter().enumerate().try_for_each(|(n, item)| self.check(said, item, &format!("{at}/{n}")));
            }
            "properties" => return self.members(schema, value, at),
            "additionalProperties" => return self.other_members(said, schema, value, at),
            "propertyNames" => {
                let names = value.as_object().into_iter().flat_map(Map::keys);
                return names.into_iter().try_for_each(|name| self.check(said, &Value::from(name.as_str()), at));
            }
            _ => panic!("{at}: nothing is known here of {keyword}"),
        };
        if holds { Ok(()) } else { wrong() }
    }

    fn referred(&self, name: &Value) -> &Value {
        let name = name.as_str().unwrap();
        let found = name.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        found.unwrap_or_else(|| panic!("{name} leads nowhere"))
    }

    fn members(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Found {
        let described = schema["properties"].as_object().unwrap();
        for (name, member) in value.as_object().into_iter().flatten() {
            match described.get(name) {
                Some(schema) => self.check(schema, member, &format!("{at}/{name}"))?,
                None if self.closed && !schema.contains_key("additionalProperties") => {
                    return Err(format!("{at}: the member {name} is not described"));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn other_members(&self, said: &Value, schema: &Map<String, Value>, value: &Value, at: &str) -> Found {
        let described = schema.get("properties").and_then(Value::as_object);
        let others = value.as_object().into_iter().flatten();
        for (name, member) in others.filter(|(name, _)| described.is_none_or(|d| !d.contains_key(*name))) {
            match said {
                Value::Bool(false) => return Err(format!("{at}: there is no member {name}")),
                Value::Bool(true) => {}
                schema => self.check(schema, member, &format!("{at}/{name}"))?,
            }
        }
        Ok(())
    }
}

fn list(said: &Value) -> &[Value] {
    said.as_array().unwrap_or_else(|| panic!("{said} is no list"))
}

fn number(said: &Value) -> f64 {
    said.as_f64().unwrap_or_else(|| panic!("{said} is no number"))
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        other => panic!("{other} is no type"),
    }
}

/// As the server's own types read them.
fn is_formed(format: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    match format {
        "date-time" => text.parse::<Timestamp>().is_ok(),
        "email" => text.parse::<Address>().is_ok(),
        "hostname" => Domain::parse(text).is_ok(),
        // Of numbers, whose bounds stand beside it.
        "int32" | "int64" => true,
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        other => panic!("nothing is known here of the format {other}"),
    }
}

/// Each pattern beside what it means.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(else_this) = pattern.strip_prefix("^$|") {
        return text.is_empty() || matches(else_this, text);
    }
    let is_id = |text: &str| text.parse::<MessageId>().is_ok();
    let is_line = !text.chars().any(char::is_control);
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    match pattern {
        r"^[0-9a-f][0-9a-hjkmnp-tv-z]{12}$" => is_id(text),
        r"^[0-9a-f][0-9a-hjkmnp-tv-z]{12}\.[0-9]{1,9}$" => {
            text.split_once('.').is_some_and(|(id, n)| is_id(id) && n.len() < 10 && n.parse::<u32>().is_ok())
        }
        r"^[^\x00-\x1f\x7f-\x9f]*$" => is_line,
        r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$" => is_line && !text.trim().is_empty(),
        r"^[A-Za-z0-9._-]+$" => is_name(text),
        r"^ *[A-Za-z0-9._-]+ *$" => is_name(text.trim_matches(' ')),
        r"^evt_[0-9a-f][0-9a-hjkmnp-tv-z]{12}$" => text.strip_prefix("evt_").is_some_and(is_id),
        r#"^("[!-~]+"|[!#-~][!-~]*)$"# => {
            let key = text.strip_prefix('"').map_or(Some(text), |rest| rest.strip_suffix('"'));
            key.is_some_and(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()))
        }
        _ if pattern.starts_with("^(accepted|") => {
            text.split(',').all(|name| name.parse::<repute_hooks::Type>().is_ok())
        }
        _ if pattern.starts_with("^(now|start|evt_") => {
            let is_event = text.strip_prefix("evt_").is_some_and(is_id);
            matches!(text, "now" | "start") || is_event || text.parse::<Timestamp>().is_ok()
        }
        other => panic!("nothing is known here of the pattern {other}"),
    }
}
