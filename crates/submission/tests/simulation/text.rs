//! What is submitted, and what of it has to arrive: every line of it, with its dot.

use super::plan::Letter;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Good,
    /// Ends of lines that are none, with another message behind them for whoever takes them for ends (smuggling).
    BareLf,
    /// A line longer than mail may have.
    LongLine,
    /// No content, but a command without an end.
    Endless,
}

const LINE: &str = ".leave the dot\r\n";

/// The content of a letter in its n-th round.
pub fn text(letter: &Letter, round: u32, kind: Text) -> Vec<u8> {
    let mut text = format!(
        "From: shop@example.com\r\nSubject: a simulated day\r\nX-Tag: {}r{round}.\r\nX-Lines: {}\r\n\r\n",
        letter.tag, letter.lines
    );
    text.push_str(&LINE.repeat(letter.lines));
    match kind {
        Text::Good | Text::Endless => {}
        Text::LongLine => text += &("x".repeat(5_000) + "\r\n"),
        Text::BareLf => {
            let ends = ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r\n", "\r\n.\r"];
            text += ends[letter.tag % ends.len()];
            text +=
                "MAIL FROM:<shop@example.com>\r\nRCPT TO:<smuggled@d0.test>\r\nDATA\r\nFrom: shop@example.com\r\n\r\n";
        }
    }
    text.into_bytes()
}

/// What is wrong with a content that arrived for this recipient.
pub fn fault(content: &str, recipient: &str) -> Option<String> {
    let tag = format!("X-Tag: {}.", recipient.split(['u', 'x']).nth(1).unwrap_or("?"));
    if !content.contains(&tag) {
        return Some("was given another's content".into());
    }
    let lines = content.lines().find_map(|line| line.strip_prefix("X-Lines: "))?;
    let arrived = content.matches(&format!("\r\n{}", LINE.trim_end())).count();
    // A long line has the text encoded, and its dots with it.
    let encoded = content.contains("Content-Transfer-Encoding:");
    (!encoded && lines.parse() != Ok(arrived)).then(|| format!("was given {arrived} of {lines} lines"))
}
