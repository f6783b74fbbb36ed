//! Every refusal of a configuration, as its author reads it: `bad_configs/NAME/repute.toml`
//! and what is said about it in `expected-error`. `modes` gives files the permissions that a
//! checkout does not keep. `UPDATE_EXPECT=1` rewrites what is expected.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_configs")
}

/// A copy, since permissions are part of a case and checkouts are shared.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn set_modes(folder: &Path) {
    let Ok(modes) = std::fs::read_to_string(folder.join("modes")) else { return };
    for line in modes.lines() {
        let (mode, file) = line.split_once(' ').unwrap();
        let mode = u32::from_str_radix(mode, 8).unwrap();
        std::fs::set_permissions(folder.join(file), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn said(case: &Path) -> String {
    let work = tempfile::tempdir().unwrap();
    copy(case, work.path());
    set_modes(work.path());
    let run = Command::new(env!("CARGO_BIN_EXE_repute"))
        .args(["--config", "repute.toml", "config", "check"])
        .current_dir(work.path())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2), "{}: {}", case.display(), String::from_utf8_lossy(&run.stdout));
    assert!(run.stdout.is_empty());
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn every_refusal_says_where_what_and_how_to_cure_it() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let case = entry.unwrap().path();
        let expected = case.join("expected-error");
        let said = said(&case);
        cases += 1;
        if update {
            std::fs::write(&expected, &said).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&said) {
            wrong.push(format!("{}\n{said}", case.display()));
        }
    }
    assert!(cases > 40, "only {cases} cases were found");
    assert!(wrong.is_empty(), "{} cases differ from their expected-error:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each sentence in the checks that starts a fault is seen in some case: a refusal without a
/// case fails here.
#[test]
fn every_fault_of_the_checks_has_a_case() {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        all += &std::fs::read_to_string(entry.unwrap().path().join("expected-error")).unwrap();
    }
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/meant");
    let mut missing = Vec::new();
    for entry in std::fs::read_dir(checks).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        for fragment in fault_texts(&source) {
            if !all.contains(&fragment) {
                missing.push(format!("{}: {fragment}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "no case in tests/bad_configs says:\n{}", missing.join("\n"));
}

/// The longest literal piece of what each `c.fault(...)` says: its second argument, or the
/// `let what = format!(...)` before it.
fn fault_texts(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let starts = source.match_indices("c.fault(").chain(source.match_indices("let what = format!("));
    for (at, _) in starts {
        let rest = &source[at..];
        let call = &rest[..rest.find(");").unwrap_or(rest.len())];
        let Some(open) = call.find('"') else { continue };
        // With `what` named before, the first literal is the cure.
        if call.starts_with("c.fault(") && call[..open].matches(',').count() != 1 {
            continue;
        }
        let text = &call[open + 1..];
        let text = &text[..text.find('"').unwrap_or(text.len())];
        let longest = text.split(['{', '}', '\\']).max_by_key(|piece| piece.len()).unwrap_or_default();
        if longest.len() > 8 {
            texts.push(longest.to_owned());
        }
    }
    texts
}
