//! `repute man`: manual pages, shell completions, the configuration reference, the list of metrics and the description
//! of the HTTP API, made from the program's own definitions. The files in `docs/` are what this writes; a test holds
//! them to it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Context, Exit};
use crate::{config, out};

#[derive(clap::Args)]
pub struct Args {
    /// The folder to write into: man/, completions/, config.md, metrics.md and openapi.json
    #[arg(default_value = "docs")]
    folder: PathBuf,
    /// Write nothing; exit code 1 if a file differs from what would be written
    #[arg(long)]
    check: bool,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let mut differing = Vec::new();
    for (name, octets) in files()? {
        let path = args.folder.join(&name);
        if std::fs::read(&path).is_ok_and(|there| there == octets) {
            continue;
        }
        differing.push(name);
        if !args.check {
            write(&path, &octets)?;
        }
    }
    match context.json {
        true => out::json(&serde_json::json!({ "changed": differing, "written": !args.check })),
        false => {
            for name in &differing {
                let what = if args.check { "differs" } else { "written" };
                out::line(&format!("{}: {what}", args.folder.join(name).display()));
            }
        }
    }
    Ok(if args.check && !differing.is_empty() { Exit::Problem } else { Exit::Done })
}

fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    std::fs::write(path, octets).with_context(|| format!("{}", path.display()))
}

/// Every generated file: its path under the folder, and what belongs into it.
fn files() -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = vec![
        (PathBuf::from("config.md"), config::reference::markdown().into_bytes()),
        (PathBuf::from("openapi.json"), repute_web::description().into_bytes()),
        (PathBuf::from("metrics.md"), repute_metrics::markdown().into_bytes()),
    ];
    let mut command = Cli::command();
    command.build();
    pages(&command, &mut files)?;
    for (shell, name) in [(Shell::Bash, "repute.bash"), (Shell::Zsh, "_repute"), (Shell::Fish, "repute.fish")] {
        let mut octets = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "repute", &mut octets);
        files.push((Path::new("completions").join(name), octets));
    }
    Ok(files)
}

/// A page for a command and for each below it, named as the command is called.
fn pages(command: &clap::Command, files: &mut Vec<(PathBuf, Vec<u8>)>) -> anyhow::Result<()> {
    let name = command.get_bin_name().unwrap_or("repute").replace(' ', "-");
    let mut octets = Vec::new();
    // Without a date: the same source makes the same page on any day.
    let man =
        clap_mangen::Man::new(command.clone().display_name(&name)).title(name.to_uppercase()).section("1").date("");
    man.render(&mut octets)?;
    files.push((Path::new("man").join(format!("{name}.1")), octets));
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        pages(below, files)?;
    }
    Ok(())
}
