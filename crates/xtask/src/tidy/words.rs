//! Words that belong to somebody's machine and not into the repository.

use super::File;
use crate::Fault;

/// Each in two pieces, so that this file does not hold it.
const WORDS: &[(&str, &str, &str)] = &[
    ("/wo", "rk/", "a path of one machine"),
    ("/home", "/", "a path of one machine"),
    ("/Users", "/", "a path of one machine"),
    ("static.cra", "tes.io", "a registry's host"),
    ("index.cra", "tes.io", "a registry's host"),
    ("registry.npm", "js.org", "a registry's host"),
    ("py", "pi.org", "a registry's host"),
    ("proxy.go", "lang.org", "a registry's host"),
    ("<<<<", "<<<", "an unfinished merge"),
    (">>>>", ">>>", "an unfinished merge"),
];

pub fn check(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Mail of strangers is kept as it came.
    for file in files.iter().filter(|file| !file.name.ends_with(".eml")) {
        for (one, two, what) in WORDS {
            let word = format!("{one}{two}");
            for (index, _) in file.text.lines().enumerate().filter(|(_, l)| l.contains(&word)) {
                faults.push(Fault::new(
                    &file.name,
                    index + 1,
                    format!("\"{word}\" is {what}"),
                    "say it without, or take it from the environment",
                ));
            }
        }
    }
    faults
}
