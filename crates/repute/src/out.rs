//! What commands print: text for people, JSON for programs, colours on a terminal alone.
//!
//! A reader that goes away (`repute queue list | head`) ends the output and is no error.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use repute_types::Timestamp;

use crate::log::text::is_unseen;

/// Writes to standard output.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

pub fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// A line that is shown this once: one that could not be written is an error.
pub fn secret(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{text}\n").as_bytes())?;
    stdout.flush()
}

/// Writes to standard error.
pub fn error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

pub fn json(value: &serde_json::Value) {
    line(&pretty(value));
}

pub fn pretty(value: &serde_json::Value) -> String {
    // A value without maps of strange keys always has a text.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[derive(Clone, Copy)]
pub enum Tone {
    Good,
    Warning,
    Bad,
    Strong,
    Faint,
}

/// The text in a colour, where standard output is a terminal and NO_COLOR is not set.
pub fn tone(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Warning => "33",
        Tone::Bad => "31",
        Tone::Strong => "1",
        Tone::Faint => "2",
    };
    match colours() {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    !unwanted && std::io::stdout().is_terminal()
}

/// Control characters made harmless: what a remote server said must not drive a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

/// How far an instant is from now: `in 3m`, `2h ago`, `now`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    match (at.since(now), now.since(at)) {
        (ahead, _) if ahead >= Duration::from_secs(1) => format!("in {}", short(ahead)),
        (_, behind) if behind >= Duration::from_secs(1) => format!("{} ago", short(behind)),
        _ => "now".to_owned(),
    }
}

/// A duration in its largest unit, and the next where it is small: `45s`, `3m`, `2h10m`, `4d`.
pub fn short(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 => format!("{}ms", d.as_millis()),
        1..=59 => format!("{s}s"),
        60..=3599 => format!("{}m", s / 60),
        3600..=86_399 if (s / 60).is_multiple_of(60) => format!("{}h", s / 3600),
        3600..=86_399 => format!("{}h{}m", s / 3600, (s / 60) % 60),
        _ => format!("{}d", s / 86_400),
    }
}

/// Octets as people read them: `4.1 kB`.
pub fn size(octets: u64) -> String {
    match octets {
        0..1000 => format!("{octets} B"),
        1000..1_000_000 => format!("{:.1} kB", octets as f64 / 1e3),
        _ => format!("{:.1} MB", octets as f64 / 1e6),
    }
}

/// Rows with their columns aligned; the last column is left ragged.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let render = |cells: Vec<&str>| {
        let last = cells.len().saturating_sub(1);
        let padded = cells.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| match i == last {
            true => (*cell).to_owned(),
            false => format!("{cell:width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut out = tone(&render(head.to_vec()), Tone::Strong) + "\n";
    for row in rows {
        out += &render(row.iter().map(String::as_str).collect());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let check = |secs, expect: &str| assert_eq!(short(Duration::from_secs(secs)), expect);
        check(45, "45s");
        check(200, "3m");
        check(7800, "2h10m");
        check(7200, "2h");
        check(400_000, "4d");
        let now = Timestamp(1_000_000_000);
        assert_eq!(relative(now + Duration::from_secs(90), now), "in 1m");
        assert_eq!(relative(now, now + Duration::from_secs(90)), "1m ago");
        assert_eq!(relative(now, now), "now");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = vec![vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), String::new()]];
        assert_eq!(table(&["x", "y"], &rows), "x    y\na    b\nccc\n");
    }
}
