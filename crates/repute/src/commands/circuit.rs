//! `repute circuit`: accounts and campaigns that were stopped because their mail costs our name too
//! much, and a person's word on them.

use std::time::Duration;

use clap::Subcommand;
use repute_types::{Clock as _, SystemClock};

use crate::cli::{Context, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what is stopped, and why
    List,
    /// Let the mail of an account or campaign go on; what went wrong until now counts no more
    Continue {
        /// As `list` has it: ACCOUNT, or ACCOUNT/CAMPAIGN
        name: String,
    },
    /// Take all waiting mail of an account or campaign out of the queue; its sender is not told
    Cancel {
        /// As `list` has it: ACCOUNT, or ACCOUNT/CAMPAIGN
        name: String,
    },
    /// Show what each account is used to, and how many strangers would be too much
    Habits,
    /// Say that much is meant to come from an account: it is not held for that, and it is its habit from then on
    Expect {
        account: String,
        /// For how long: `12h`, `2d`; 30 days at most
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = super::word_holds)]
        time: Duration,
    },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    match args.command {
        Command::List => {
            let answer = client::ask(&config.state, &Request::CircuitListV1 {})?;
            let rows = answer["open"].as_array().cloned().unwrap_or_default();
            match context.json {
                true => out::json(&answer),
                false if rows.is_empty() => out::line("nothing is stopped"),
                false => rows.iter().for_each(|row| out::print(&page(row))),
            }
            Ok(Exit::Done)
        }
        Command::Continue { name } => {
            let answer = client::ask(&config.state, &Request::CircuitContinueV1 { name, who: super::who() })?;
            told(&answer, "recipients or messages go on", context);
            if !context.json {
                still(&answer).iter().for_each(|line| out::line(line));
            }
            Ok(Exit::Done)
        }
        Command::Cancel { name } => {
            let answer = client::ask(&config.state, &Request::CircuitCancelV1 { name, who: super::who() })?;
            told(&answer, "cancelled", context);
            Ok(Exit::Done)
        }
        Command::Habits => {
            let answer = client::ask(&config.state, &Request::HabitsV1 {})?;
            let rows = answer["accounts"].as_array().cloned().unwrap_or_default();
            match context.json {
                true => out::json(&answer),
                false if rows.is_empty() => out::line("no account has sent yet"),
                false => out::print(&habits(&rows)),
            }
            Ok(Exit::Done)
        }
        Command::Expect { account, time } => {
            let question = Request::ExpectV1 { account, seconds: time.as_secs() };
            let answer = client::ask(&config.state, &question)?;
            match context.json {
                true => out::json(&answer),
                false => out::line(&expected(&answer["accounts"][0])),
            }
            Ok(Exit::Done)
        }
    }
}

fn expected(row: &serde_json::Value) -> String {
    let until = out::plain(row["until"].as_str().unwrap_or_default());
    match row["learns"].as_bool() {
        Some(true) => format!(
            "until {until} nothing is held because of strangers anyway: this server is new, and learns until then what its \
             accounts are used to"
        ),
        _ => format!("until {until} nothing is held because of strangers"),
    }
}

/// One line an account.
fn habits(rows: &[serde_json::Value]) -> String {
    let head = ["ACCOUNT", "HABIT/HOUR", "/DAY", "STRANGERS/HOUR", "/DAY", "HELD OVER", "/DAY", ""];
    let line = |row: &serde_json::Value| {
        let number = |key: &str| row[key].as_u64().map_or("never".to_owned(), |n| n.to_string());
        let state = match (row["until"].as_str(), row["new"].as_bool()) {
            (Some(until), _) => format!("nothing is held until {}", out::plain(until)),
            (None, Some(true)) => "new".to_owned(),
            _ => String::new(),
        };
        let mut cells = vec![out::plain(row["account"].as_str().unwrap_or_default())];
        let keys = ["habit_hour", "habit_day", "strangers_hour", "strangers_day", "most_hour", "most_day"];
        cells.extend(keys.iter().map(|key| number(key)));
        cells.push(state);
        cells
    };
    out::table(&head, &rows.iter().map(line).collect::<Vec<_>>())
}

fn page(row: &serde_json::Value) -> String {
    let text = |key: &str| out::plain(row[key].as_str().unwrap_or_default());
    let since = text("since");
    let ago = super::queue::when(&since, SystemClock.now());
    let name = out::tone(&text("name"), Tone::Strong);
    format!("{name}  {} {ago}\n  {}\n  fix  {}\n", text("what"), text("text"), text("cure"))
}

fn told(answer: &serde_json::Value, done: &str, context: &Context) {
    let count = |key: &str| answer[key].as_u64().unwrap_or(0);
    match context.json {
        true => out::json(answer),
        false => out::line(&format!("{} {done}", count("now") + count("after_attempt"))),
    }
}

/// What holds mail of it still, a line each.
pub fn still(answer: &serde_json::Value) -> Vec<String> {
    let text = |one: &serde_json::Value, key: &str| out::plain(one[key].as_str().unwrap_or_default());
    let line = |one: &serde_json::Value| {
        let (name, why, cure) = (text(one, "name"), text(one, "text"), text(one, "cure"));
        match one["parts"].as_u64() {
            Some(parts) => format!("{parts} still held, {name}: {why}; {cure}"),
            None => format!("still held, {name}: {why}; {cure}"),
        }
    };
    answer["still"].as_array().into_iter().flatten().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_holds_it_is_said_with_the_command() {
        let answer = serde_json::json!({"now": 0, "after_attempt": 0, "still": [
            {"name": "shop", "text": "11 of 11 recipients do not exist", "cure": "`repute circuit continue \"shop\"`"},
            {"name": "news/may", "parts": 7, "text": "the campaign is paused: wait", "cure": "`repute bulk resume \"news/may\"`"},
        ]});
        let lines = [
            "still held, shop: 11 of 11 recipients do not exist; `repute circuit continue \"shop\"`",
            "7 still held, news/may: the campaign is paused: wait; `repute bulk resume \"news/may\"`",
        ];
        assert_eq!(still(&answer), lines);
        assert!(still(&serde_json::json!({"now": 2})).is_empty());
    }

    /// Who expected much for two days read of fourteen.
    #[test]
    fn a_new_server_says_why_nothing_is_held_for_longer_than_was_asked_for() {
        let row = |learns: bool| serde_json::json!({"until": "2026-12-10T00:00:00Z", "learns": learns});
        assert_eq!(expected(&row(false)), "until 2026-12-10T00:00:00Z nothing is held because of strangers");
        assert!(expected(&row(true)).contains("anyway: this server is new"), "{}", expected(&row(true)));
    }
}
