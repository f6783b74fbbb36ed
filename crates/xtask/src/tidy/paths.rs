//! What the documents point at is there: files in `code` that begin with a folder of the
//! repository, and the targets of links.

use std::path::Path;

use super::File;
use crate::Fault;

const FOLDERS: [&str; 7] = ["crates/", "docs/", "tests/", "bench/", "packaging/", ".ci/", "fuzz/"];

pub fn check(root: &Path, files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Pages that are made from the program point at nothing.
    for file in files.iter().filter(|f| f.name.ends_with(".md")) {
        let folder = Path::new(&file.name).parent().unwrap_or(Path::new(""));
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            fenced ^= line.starts_with("```");
            if fenced {
                continue;
            }
            let named =
                code(line).into_iter().filter(|c| FOLDERS.iter().any(|f| c.starts_with(f))).map(|c| root.join(c));
            let linked = links(line).into_iter().map(|l| root.join(folder).join(l));
            for path in named.chain(linked).filter(|p| !p.exists()) {
                let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                faults.push(Fault::new(&file.name, index + 1, format!("there is no {path}"), "name what is there now"));
            }
        }
    }
    faults
}

/// What stands between backquotes and looks like a path: no blanks, no placeholders.
fn code(line: &str) -> Vec<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    line.split('`').skip(1).step_by(2).filter(|c| c.chars().all(plain)).collect()
}

/// Targets of links within the repository, without their fragments.
fn links(line: &str) -> Vec<&str> {
    let targets = line.match_indices("](").filter_map(|(at, _)| line[at + 2..].split_once(')'));
    let files = targets.map(|(target, _)| target.split('#').next().unwrap_or_default());
    files.filter(|t| !t.is_empty() && !t.contains(':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_links_are_found() {
        let line = "see `crates/spool`, `a b`, `docs/NAME.md`s [x](docs/a.md#b) and [y](https://example.com)";
        assert_eq!(code(line), ["crates/spool", "docs/NAME.md"]);
        assert_eq!(links(line), ["docs/a.md"]);
    }
}
