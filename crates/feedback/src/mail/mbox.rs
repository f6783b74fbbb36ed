//! Files of mail as people keep them: one message, or several behind lines that begin with `From ` (mbox).

/// Messages of one file.
const MESSAGES: usize = 10_000;

/// The messages of a file, each with its `From ` line; the whole file where it is no mbox. A line of text that begins with
/// `From ` is told from a delimiter by what stands before it (nothing, or it ends in a time and a year) and behind it (a
/// field).
pub(crate) fn messages(octets: &[u8]) -> Vec<&[u8]> {
    if !octets.starts_with(b"From ") {
        return vec![octets];
    }
    let (mut messages, mut start) = (Vec::new(), 0);
    for place in memchr::memmem::find_iter(octets, b"\nFrom ").map(|place| place + 1) {
        if messages.len() + 1 < MESSAGES && is_delimiter(octets, place) {
            messages.push(&octets[start..place]);
            start = place;
        }
    }
    messages.push(&octets[start..]);
    messages
}

fn is_delimiter(octets: &[u8], place: usize) -> bool {
    let before = &octets[..place];
    let is_after_nothing = before.ends_with(b"\n\n") || before.ends_with(b"\r\n\r\n");
    let Some(line_end) = memchr::memchr(b'\n', &octets[place..]) else { return false };
    let next = &octets[place + line_end + 1..];
    let name = &next[..next.iter().take(80).position(|b| *b == b':').unwrap_or_default()];
    let line = octets[place..place + line_end].trim_ascii_end();
    let year = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_dated = year == 4 && line.iter().filter(|b| **b == b':').count() >= 2;
    (is_after_nothing || is_dated) && !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_mail_is_cut_where_messages_begin() {
        let two = b"From a Thu\nSubject: one\n\nFrom here to there\n\nFrom now on, all is well\n\nFrom b Fri\nSubject: two\n\nx\n";
        assert_eq!(messages(two).len(), 2);
        let cut_short =
            b"From a Thu\nSubject: one\n\nx\nFrom b@c.example Fri Jan  2 03:04:05 2026\nSubject: two\n\nx\n";
        assert_eq!(messages(cut_short).len(), 2);
        assert!(messages(two)[1].starts_with(b"From b"));
        let one = b"Subject: one\n\nx\n\nFrom b Fri\nSubject: two\n";
        assert_eq!(messages(one), [&one[..]]);
    }
}
