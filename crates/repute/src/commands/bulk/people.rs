//! The list as a file: CSV (RFC 4180) with a header row, its columns separated by commas, semicolons or tabs, JSON lines, or a JSON array of objects. Read row by row, as often as it
//! is needed, so that a million rows are never in memory.
//!
//! Names and rows are as `repute_engine::bulk::rows` has them. A mark of UTF-8 at the beginning is passed over.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use repute_engine::bulk::array::Flat;
use repute_engine::bulk::rows::{address_among, field_name, no_list, of_json, said_separator, separator, unclosed};
use repute_engine::bulk::words::Row;

pub struct People {
    fields: Vec<String>,
    rows: Rows,
}

enum Rows {
    Csv {
        reader: Box<csv::Reader<Seen>>,
        address: usize,
        separator: u8,
        /// Of the file, before what the reader of CSV got.
        lines_before: u64,
    },
    Lines {
        reader: BufReader<Flat<File>>,
        /// Of an array, the object.
        line: u64,
    },
}

/// Octets of the header row that are looked at for what separates its columns.
const HEADER: u64 = 64 * 1024;

/// A row, or why it is none, and the line of the file that it begins in, as an editor counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub line: u64,
    pub row: Result<Row, String>,
}

impl People {
    pub fn open(path: &Path) -> anyhow::Result<People> {
        let in_file = || format!("{}", path.display());
        let mut file = File::open(path).with_context(in_file)?;
        let mut mark = [0; 64];
        let length = file.read(&mut mark).with_context(in_file)?;
        let marked = mark[..length].starts_with(b"\xef\xbb\xbf");
        if let Some(why) = no_list(&mark[..length]) {
            bail!("{}: {why}", path.display());
        }
        file.seek(std::io::SeekFrom::Start(if marked { 3 } else { 0 })).with_context(in_file)?;
        let lines = path.extension().is_some_and(|e| e == "jsonl" || e == "ndjson") || is_json(&mark[..length]);
        if lines { People::of_lines(file, path) } else { People::of_csv(file, path) }
    }

    fn of_csv(mut file: File, path: &Path) -> anyhow::Result<People> {
        let start = file.stream_position()?;
        let mut header = Vec::new();
        BufReader::new(std::io::Read::by_ref(&mut file).take(HEADER)).read_until(b'\n', &mut header)?;
        let said = said_separator(&header);
        let passed = said.map_or(0, |(_, octets)| octets as u64);
        file.seek(std::io::SeekFrom::Start(start + passed))?;
        let separator = said.map_or_else(|| separator(&header), |(separator, _)| separator);
        let lines_before = u64::from(said.is_some());
        let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(separator).from_reader(Seen::of(file));
        let names: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(field_name).collect(),
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                bail!("{}: the first row is not in UTF-8: save the list as CSV in UTF-8", path.display())
            }
            Err(error) => bail!("{}: the first row cannot be read: {error}", path.display()),
        };
        let address = address_of(&names, path)?;
        let mut fields = names;
        fields.remove(address);
        once(&fields, path)?;
        Ok(People { fields, rows: Rows::Csv { reader: Box::new(reader), address, separator, lines_before } })
    }

    /// The fields are those of the first line.
    fn of_lines(mut file: File, path: &Path) -> anyhow::Result<People> {
        let start = file.stream_position()?;
        let mut first = String::new();
        BufReader::new(Flat::of(&mut file)).read_line(&mut first)?;
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&first).with_context(|| format!("{}: line 1 is no JSON object", path.display()))?;
        let names: Vec<String> = object.keys().map(|key| field_name(key)).collect();
        let address = address_of(&names, path)?;
        let mut fields = names;
        fields.remove(address);
        once(&fields, path)?;
        file.seek(std::io::SeekFrom::Start(start))?;
        Ok(People { fields, rows: Rows::Lines { reader: BufReader::new(Flat::of(file)), line: 0 } })
    }

    /// Without the address.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self) -> anyhow::Result<Option<Read>> {
        match &mut self.rows {
            Rows::Csv { reader, address, separator, lines_before } => {
                let mut record = csv::StringRecord::new();
                let mut read = reader.read_record(&mut record);
                // Spreadsheets leave rows of empty cells behind; lines without any are passed over by the reader.
                while matches!(read, Ok(true)) && record.iter().all(|value| value.trim().is_empty()) {
                    read = reader.read_record(&mut record);
                }
                let (at, row) = match read {
                    Ok(false) => return Ok(None),
                    Ok(true) => {
                        let row = row_of(&record, *address, self.fields.len() + 1, char::from(*separator));
                        (record.position().cloned(), row)
                    }
                    Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                        (error.position().cloned(), Err("it is not in UTF-8: save the list as UTF-8".into()))
                    }
                    Err(error) => return Err(error.into()),
                };
                let line = at.map_or(0, |at| *lines_before + at.line() + reader.get_mut().line_ends_at(at.byte()));
                Ok(Some(Read { line, row }))
            }
            Rows::Lines { reader, line } => {
                let mut octets = Vec::new();
                loop {
                    octets.clear();
                    reader.read_until(b'\n', &mut octets)?;
                    *line += 1;
                    match octets.trim_ascii() {
                        [] if octets.is_empty() => return Ok(None),
                        [] => {}
                        object => return Ok(Some(Read { line: *line, row: of_json(object, &self.fields) })),
                    }
                }
            }
        }
    }
}

/// A file as it is read, with the octets of it that are not part of a row yet. The reader of CSV says where it began to look for
/// a row: that may be in the middle of a line end, and before empty lines.
struct Seen {
    file: File,
    octets: VecDeque<u8>,
    /// Octets before these.
    before: u64,
}

impl Seen {
    fn of(file: File) -> Seen {
        Seen { file, octets: VecDeque::new(), before: 0 }
    }

    /// Line ends that stand at a place, one after another. What is before it is forgotten.
    fn line_ends_at(&mut self, place: u64) -> u64 {
        let passed = usize::try_from(place.saturating_sub(self.before)).unwrap_or(usize::MAX).min(self.octets.len());
        self.octets.drain(..passed);
        self.before += passed as u64;
        let ends = self.octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n'));
        ends.filter(|octet| **octet == b'\n').count() as u64
    }
}

impl std::io::Read for Seen {
    fn read(&mut self, octets: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(octets)?;
        self.octets.extend(&octets[..read]);
        Ok(read)
    }
}

fn row_of(record: &csv::StringRecord, address: usize, columns: usize, separator: char) -> Result<Row, String> {
    if let Some(why) = unclosed(record.iter(), separator, columns) {
        return Err(why);
    }
    if record.len() != columns {
        return Err(format!("it has {} columns where the first row has {columns}", record.len()));
    }
    let mut values: Vec<String> = record.iter().map(|value| value.trim().to_owned()).collect();
    let email = values.remove(address);
    Ok(Row { email, values })
}

/// Whatever the file is called.
fn is_json(octets: &[u8]) -> bool {
    let text = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets).trim_ascii_start();
    let inside = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    inside.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
}

fn address_of(names: &[String], path: &Path) -> anyhow::Result<usize> {
    address_among(names)
        .with_context(|| format!("{}: no column is called `email`: the first row must name the fields", path.display()))
}

fn once(fields: &[String], path: &Path) -> anyhow::Result<()> {
    for (n, field) in fields.iter().enumerate() {
        if field.is_empty() || fields[..n].contains(field) {
            bail!("{}: each column needs a name of its own in the first row, and {field:?} is none", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(name: &str, octets: &[u8]) -> (Vec<String>, Vec<Read>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, octets).unwrap();
        let mut people = People::open(&path).unwrap();
        let rows = std::iter::from_fn(|| people.next().unwrap()).collect();
        (people.fields().to_vec(), rows)
    }

    fn read(name: &str, octets: &[u8]) -> (Vec<String>, Vec<Result<Row, String>>) {
        let (fields, rows) = all(name, octets);
        (fields, rows.into_iter().map(|read| read.row).collect())
    }

    /// A spreadsheet's rows were counted for all files, so that what JSON lines said was one too high, and a line end in a
    /// quote or an empty line moved all after it.
    #[test]
    fn a_row_is_at_the_line_that_an_editor_shows() {
        let lines = |name: &str, text: &[u8]| all(name, text).1.iter().map(|read| read.line).collect::<Vec<_>>();
        assert_eq!(lines("p.csv", b"email,name\na@a.example,\"A\nA\"\nb@a.example,B\n"), [2, 4]);
        assert_eq!(lines("p.csv", b"\xef\xbb\xbfemail,name\r\na@a.example,A\r\nb@a.example,\xfc\r\nx\r\n"), [2, 3, 4]);
        assert_eq!(lines("p.csv", b"email,name\na@a.example,A\n\n\nb@a.example,B"), [2, 5]);
        assert_eq!(lines("p.csv", b"email,name\r\n\r\na@a.example,\"A\r\n\r\n\"\r\nb@a.example,B"), [3, 6]);
        // Rows of empty cells, as spreadsheets leave them, were told as rows without an address.
        assert_eq!(lines("p.csv", b"email;name\r\na@a.example;A\r\n;\r\n; \r\nb@a.example;B\r\n;\r\n"), [2, 5]);
        // A line that is for Excel alone was taken for the header row.
        assert_eq!(lines("p.csv", b"\xef\xbb\xbfsep=;\r\nemail;name\r\na@a.example;A\r\n\r\nb@a.example;B"), [3, 5]);
        let many = (0..20_000).map(|n| format!("a{n}@a.example,A\r\n")).collect::<String>();
        assert!(lines("p.csv", format!("email,name\r\n{many}").as_bytes()).into_iter().eq(2..20_002));
        assert_eq!(lines("p.jsonl", b"{\"email\":\"a@a.example\"}\nx\n"), [1, 2]);
        assert_eq!(lines("p.jsonl", b"{\"email\":\"a@a.example\"}\n\n \r\nx\n\n"), [1, 4]);
    }

    fn row(email: &str, value: &str) -> Result<Row, String> {
        Ok(Row { email: email.into(), values: vec![value.into()] })
    }

    #[test]
    fn a_spreadsheet_is_read_as_it_was_saved() {
        let (fields, rows) = read(
            "p.csv",
            "\u{feff}First Name,E-Mail\r\n\"Lee, Ann\",ann@a.example\r\nBöb, bob@a.example\r\nx\r\n".as_bytes(),
        );
        assert_eq!(fields, ["first_name"]);
        assert_eq!(rows[..2], [row("ann@a.example", "Lee, Ann"), row("bob@a.example", "Böb")]);
        assert!(rows[2].as_ref().is_err_and(|text| text.contains("1 columns where the first row has 2")));
        let (_, rows) = read("p.csv", b"email,name\na@a.example,J\xfcrgen\nb@a.example,B\n");
        assert!(rows[0].is_err() && rows[1] == row("b@a.example", "B"));
    }

    #[test]
    fn columns_may_be_separated_by_semicolons_or_tabs() {
        for text in [
            "\u{feff}email;name\r\na@a.example;\"Lee; Ann\"\r\n",
            "\u{feff}sep=;\r\nemail;name\r\na@a.example;\"Lee; Ann\"\r\n",
            "sep=|\nemail|name\na@a.example|Lee; Ann\n",
            "email\tname\na@a.example\tLee; Ann",
        ] {
            assert_eq!(read("p.csv", text.as_bytes()), (vec!["name".to_owned()], vec![row("a@a.example", "Lee; Ann")]));
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_swallows_no_rows_in_silence() {
        let (_, rows) = read("p.csv", b"email,name\na@a.example,\"A\nb@a.example,B\nc@a.example,C\n");
        assert!(
            rows.len() == 1 && rows[0].as_ref().is_err_and(|why| why.contains("2 of the rows after it")),
            "{rows:?}"
        );
        let (_, rows) = read("p.csv", b"email,name\na@a.example,\"A\nB\"\nb@a.example,B\n");
        assert_eq!(rows, [row("a@a.example", "A\nB"), row("b@a.example", "B")]);
    }

    #[test]
    fn a_list_in_utf_16_is_called_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.csv");
        std::fs::write(&path, b"\xff\xfee\0m\0").unwrap();
        assert!(People::open(&path).err().unwrap().to_string().contains("UTF-16"));
    }

    /// It was told as a list without a column `email`.
    #[test]
    fn a_workbook_is_called_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.csv");
        for octets in [&b"PK\x03\x04\x14\0"[..], b"\xd0\xcf\x11\xe0\xa1"] {
            std::fs::write(&path, octets).unwrap();
            assert!(People::open(&path).err().unwrap().to_string().contains("save it as CSV in UTF-8"));
        }
    }

    #[test]
    fn json_lines_are_rows() {
        let (fields, rows) =
            read("p.jsonl", b"{\"email\":\"a@a.example\",\"n\":1}\n{\"n\":null,\"email\":\"b@a.example\"}\nx\n");
        assert_eq!(fields, ["n"]);
        assert_eq!(rows[..2], [row("a@a.example", "1"), row("b@a.example", "")]);
        assert!(rows[2].is_err());
    }

    /// It was told as a list without a column `email`.
    #[test]
    fn an_array_of_objects_is_a_list() {
        let array =
            b"[\n  {\"email\": \"a@a.example\",\n   \"n\": \"x, ]\"},\n  {\"n\": 2, \"email\": \"b@b.example\"}\n]\n";
        for name in ["p.json", "p.jsonl", "p.txt"] {
            let (fields, rows) = read(name, array);
            assert_eq!(
                (fields, rows),
                (vec!["n".to_owned()], vec![row("a@a.example", "x, ]"), row("b@b.example", "2")])
            );
        }
    }
}
