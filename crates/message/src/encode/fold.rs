//! Writing header fields in lines of at most 78 octets where words allow it (RFC 5322 §2.1.1,
//! §2.2.3), and never over 998.

pub struct Folder {
    out: String,
    column: usize,
}

const WIDTH: usize = 78;

impl Folder {
    /// Begins with the field's name and colon.
    pub fn field(name: &str) -> Folder {
        let mut folder = Folder { out: String::with_capacity(128), column: 0 };
        folder.glue(name);
        folder.glue(":");
        folder
    }

    /// A word with the blanks before it; a line is folded before the blanks.
    pub fn word(&mut self, blanks: &str, word: &str) {
        if self.column > 1 && self.column + blanks.len() + word.len() > WIDTH && !self.at_name() {
            self.out.push_str("\r\n");
            self.column = 0;
        }
        self.glue(blanks);
        self.glue(word);
    }

    /// What belongs to the word before.
    pub fn glue(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
    }

    /// What is left in this line for a word and the blank before it.
    pub fn room(&self) -> usize {
        WIDTH.saturating_sub(self.column + 1)
    }

    /// The field with its line end.
    pub fn finish(mut self) -> String {
        self.out.push_str("\r\n");
        self.out
    }

    /// Nothing but the name stands there: a fold now would leave a line without a value, which
    /// some receivers take for an empty field.
    fn at_name(&self) -> bool {
        self.out.len() == self.column && self.out.ends_with(':')
    }
}

/// Unstructured ASCII text, or a list of words: blanks are kept, lines folded at them.
pub fn unstructured(folder: &mut Folder, text: &str) {
    for (blanks, word) in words_of(text) {
        folder.word(if blanks.is_empty() { " " } else { blanks }, word);
    }
}

/// The text with a blank in every word that no line could hold.
pub fn breakable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c == ' ' { 0 } else { run + c.len_utf8() };
        if run > 900 {
            out.push(' ');
            run = 0;
        }
        out.push(c);
    }
    out
}

/// Words, each with the blanks before it. Blanks at the end are left out.
pub fn words_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_blank = |c: char| matches!(c, ' ' | '\t');
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(|c| !is_blank(c))?;
        let end = rest[start..].find(is_blank).map_or(rest.len(), |i| start + i);
        let found = (&rest[..start], &rest[start..end]);
        rest = &rest[end..];
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_before_blanks() {
        let mut folder = Folder::field("Subject");
        unstructured(&mut folder, &"word ".repeat(20));
        let expect = format!("Subject: {}\r\n {}\r\n", ["word"; 14].join(" "), ["word"; 6].join(" "));
        assert_eq!(folder.finish(), expect);
        let mut folder = Folder::field("Subject");
        let long = "x".repeat(100);
        unstructured(&mut folder, &format!("{long} a  b"));
        assert_eq!(folder.finish(), format!("Subject: {long}\r\n a  b\r\n"));
    }
}
