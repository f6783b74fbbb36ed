//! Rules of the house that the compiler does not hold.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::{Fault, floors, generate};

mod code;
mod manifest;
mod paths;
mod rfcs;
mod sources;
mod words;

/// A text file of the repository.
pub struct File {
    /// Relative to the root, with slashes.
    pub name: String,
    pub text: String,
}

/// Everything that is not tidy.
pub fn run(root: &Path) -> anyhow::Result<Vec<Fault>> {
    let files = files(root)?;
    let mut faults = floors::check(&floors::crates(root)?);
    faults.extend(generate::architecture(root, generate::Mode::Check)?);
    faults.extend(sources::check(&files));
    faults.extend(manifest::check(&files));
    faults.extend(rfcs::check(&files)?);
    faults.extend(words::check(&files));
    faults.extend(paths::check(root, &files));
    faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(faults)
}

/// Every text file that is committed or about to be.
fn files(root: &Path) -> anyhow::Result<Vec<File>> {
    let list = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("git ls-files: tidy needs git, in a checkout")?;
    anyhow::ensure!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr).trim());
    let mut files = Vec::new();
    for name in String::from_utf8(list.stdout)?.split_terminator('\0') {
        // What git lists may have been deleted; what is not UTF-8 is data, not text.
        if let Ok(text) = std::fs::read_to_string(root.join(name)) {
            files.push(File { name: name.to_owned(), text });
        }
    }
    files.dedup_by(|a, b| a.name == b.name);
    Ok(files)
}

#[cfg(test)]
fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), text: text.to_owned() }
}
