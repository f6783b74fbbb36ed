//! `repute config check|show`: what is wrong with a configuration, and what is in force.

use clap::Subcommand;

use crate::cli::{Context, Exit};
use crate::config::{self, Faults, Files};
use crate::out;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is wrong with the configuration: file, line, column, what, cure
    Check,
    /// Print every value, defaults too, secrets masked
    Show,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Check => check(context),
        Command::Show => show(context),
    }
}

fn check(context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Check)?;
    if context.json {
        out::json(&serde_json::json!({ "file": config.file, "faults": [], "advice": config.advice.list() }));
    } else {
        let (domains, accounts) = (config.domains.len(), config.accounts.len());
        let text = format!("{} is good: {domains} domain(s), {accounts} account(s)", config.file.display());
        out::line(&text);
        if !config.advice.is_empty() {
            out::print(&format!("\nIt can be served, and yet:\n\n{}", config.advice));
        }
    }
    Ok(Exit::Done)
}

fn show(context: &Context) -> anyhow::Result<Exit> {
    let file = config::locate(context.config.as_deref())?;
    let text = config::read(&file)?;
    let table = config::shaped(&text).map_err(|faults| Faults::new(&file, &text, faults))?;
    match context.json {
        true => out::json(&config::show::json(table.get_ref())),
        false => out::print(&config::show::text(table.get_ref())),
    }
    Ok(Exit::Done)
}
