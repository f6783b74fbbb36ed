//! A list that comes in piece by piece, as rows: JSON lines or an array, or CSV (RFC 4180) with a header row that names the
//! fields and shows what separates columns.
//!
//! Promise: no more than one row is kept beside the piece that is read. A row that cannot be one of the list is
//! told with the reason and the rest goes on; a list that cannot be one (no header, a row without an end) ends.

use csv_core::ReadRecordResult;
use repute_engine::bulk::array::{Array, CUT_OFF};
use repute_engine::bulk::rows::{address_among, field_name, no_list, of_json, said_separator, separator, unclosed};
use repute_engine::bulk::words::Row;

/// Octets of one row at most: 16 KiB of fields, and what stands around them.
const LONGEST: usize = 64 * 1024;
/// More than a campaign has fields.
const COLUMNS: usize = 100;
/// With which some programs begin a file in UTF-8.
const MARK: &[u8; 3] = b"\xef\xbb\xbf";

/// A row, or why it is none.
pub(crate) type Read = Result<Row, String>;

pub(crate) enum Rows {
    Lines(Lines),
    Csv(Box<Csv>),
}

impl Rows {
    /// `fields` are those of the campaign.
    pub fn lines(fields: Vec<String>) -> Rows {
        Rows::Lines(Lines { fields, line: Vec::new(), array: Array::default(), has_to_be: false })
    }

    /// One array of objects, and nothing else.
    pub fn array(fields: Vec<String>) -> Rows {
        Rows::Lines(Lines { fields, line: Vec::new(), array: Array::default(), has_to_be: true })
    }

    pub fn csv(fields: Vec<String>) -> Rows {
        let (record, ends) = (vec![0; LONGEST], vec![0; COLUMNS]);
        let (head, reader) = (Some(Vec::new()), csv_core::Reader::new());
        Rows::Csv(Box::new(Csv {
            fields,
            head,
            separator: b',',
            is_said: false,
            reader,
            record,
            ends,
            at: (0, 0),
            columns: None,
        }))
    }

    /// Reads on in a piece, to the end of a row; takes what it read off the piece. `None`: the row goes on in
    /// the next one.
    pub fn next(&mut self, piece: &mut &[u8]) -> Result<Option<Read>, String> {
        match self {
            Rows::Lines(lines) => lines.next(piece),
            Rows::Csv(csv) => csv.next(piece),
        }
    }

    /// Whether what is read is still the row that names the fields.
    pub fn is_at_header(&self) -> bool {
        matches!(self, Rows::Csv(csv) if csv.columns.is_none())
    }

    /// The last row, where no line end stood after it.
    pub fn end(&mut self) -> Result<Option<Read>, String> {
        match self {
            Rows::Lines(lines) => lines.end(),
            Rows::Csv(csv) => csv.end(),
        }
    }
}

fn too_long() -> String {
    format!("it is longer than {} KiB or has no end: is there a quote that is not closed?", LONGEST >> 10)
}

fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(MARK).unwrap_or(octets)
}

pub(crate) struct Lines {
    fields: Vec<String>,
    line: Vec<u8>,
    array: Array,
    has_to_be: bool,
}

const NO_ARRAY: &str = "it is no JSON array of objects: send one, or an object a line as application/x-ndjson";

impl Lines {
    fn next(&mut self, piece: &mut &[u8]) -> Result<Option<Read>, String> {
        while let (false, Some((octet, rest))) = (self.array.is_none(), piece.split_first()) {
            *piece = rest;
            match self.array.line(*octet) {
                b'\n' => match self.take() {
                    None => {}
                    read => return Ok(read),
                },
                octet => self.add(&[octet])?,
            }
        }
        if self.has_to_be && self.array.is_none() {
            return Err(NO_ARRAY.into());
        }
        while let Some(end) = piece.iter().position(|b| *b == b'\n') {
            self.add(&piece[..end])?;
            *piece = &piece[end + 1..];
            if let Some(read) = self.take() {
                return Ok(Some(read));
            }
        }
        self.add(piece)?;
        *piece = &[];
        Ok(None)
    }

    fn end(&mut self) -> Result<Option<Read>, String> {
        match self.take() {
            _ if self.has_to_be && !self.array.has_begun() => Err(NO_ARRAY.into()),
            None if !self.array.may_end() => Err(CUT_OFF.into()),
            read => Ok(read),
        }
    }

    fn add(&mut self, octets: &[u8]) -> Result<(), String> {
        if self.line.len() + octets.len() > LONGEST {
            return Err(too_long());
        }
        self.line.extend_from_slice(octets);
        Ok(())
    }

    /// The line; empty ones are none.
    fn take(&mut self) -> Option<Read> {
        let line = without_mark(&self.line).trim_ascii();
        let read = (!line.is_empty()).then(|| of_json(line, &self.fields));
        self.line.clear();
        read
    }
}

pub(crate) struct Csv {
    fields: Vec<String>,
    /// The first line until it has ended: it says what separates columns.
    head: Option<Vec<u8>>,
    separator: u8,
    /// A line before that one said so.
    is_said: bool,
    reader: csv_core::Reader,
    record: Vec<u8>,
    ends: Vec<usize>,
    /// How far both are filled.
    at: (usize, usize),
    /// From the header row: for each column its place among the fields; `None` is the address.
    columns: Option<Vec<Option<usize>>>,
}

impl Csv {
    fn next(&mut self, piece: &mut &[u8]) -> Result<Option<Read>, String> {
        self.read_head(piece)?;
        while !piece.is_empty() {
            if let Some(read) = self.record(piece)? {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    /// The first line that is not empty, in however many pieces it comes.
    fn read_head(&mut self, piece: &mut &[u8]) -> Result<(), String> {
        while let (Some(head), false) = (&mut self.head, piece.is_empty()) {
            let end = piece.iter().position(|b| matches!(b, b'\r' | b'\n'));
            let (line, rest) = piece.split_at(end.unwrap_or(piece.len()));
            if head.len() + line.len() > LONGEST {
                return Err(too_long());
            }
            head.extend_from_slice(line);
            *piece = rest;
            if let Some((_, after)) = rest.split_first() {
                if without_mark(head).trim_ascii().is_empty() {
                    head.clear();
                    *piece = after;
                } else {
                    self.begin()?;
                }
            }
        }
        Ok(())
    }

    /// The first line is whole, but for its end.
    fn begin(&mut self) -> Result<(), String> {
        let Some(head) = self.head.take() else { return Ok(()) };
        if let Some(why) = no_list(&head) {
            return Err(why.into());
        }
        let mut line = without_mark(&head);
        match said_separator(line).filter(|_| !self.is_said) {
            Some((said, _)) => {
                (self.separator, self.is_said, self.head) = (said, true, Some(Vec::new()));
                return Ok(());
            }
            None if !self.is_said => self.separator = separator(line),
            None => {}
        }
        self.reader = csv_core::ReaderBuilder::new().delimiter(self.separator).build();
        while !line.is_empty() {
            self.record(&mut line)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Option<Read>, String> {
        self.begin()?;
        self.record(&mut &[][..])
    }

    /// Reads on in a record; an empty piece is the end of all.
    fn record(&mut self, piece: &mut &[u8]) -> Result<Option<Read>, String> {
        let (octets, ends) = self.at;
        let (result, read, written, ended) =
            self.reader.read_record(piece, &mut self.record[octets..], &mut self.ends[ends..]);
        *piece = &piece[read..];
        self.at = (octets + written, ends + ended);
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => Ok(None),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => Err(too_long()),
            ReadRecordResult::Record => {
                let count = std::mem::take(&mut self.at).1;
                let values = self.values(count);
                match (&self.columns, values) {
                    // Spreadsheets leave rows of empty cells behind; lines without any are passed over by the reader.
                    (Some(_), Ok(values)) if values.iter().all(String::is_empty) => Ok(None),
                    (Some(columns), values) => Ok(Some(values.and_then(|values| self.row(columns, values)))),
                    (None, values) => {
                        self.columns = Some(self.header(&values?)?);
                        Ok(None)
                    }
                }
            }
        }
    }

    fn values(&self, count: usize) -> Result<Vec<String>, String> {
        let mut begin = 0;
        let mut values = Vec::with_capacity(count);
        for end in &self.ends[..count] {
            let value = std::str::from_utf8(&self.record[begin..*end])
                .map_err(|_| "it is not in UTF-8: save the list as UTF-8".to_owned())?;
            values.push(value.trim().to_owned());
            begin = *end;
        }
        Ok(values)
    }

    fn header(&self, names: &[String]) -> Result<Vec<Option<usize>>, String> {
        let names: Vec<String> = names.iter().map(|name| field_name(name)).collect();
        let address = address_among(&names).ok_or(
            "no column is called `email`: the first row must name the fields, with commas (or all semicolons, or tabs) between them".to_owned(),
        )?;
        let place = |(n, name): (usize, &String)| match n == address {
            true => Ok(None),
            false if names[..n].contains(name) => Err(format!("two columns are called {name:?}")),
            false => match self.fields.iter().position(|field| field == name) {
                Some(place) => Ok(Some(place)),
                None => Err(format!("the campaign has no field {name:?}: take the column out, or begin with it")),
            },
        };
        names.iter().enumerate().map(place).collect()
    }

    fn row(&self, columns: &[Option<usize>], values: Vec<String>) -> Read {
        if let Some(why) = unclosed(values.iter().map(String::as_str), self.separator.into(), columns.len()) {
            return Err(why);
        }
        if values.len() != columns.len() {
            return Err(format!("it has {} columns where the first row has {}", values.len(), columns.len()));
        }
        let mut row = Row { email: String::new(), values: vec![String::new(); self.fields.len()] };
        for (column, value) in columns.iter().zip(values) {
            match column {
                Some(place) => row.values[*place] = value,
                None => row.email = value,
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows, whatever pieces the list comes in.
    fn read(make: impl Fn(Vec<String>) -> Rows, text: &str) -> Result<Vec<String>, String> {
        let one = |size: usize| {
            let mut rows = make(vec!["name".into(), "plan".into()]);
            let mut found = Vec::new();
            for mut piece in text.as_bytes().chunks(size) {
                while let Some(row) = rows.next(&mut piece)? {
                    found.push(row);
                }
                assert!(piece.is_empty());
            }
            while let Some(row) = rows.end()? {
                found.push(row);
            }
            let told =
                |read: Read| read.map_or_else(|why| why, |row| format!("{}|{}", row.email, row.values.join("|")));
            Ok(found.into_iter().map(told).collect::<Vec<_>>())
        };
        let whole = one(100_000);
        for size in [1, 2, 3, 7] {
            assert_eq!(one(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn a_list_of_csv_is_rows_in_whatever_pieces_it_comes() {
        let check = |text: &str, expect: &[&str]| assert_eq!(read(Rows::csv, text).unwrap(), expect, "{text}");
        check(
            "E-Mail,Name\r\na@a.test,Ann\r\nb@b.test,\"B, \"\"Bob\"\"\nJr\"",
            &["a@a.test|Ann|", "b@b.test|B, \"Bob\"\nJr|"],
        );
        check("\u{feff}plan,email,name\ngold,a@a.test,Ann\n\n", &["a@a.test|Ann|gold"]);
        check("email,name\na@a.test\n", &["it has 1 columns where the first row has 2"]);
        check("email\n", &[]);
        check(
            "email,name\na@a.test,\"A\nb@a.test,B\n",
            &["a quote in it is not closed, and 1 of the rows after it are taken for its text: close it"],
        );
        check("email;name\na@a.test;\"Smith, Ann\"\n", &["a@a.test|Smith, Ann|"]);
        check("\u{feff}\r\n\r\nname\temail\r\nAnn\ta@a.test", &["a@a.test|Ann|"]);
        // A line that is for Excel alone was taken for the header row.
        check("\u{feff}sep=;\r\nemail;name\r\na@a.test;\"Smith, Ann\"\r\n", &["a@a.test|Smith, Ann|"]);
        check("sep=|\nname|email\nA;B|a@a.test", &["a@a.test|A;B|"]);
        check("sep=;\r\n", &[]);
        check("sep=;", &[]);
        check("\u{feff}", &[]);
        // Rows of empty cells, as spreadsheets leave them, were told as rows without an address.
        check("email;name\r\n;\r\na@a.test;Ann\r\n;\r\n; ", &["a@a.test|Ann|"]);
        check("\u{feff}\"email\"\na@a.test\n", &["a@a.test||"]);
        let fails = |text: &str, expect: &str| assert_eq!(read(Rows::csv, text).unwrap_err(), expect, "{text}");
        let no_address = "no column is called `email`: the first row must name the fields, with commas (or all semicolons, \
                          or tabs) between them";
        fails("name\nx\n", no_address);
        fails("email,age\n", "the campaign has no field \"age\": take the column out, or begin with it");
        fails("email,name,Name\n", "two columns are called \"name\"");
        let endless = format!("email\n\"{}", "x\n".repeat(40_000));
        assert!(read(Rows::csv, &endless).unwrap_err().contains("64 KiB"));
    }

    #[test]
    fn lines_of_json_are_rows() {
        let check = |text: &str, expect: &[&str]| assert_eq!(read(Rows::lines, text).unwrap(), expect, "{text}");
        check(
            "{\"email\":\"a@a.test\",\"plan\":1}\n\n{\"email\":\"b@b.test\",\"name\":null}",
            &["a@a.test||1", "b@b.test||"],
        );
        check(
            "{\"email\":\"a@a.test\",\"age\":1}\r\n",
            &["it has a field \"age\", which is none of the list's: name, plan"],
        );
        // An array was refused row by row, as no objects.
        check(
            "[\n  {\"email\": \"a@a.test\",\n   \"plan\": [1, 2]},\n  {\"email\": \"b@b.test\", \"name\": \"B, ]\"}, 7\n]\n",
            &[
                "a@a.test||[1,2]",
                "b@b.test|B, ]|",
                "it is no JSON object: invalid type: integer `7`, expected a map at line 1 column 1",
            ],
        );
        for none in ["", "{}", "null", "\n"] {
            assert_eq!(read(Rows::array, none).unwrap_err(), NO_ARRAY);
        }
        assert_eq!(read(Rows::array, "[{\"email\":\"a@a.test\"}]").unwrap(), ["a@a.test||"]);
        // What had come of a list that was cut off was taken for all of it.
        for cut_off in ["[", "[{\"email\":\"a@a.test\"}", "[{\"email\":\"a@a.test\"},{\"em"] {
            assert_eq!(read(Rows::array, cut_off).unwrap_err(), CUT_OFF, "{cut_off}");
            assert_eq!(read(Rows::lines, cut_off).unwrap_err(), CUT_OFF, "{cut_off}");
        }
        assert!(read(Rows::lines, &"x".repeat(70_000)).unwrap_err().contains("64 KiB"));
        assert!(read(Rows::lines, &"[".repeat(70_000)).unwrap_err().contains("64 KiB"));
    }
}
