//! One row of a list as it is written: a JSON object, or the values of a CSV record under the names of a header.
//! The same for files and for what comes over HTTP.
//!
//! The names of fields are made fit for a letter: lower case, `_` for what is no letter or digit. One of
//! [`ADDRESS`] is the address.

use repute_types::Address;

use super::words::Row;

/// The first of them that there is; `address` may be where somebody lives.
const ADDRESS: [&str; 7] = ["email", "e_mail", "mail", "email_address", "e_mail_address", "emailaddress", "address"];

/// A column's or member's name as a letter has it.
pub fn field_name(text: &str) -> String {
    let text: String = text.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if text.starts_with(|c: char| c.is_numeric()) { format!("_{text}") } else { text }
}

/// Which of the names is the address.
pub fn address_among(names: &[String]) -> Option<usize> {
    ADDRESS.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
}

/// Why a file is no list at all, by its first octets: spreadsheets save such unless they are told otherwise.
pub fn no_list(octets: &[u8]) -> Option<&'static str> {
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| octets.starts_with(mark));
    if begins(&[b"\xff\xfe", b"\xfe\xff"]) {
        return Some("the list is in UTF-16: save it as CSV in UTF-8");
    }
    begins(&[b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
        .then_some("this is a workbook or packed, and no list: save it as CSV in UTF-8")
}

/// What separates columns, by the header row: where it has no comma, a semicolon or a tab, which spreadsheets of many
/// countries write.
pub fn separator(header: &[u8]) -> u8 {
    let common = [b',', b';', b'\t'];
    common.into_iter().find(|separator| header.contains(separator)).unwrap_or(b',')
}

/// What separates columns where the first line of a list says so and nothing else, `sep=;`, for Excel: that, and the octets of the
/// line with its end. It is no row.
pub fn said_separator(list: &[u8]) -> Option<(u8, usize)> {
    let end = list.iter().position(|octet| matches!(octet, b'\r' | b'\n')).unwrap_or(list.len());
    let (line, rest) = list.split_at(end);
    let said = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, separator) = said.split_at_checked(4)?;
    let &[separator] = separator else { return None };
    let can_be_one = separator == b'\t' || (separator.is_ascii_punctuation() && separator != b'"');
    let ends = if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) };
    (name.eq_ignore_ascii_case(b"sep=") && can_be_one).then_some((separator, end + ends))
}

/// How many rows a field has swallowed, in which a quote was opened and not closed: lines in it that are rows themselves.
fn swallowed(value: &str, separator: char, columns: usize) -> usize {
    let is_row = |line: &&str| {
        let values: Vec<&str> = line.split(separator).map(str::trim).collect();
        values.len() == columns && values.iter().any(|value| value.contains('@') && Address::parse(value).is_ok())
    };
    value.lines().skip(1).filter(is_row).count()
}

/// Why a row is none, of which a field swallowed others; `None` where none did.
pub fn unclosed<'a>(mut values: impl Iterator<Item = &'a str>, separator: char, columns: usize) -> Option<String> {
    let rows = values.find_map(|value| Some(swallowed(value, separator, columns)).filter(|rows| *rows > 0))?;
    Some(format!("a quote in it is not closed, and {rows} of the rows after it are taken for its text: close it"))
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
            return Err(format!("it has a field {key:?}, which is none of the list's: {}", fields.join(", ")));
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_is_not_closed_is_told_from_text_of_several_lines() {
        let check = |value: &str, rows: usize| assert_eq!(swallowed(value, ',', 2), rows, "{value}");
        check("open\na@b.example,A\r\nc@b.example,C\n", 2);
        check("Ann\nwrite to a@b.example, or call\nthank you, Ann", 0);
        check("a@b.example,A", 0);
    }

    #[test]
    fn the_first_line_may_say_what_separates_columns() {
        let check = |list: &str, said| assert_eq!(said_separator(list.as_bytes()), said, "{list:?}");
        check("sep=;\r\nemail;name\r\n", Some((b';', 7)));
        check("SEP=|\nemail|name", Some((b'|', 6)));
        check("\"sep=,\"\remail", Some((b',', 8)));
        check("sep=\t", Some((b'\t', 5)));
        for list in ["sep=", "sep=;;\n", "sep=a\n", "sep=\"\n", "sep;\n", "email;sep=;\n", "\nsep=;\n", "", "sep"] {
            check(list, None);
        }
    }

    /// A list with `E-Mail` and where people live was read by the latter, and one of `Email Address` had no address.
    #[test]
    fn the_address_is_found_among_the_names_that_lists_have() {
        for (header, expected) in [
            ("Address,Name,E-Mail", Some(2)),
            ("Mail,Address", Some(0)),
            ("First Name,Email Address", Some(1)),
            ("EMAIL_ADDRESS,Email", Some(1)),
            ("EmailAddress", Some(0)),
            ("E-mail address", Some(0)),
            ("name,address", Some(1)),
            ("name,mailing", None),
        ] {
            let names: Vec<String> = header.split(',').map(field_name).collect();
            assert_eq!(address_among(&names), expected, "{header}");
        }
    }

    #[test]
    fn columns_are_separated_as_the_header_has_it() {
        for (header, separator) in
            [("email,name", b','), ("email;name", b';'), ("email\tname", b'\t'), ("email", b','), ("a;b,c", b',')]
        {
            assert_eq!(super::separator(header.as_bytes()), separator, "{header}");
        }
    }
}
