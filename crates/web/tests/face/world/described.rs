//! The description of the API beside what the server does: every request and every answer of these tests is held against it.
//!
//! What is answered is as it is described, with all its members. What the description forbids is refused; and what is
//! refused for its form, the description forbids, unless it cannot say so ([`IN_WORDS`]).

use std::sync::LazyLock;

use serde_json::Value;

use super::Answer;
use super::schema::Schemas;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&repute_web::description()).unwrap());

/// Members of which no schema can say all, and the description the rest in words: addresses as header fields have them, base64,
/// which header fields and types there are, what is still to come, whose a list is.
const IN_WORDS: [&str; 11] =
    ["/from", "/to", "/cc", "/bcc", "/reply_to", "/raw", "/attachments", "/headers", "/expires", "/list", "/send_at"];

/// What a client asks.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// `GET /v1/queue?limit=1`.
    pub request: &'a str,
    pub fields: &'a [&'a str],
    pub body: &'a [u8],
}

impl Asked<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.fields.iter().filter_map(|field| field.split_once(": "));
        fields.into_iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The operation that is asked for, where it is a described one.
    fn operation(&self) -> Option<&'static Value> {
        let (method, target) = self.request.split_once(' ')?;
        let path = target.split('?').next()?;
        let is_it = |template: &str| {
            let mut parts = path.split('/');
            let fits = template
                .split('/')
                .all(|t| parts.next().is_some_and(|p| t == p || t.starts_with('{') && !p.is_empty()));
            fits && parts.next().is_none()
        };
        let paths = DOCUMENT["paths"].as_object()?;
        // A path that is written out goes before one with a place to fill.
        let found = paths.get_key_value(path).or_else(|| paths.iter().find(|(template, _)| is_it(template)))?;
        found.1.get(method.to_lowercase())
    }

    /// Of its body, in whatever spelling.
    fn media(&self) -> String {
        self.field("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase()
    }

    /// Whether the description allows it, and else what it says.
    pub fn is_allowed(&self, operation: &Value) -> Result<(), String> {
        self.parameters(operation)?;
        let Some(body) = operation.get("requestBody") else { return Ok(()) };
        if self.body.is_empty() && body["required"] != true {
            return Ok(());
        }
        let media = self.media();
        let content = body["content"].get(&media).ok_or_else(|| format!("{media:?} is not taken"))?;
        if media != "application/json" {
            return Ok(());
        }
        // RFC 8259 §8.1: a byte order mark may be passed over, and is.
        let json = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.body);
        let value: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        Schemas { document: &DOCUMENT, closed: false }.check(&content["schema"], &value, "")
    }

    fn parameters(&self, operation: &Value) -> Result<(), String> {
        let known = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let query = self.request.split_once('?').map_or("", |(_, query)| query);
        let given: Vec<(&str, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(n, v)| (n, unescaped(v)))
            .filter(|(_, v)| !v.is_empty())
            .collect();
        for (name, _) in &given {
            if !known.iter().any(|one| one["in"] == "query" && one["name"] == *name) {
                return Err(format!("there is no parameter {name}"));
            }
        }
        for one in known {
            let name = one["name"].as_str().unwrap();
            let value = match one["in"].as_str().unwrap() {
                "query" => given.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str()),
                "header" if self.fields.iter().filter(|field| field.starts_with(name)).count() > 1 => {
                    return Err(format!("{name} is there twice"));
                }
                "header" => self.field(name),
                // What is at no such path is not found: that is no matter of form.
                _ => continue,
            };
            match value {
                Some(text) => self.parameter(one, text)?,
                None if one["required"] == true => return Err(format!("{name} is missing")),
                None => {}
            }
        }
        Ok(())
    }

    fn parameter(&self, parameter: &Value, text: &str) -> Result<(), String> {
        let schemas = Schemas { document: &DOCUMENT, closed: false };
        let name = parameter["name"].as_str().unwrap();
        // A text that is written like a number may be meant as one.
        let read = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_number() || value.is_boolean());
        let mut values = read.into_iter().chain([Value::from(text)]);
        let said = values.next().map(|value| schemas.check(&parameter["schema"], &value, name));
        match values.next() {
            Some(value) if said.as_ref().is_some_and(Result::is_err) => {
                schemas.check(&parameter["schema"], &value, name)
            }
            _ => said.unwrap_or(Ok(())),
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [octets.next().unwrap(), octets.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            octet => out.push(octet),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a request and its answer are as they are described.
pub fn judge(asked: Asked<'_>, answer: &Answer) -> Result<(), String> {
    let Some(operation) = asked.operation() else { return Ok(()) };
    let wrong = |why: &str| {
        let body: String = String::from_utf8_lossy(asked.body).chars().take(2000).collect();
        Err(format!("{why}: {} {body} -> {} {}", asked.request, answer.status, answer.body))
    };
    let Some(response) = operation["responses"].get(answer.status.to_string()) else {
        return wrong("an answer with this status is not described");
    };
    let media = answer.field("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    if media.ends_with("json") {
        let Some(content) = response.get("content").and_then(|content| content.get(media)) else {
            return wrong("such a body is not described");
        };
        let fits = Schemas { document: &DOCUMENT, closed: true }.check(&content["schema"], &answer.json(), "");
        if let Err(why) = fits {
            return wrong(&format!("the answer is not as it is described: {why}"));
        }
    }
    // Each message of a batch is judged by itself, and no schema says what a letter or a list of CSV is.
    let has_parts = operation["operationId"] == "sendMessages";
    let is_document = asked.body.is_empty() || asked.media() == "application/json";
    match asked.is_allowed(operation) {
        Err(why) if !has_parts && answer.status < 400 => {
            wrong(&format!("the description forbids it ({why}), and it was done"))
        }
        Ok(()) if is_document && is_refused_for_its_form(answer) => wrong("the description allows what is refused"),
        _ => Ok(()),
    }
}

/// Whether the request is not what every request to this operation has to be.
fn is_refused_for_its_form(answer: &Answer) -> bool {
    if answer.status == 415 {
        return true;
    }
    let problem = if answer.status == 400 || answer.status == 422 { answer.json() } else { return false };
    let kinds = ["/problems/not-json", "/problems/invalid-fields", "/problems/malformed-request"];
    let is_in_words = |fault: &Value| {
        let pointer = fault["pointer"].as_str().unwrap();
        IN_WORDS
            .iter()
            .any(|member| pointer.strip_prefix(member).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    kinds.iter().any(|kind| problem["type"] == *kind) && (faults.is_empty() || !faults.iter().all(is_in_words))
}
