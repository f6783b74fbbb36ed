//! Rust files: where they stand, how they open, what they never hold, how long they are.

use super::{File, code};
use crate::Fault;

/// A file past this has taken in a second duty.
const LONGEST: usize = 500;

pub fn check(files: &[File]) -> Vec<Fault> {
    files.iter().filter(|f| f.name.ends_with(".rs")).flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |line, what: String, cure: &str| faults.push(Fault::new(&file.name, line, what, cure));
    if !file.text.starts_with("//! ") {
        fault(
            1,
            "the file does not say what it is for".to_owned(),
            "open it with //!: what, promise, how it fails, which RFC",
        );
    }
    // Of tests cargo would take `common.rs` for a program of its own.
    if file.name.starts_with("crates/") && file.name.contains("/src/") && file.name.ends_with("/mod.rs") {
        fault(0, "a module named mod.rs".to_owned(), "name it as its folder, and put it beside that");
    }
    let lines = file.text.lines().count();
    if lines > LONGEST {
        let what = format!("{lines} lines, more than {LONGEST}");
        fault(0, what, "find the second duty that has moved in, and give it a file");
    }
    for (index, line) in code::bare(&file.text).lines().enumerate() {
        let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!')).collect();
        for word in ["todo!", "unimplemented!"].iter().filter(|w| words.contains(w)) {
            fault(index + 1, format!("{word} is left"), "do it, or leave the case out and say so in the documents");
        }
        if words.contains(&"unsafe") {
            fault(index + 1, "unsafe code".to_owned(), "find the safe crate that does this");
        }
        if line.contains("#[ignore]") {
            fault(index + 1, "a test is ignored without a reason".to_owned(), "#[ignore = \"why, and how to run it\"]");
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn check_text(text: &str, expect: &[&str]) {
        let found: Vec<String> =
            check_one(&file("x.rs", text)).into_iter().map(|f| format!("{} {}", f.line, f.what)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn each_rule_is_held() {
        check_text("//! Good: no unsafe, no todo!.\nfn f() {}\n", &[]);
        check_text("fn f() {}\n", &["1 the file does not say what it is for"]);
        check_text("//! x\nfn f() { todo!() }\n", &["2 todo! is left"]);
        check_text("//! x\nlet s = \"todo!\"; // unsafe\n", &[]);
        check_text("//! x\n#![forbid(unsafe_code)]\n", &[]);
        check_text("//! x\nunsafe { f() }\n", &["2 unsafe code"]);
        check_text("//! x\n#[ignore]\n", &["2 a test is ignored without a reason"]);
        check_text("//! x\n#[ignore = \"takes an hour\"]\n", &[]);
        let module = |name: &str| check_one(&file(name, "//! x\n")).len();
        assert_eq!(["crates/a/src/b.rs", "crates/a/src/b/mod.rs", "crates/a/tests/b/mod.rs"].map(module), [0, 1, 0]);
        check_text(&format!("//! x\n{}", "\n".repeat(500)), &["0 501 lines, more than 500"]);
    }
}
