//! A library has its reason: a comment above it, or above the row of lines that it stands in.

use super::File;
use crate::Fault;

/// The root manifest's `[workspace.dependencies]`, except the house's own crates.
pub fn check(files: &[File]) -> Vec<Fault> {
    let Some(manifest) = files.iter().find(|f| f.name == "Cargo.toml") else { return Vec::new() };
    let mut faults = Vec::new();
    let mut inside = false;
    let mut reason = false;
    for (index, line) in manifest.text.lines().enumerate() {
        match line.trim() {
            "[workspace.dependencies]" => inside = true,
            other if other.starts_with('[') => inside = false,
            "" => reason = false,
            comment if comment.starts_with('#') => reason = true,
            entry if inside && !reason && !entry.contains("path = ") => {
                let name = entry.split_whitespace().next().unwrap_or_default();
                faults.push(Fault::new(
                    "Cargo.toml",
                    index + 1,
                    format!("{name} stands without a reason"),
                    "write the reason on the line above",
                ));
            }
            _ => {}
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_library_without_a_reason_is_found() {
        let text = "[workspace.dependencies]\nours = { path = \"x\" }\nbare = \"1\"\n\n# Why.\nfine = \"1\"\nalso = \"1\"\n\nlost = \"1\"\n[other]\nx = 1\n";
        let found: Vec<usize> = check(&[file("Cargo.toml", text)]).iter().map(|f| f.line).collect();
        assert_eq!(found, [3, 9]);
    }
}
