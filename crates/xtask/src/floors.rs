//! The floors: which crate stands where, and that nobody imports upwards.
//!
//! A crate names its floor in its `Cargo.toml` (`[package.metadata.repute] floor = N`) and
//! imports from strictly lower floors. For its tests it may use `testkit` besides.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::Fault;

/// A crate of the workspace.
#[derive(Clone, Debug)]
pub struct Crate {
    pub name: String,
    /// Its folder under `crates/`.
    pub folder: String,
    pub floor: Option<u64>,
    /// The first sentence of its root module.
    pub duty: String,
    /// Crates of the workspace that it uses, and whether for its tests alone.
    pub uses: Vec<(String, bool)>,
}

impl Crate {
    /// Tests and tools belong to no floor of the server.
    fn is_tool(&self) -> bool {
        matches!(self.folder.as_str(), "testkit" | "xtask")
    }
}

/// The crates of the workspace at `root`, from the top floor down.
pub fn crates(root: &Path) -> anyhow::Result<Vec<Crate>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()?;
    let names: Vec<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let mut list = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().and_then(|p| p.file_name()).unwrap_or_default().to_owned();
        let uses = package.dependencies.iter().filter(|d| names.contains(&d.name));
        let uses = uses.map(|d| (d.name.clone(), d.kind == DependencyKind::Development)).collect();
        let floor = package.metadata.get("repute").and_then(|r| r.get("floor")).and_then(|f| f.as_u64());
        list.push(Crate { name: package.name.to_string(), duty: duty(root, &folder)?, folder, floor, uses });
    }
    list.sort_by(|a, b| b.floor.cmp(&a.floor).then(a.folder.cmp(&b.folder)));
    Ok(list)
}

/// The first sentence of a crate's documentation, without the number of its floor.
fn duty(root: &Path, folder: &str) -> anyhow::Result<String> {
    let source = root.join("crates").join(folder).join("src");
    let file = [source.join("lib.rs"), source.join("main.rs")].into_iter().find(|f| f.exists());
    let file = file.with_context(|| format!("crates/{folder} has neither src/lib.rs nor src/main.rs"))?;
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let opening: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).collect();
    let paragraph = opening.split(|l| l.is_empty()).next().unwrap_or_default().join(" ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first);
    let sentence = match sentence.strip_prefix("Floor ") {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | ',' | ' ')),
        None => sentence,
    };
    // Links of the documentation lead nowhere from a table.
    let mut plain = sentence.trim_end_matches('.').replace("[`", "`").replace("`]", "`");
    if let Some(first) = plain.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Ok(plain)
}

/// Every import that does not go down.
pub fn check(crates: &[Crate]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for krate in crates {
        let file = format!("crates/{}/Cargo.toml", krate.folder);
        let Some(floor) = krate.floor else {
            faults.push(Fault::new(&file, 0, "the crate has no floor", "add [package.metadata.repute] with floor = N"));
            continue;
        };
        for (name, for_tests) in &krate.uses {
            let Some(used) = crates.iter().find(|c| c.name == *name) else { continue };
            let testkit = *for_tests && used.folder == "testkit";
            if !testkit && used.floor.is_none_or(|below| below >= floor) {
                let below = used.floor.map_or("none".to_owned(), |f| f.to_string());
                let what = format!("floor {floor} imports {name}, which stands on floor {below}");
                faults.push(Fault::new(
                    &file,
                    0,
                    what,
                    "import from lower floors alone; a value that both need belongs to a lower one",
                ));
            }
            if !for_tests && used.is_tool() {
                faults.push(Fault::new(
                    &file,
                    0,
                    format!("{name} is for tests alone"),
                    "move it to [dev-dependencies]",
                ));
            }
        }
    }
    faults
}

/// The table of floors, for `ARCHITECTURE.md`.
pub fn table(crates: &[Crate]) -> String {
    let mut out = String::from("| floor | crate | duty | imports |\n|---|---|---|---|\n");
    for krate in crates {
        let floor =
            if krate.is_tool() { "–".to_owned() } else { krate.floor.map_or("?".to_owned(), |f| f.to_string()) };
        let short = |name: &str| name.trim_start_matches("repute-").to_owned();
        let mut imports: Vec<String> = krate.uses.iter().filter(|(_, tests)| !tests).map(|(n, _)| short(n)).collect();
        imports.sort();
        let _ = writeln!(
            out,
            "| {floor} | [`{0}`](crates/{0}) | {1} | {2} |",
            krate.folder,
            krate.duty,
            imports.join(", ")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pair(from: u64, to: u64, folder: &str, for_tests: bool, expect: usize) {
        let make = |name: &str, folder: &str, floor, uses| Crate {
            name: name.to_owned(),
            folder: folder.to_owned(),
            floor: Some(floor),
            duty: String::new(),
            uses,
        };
        let crates = [make("a", "a", from, vec![("b".to_owned(), for_tests)]), make("b", folder, to, Vec::new())];
        assert_eq!(check(&crates).len(), expect, "{from} to {to} ({folder})");
    }

    #[test]
    fn imports_go_down_only() {
        check_pair(2, 1, "b", false, 0);
        check_pair(1, 1, "b", false, 1);
        check_pair(1, 2, "b", false, 1);
        check_pair(1, 2, "b", true, 1);
    }

    #[test]
    fn testkit_serves_every_floor_but_only_its_tests() {
        check_pair(0, 2, "testkit", true, 0);
        check_pair(3, 2, "testkit", false, 1);
    }
}
