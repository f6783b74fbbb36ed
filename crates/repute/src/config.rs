//! The configuration: one TOML file to what it means, or to all that is wrong with it.
//!
//! Steps, each a file: `schema` is the one list of keys; `shape` checks the form and fills in
//! defaults; `typed` is the file as Rust values; `meant` checks what the values mean together
//! and with the files they name; `settings` hands them to the works. Fails with [`Faults`]:
//! file, line, column, what, cure.

pub mod fault;
pub mod files;
pub mod meant;
pub mod memory;
pub mod nearest;
pub mod reference;
pub mod schema;
pub mod settings;
pub mod shape;
pub mod show;
pub mod typed;
pub mod value;

use std::path::{Path, PathBuf};

pub use fault::{Fault, Faults};
pub use meant::Config;
use repute_types::Domain;
use serde::Deserialize as _;
use toml::de::{DeTable, Deserializer};

/// Whether the files that a configuration names are looked at: the server needs them, a
/// command that makes or ignores them does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    Check,
    Ignore,
}

/// Where a configuration is looked for if no `--config` says so: the first that exists.
const PLACES: [&str; 2] = ["/etc/repute/repute.toml", "repute.toml"];

/// The file to read: the one named, else the first usual place that has one.
pub fn locate(named: Option<&Path>) -> Result<PathBuf, Faults> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    match PLACES.iter().map(Path::new).find(|p| p.exists()) {
        Some(path) => Ok(path.to_owned()),
        None => {
            let what = format!("there is no configuration: neither {} nor ./{}", PLACES[0], PLACES[1]);
            let fault =
                Fault::nowhere(what, "name one with --config, or have one written by `repute setup` (docs/install.md)");
            Err(Faults::new(Path::new(PLACES[0]), "", vec![fault]))
        }
    }
}

/// Reads and checks a file.
pub fn load(path: &Path, files: Files) -> Result<Config, Faults> {
    let text = read(path)?;
    parse(path, &text, files)
}

pub fn read(path: &Path) -> Result<String, Faults> {
    std::fs::read_to_string(path).map_err(|error| {
        let cure = match error.kind() {
            std::io::ErrorKind::NotFound => "name the right file with --config",
            std::io::ErrorKind::PermissionDenied => "run this as root, or as the user of the service",
            _ => "see that it is a text file in UTF-8",
        };
        Faults::new(path, "", vec![Fault::nowhere(format!("the configuration cannot be read: {error}"), cure)])
    })
}

/// Checks a text as if it stood in `path`.
pub fn parse(path: &Path, text: &str, files: Files) -> Result<Config, Faults> {
    let faults = |list| Faults::new(path, text, list);
    let table = shaped(text).map_err(faults)?;
    let typed = typed::Typed::deserialize(Deserializer::from(table)).map_err(|e| faults(vec![from_toml(&e)]))?;
    meant::check(path, text, typed, files).map_err(faults)
}

/// For a look at a server that may run: where the file has faults, all that is taken from it is where the state is, for the
/// server still goes by what it read before.
pub fn load_to_look(path: &Path) -> Result<Config, Faults> {
    let text = read(path)?;
    parse(path, &text, Files::Ignore).or_else(|faults| {
        let (table, _) = DeTable::parse_recoverable(&text);
        let state = table.get_ref().get("state").and_then(|value| value.get_ref().as_str());
        let state = state.map_or(String::new(), |state| format!("state = {}\n", toml::Value::from(state)));
        let rest = parse(path, &format!("hostname = \"mail.invalid\"\n{state}"), Files::Ignore).map_err(|_| faults)?;
        let file = path.display();
        crate::out::error(&format!(
            "{file} has faults, which `repute config check` tells; a server that runs goes by what it read before\n"
        ));
        Ok(rest)
    })
}

/// The domains that a text names, whatever else is wrong with it; none where its form is.
pub fn domains_of(text: &str) -> Vec<Domain> {
    let typed = shaped(text).ok().and_then(|table| typed::Typed::deserialize(Deserializer::from(table)).ok());
    typed.map_or_else(Vec::new, |typed| typed.domain.into_iter().map(|one| one.name.into_inner()).collect())
}

/// The file as a table whose form is right, with every default.
pub fn shaped(text: &str) -> Result<toml::Spanned<DeTable<'_>>, Vec<Fault>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(from_toml).collect());
    }
    let faults = shape::check(table.as_mut());
    if faults.is_empty() { Ok(table) } else { Err(faults) }
}

fn from_toml(error: &toml::de::Error) -> Fault {
    let what = format!("this is not TOML: {}", error.message().replace('\n', ", "));
    let cure = "texts stand in \"quotes\", lists in [brackets], one `key = value` a line";
    match error.span() {
        // An error at the end of a line has no width; a fault shows one character at least.
        Some(span) => Fault::at(span.start..span.end.max(span.start + 1), what, cure),
        None => Fault::nowhere(what, cure),
    }
}
