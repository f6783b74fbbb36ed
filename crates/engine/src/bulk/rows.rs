//! One row of a list as it is written: a JSON object, or the values of a CSV record under the names of a header.
//! The same for files and for what comes over HTTP.
//!
//! The names of fields are made fit for a letter: lower case, `_` for what is no letter or digit. `email`,
//! `address`, `mail` or `e_mail` is the address.

use super::words::Row;

const ADDRESS: [&str; 4] = ["email", "address", "mail", "e_mail"];

/// A column's or member's name as a letter has it.
pub fn field_name(text: &str) -> String {
    let text: String = text.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if text.starts_with(|c: char| c.is_numeric()) { format!("_{text}") } else { text }
}

/// Which of the names is the address.
pub fn address_among(names: &[String]) -> Option<usize> {
    ADDRESS.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
}

/// A row from a line of JSON lines; a field that is not there is empty.
///
/// # Errors
/// Where it is no object, or has a member that is none of `fields`: a sentence for people.
pub fn of_json(line: &[u8], fields: &[String]) -> Result<Row, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|error| format!("it is no JSON object: {error}"))?;
    let mut row = Row { email: String::new(), values: vec![String::new(); fields.len()] };
    for (key, value) in object {
        let key = field_name(&key);
        let text = match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        if ADDRESS.contains(&key.as_str()) && row.email.is_empty() {
            row.email = text;
        } else if let Some(place) = fields.iter().position(|field| *field == key) {
            row.values[place] = text;
        } else {
            return Err(format!("it has a field {key:?} that the others have not"));
        }
    }
    Ok(row)
}
