//! What is made from the code: manual pages, completions, the configuration reference (the
//! program's own `repute man`), and the table of floors in `ARCHITECTURE.md`.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::{Fault, floors};

const BEGIN: &str = "<!-- floors: made by `cargo run -p xtask -- generate` -->\n";
const END: &str = "<!-- /floors -->\n";

/// Whether to write, or to say what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Write,
    Check,
}

/// Runs every generator.
pub fn run(root: &Path, mode: Mode) -> anyhow::Result<Vec<Fault>> {
    let mut faults = architecture(root, mode)?;
    faults.extend(program(root, mode)?);
    Ok(faults)
}

/// The table of floors, between its two marks.
pub fn architecture(root: &Path, mode: Mode) -> anyhow::Result<Vec<Fault>> {
    let name = "ARCHITECTURE.md";
    let path = root.join(name);
    let text = std::fs::read_to_string(&path).context(name)?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{name} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{name} has no line {END}"))?;
    let made = format!("{before}{BEGIN}{}{END}{after}", floors::table(&floors::crates(root)?));
    if made == text {
        return Ok(Vec::new());
    }
    match mode {
        Mode::Write => std::fs::write(&path, made).context(name).map(|()| Vec::new()),
        Mode::Check => {
            let cure = "cargo run -p xtask -- generate";
            Ok(vec![Fault::new(name, 0, "the table of floors is not that of the code", cure)])
        }
    }
}

/// What the program writes about itself. In the profile that the caller was built in, so that
/// nothing is built a second time.
fn program(root: &Path, mode: Mode) -> anyhow::Result<Vec<Fault>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["run", "--quiet", "--locked", "-p", "repute"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.args(["--", "man", "docs"]);
    if mode == Mode::Check {
        command.arg("--check");
    }
    let done = command.status().context("cargo run -p repute")?;
    match (done.success(), mode) {
        (true, _) => Ok(Vec::new()),
        (false, Mode::Write) => anyhow::bail!("`repute man docs` failed"),
        (false, Mode::Check) => {
            let cure = "cargo run -p xtask -- generate";
            Ok(vec![Fault::new("docs", 0, "the generated pages are not those of the program", cure)])
        }
    }
}
