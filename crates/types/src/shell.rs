//! A word of a command that people copy from a sentence of ours into a shell.
//!
//! Names, addresses and replies in such commands are others' words: "`reboot`@a.test" is a mail address by the book
//! (RFC 5321 §4.1.2), and a shell would run what stands between its marks.

use std::fmt;

/// Displayed so that a shell takes it for one word, which stands for itself. What needs no quotes has none.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a>(pub &'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
        match !self.0.is_empty() && self.0.chars().all(plain) {
            true => f.write_str(self.0),
            false => write!(f, "'{}'", self.0.replace('\'', r"'\''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_as_one_word_that_stands_for_itself() {
        let check = |word: &str, expect: &str| assert_eq!(Word(word).to_string(), expect);
        check("ann+x@a.test", "ann+x@a.test");
        check("news/spring_2.0", "news/spring_2.0");
        check("news/spring sale", "'news/spring sale'");
        check("`touch${IFS}x`@a.test", "'`touch${IFS}x`@a.test'");
        check("shop/$(touch x)", "'shop/$(touch x)'");
        check("o'neil@a.test", r"'o'\''neil@a.test'");
        check("~root", "'~root'");
        check("hello!", "'hello!'");
        check("", "''");
        check("bücher", "'bücher'");
    }
}
