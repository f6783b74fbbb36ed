//! Plays the dialogues of `dialogues/` over loopback sockets, each with a listener of its own,
//! and compares what came through the door with the file `NAME.taken` beside it (no file:
//! nothing may have come). `REPUTE_WRITE=1` writes those files anew.

use std::fmt::Write as _;
use std::path::Path;

use repute_submission::ListenerKind;
use repute_testkit::Dialogue;
use repute_types::{Body, Notify};
use tokio::net::TcpStream;

use crate::common::{Setup, Taken};

#[tokio::test]
async fn clients_known_by_their_address() {
    play("trusted", Setup::trusted).await;
}

#[tokio::test]
async fn submission_with_starttls() {
    play("submission", || Setup::new(ListenerKind::Submission)).await;
}

#[tokio::test]
async fn submission_inside_tls() {
    play("tls", || Setup::new(ListenerKind::SubmissionTls)).await;
}

#[tokio::test]
async fn mail_that_comes_back() {
    play("return", || Setup::new(ListenerKind::Return)).await;
}

async fn play(folder: &str, setup: impl Fn() -> Setup) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues").join(folder);
    let mut faults = String::new();
    for dialogue in Dialogue::folder(&folder) {
        let listener = setup().start();
        let socket = TcpStream::connect(listener.address).await.unwrap();
        if let Err(mismatch) = dialogue.as_client(socket).await {
            faults.push_str(&mismatch.to_string());
        }
        let taken = render(&listener.stop().await);
        faults.push_str(&compare(Path::new(dialogue.name()), &taken));
    }
    for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|x| x == "taken") && !file.with_extension("smtp").exists() {
            writeln!(faults, "{} belongs to no dialogue", file.display()).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

fn compare(dialogue: &Path, taken: &str) -> String {
    let file = dialogue.with_extension("taken");
    if std::env::var_os("REPUTE_WRITE").is_some() {
        match taken {
            "" => drop(std::fs::remove_file(&file)),
            _ => std::fs::write(&file, taken).unwrap(),
        }
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected == taken {
        return String::new();
    }
    format!("{}\n--- expected\n{expected}--- taken\n{taken}", file.display())
}

/// A message as text: envelope, then each line of content behind `| `.
fn render(taken: &[Taken]) -> String {
    let mut out = String::new();
    for message in taken {
        let o = &message.envelope.options;
        let from = message.envelope.from.as_ref().map_or(String::new(), ToString::to_string);
        write!(out, "{} from <{from}>", message.protocol).unwrap();
        if o.body == Body::EightBitMime {
            out.push_str(" 8bitmime");
        }
        if o.require_tls {
            out.push_str(" requiretls");
        }
        if let Some(ret) = o.ret {
            write!(out, " ret={ret:?}").unwrap();
        }
        if let Some(envid) = &o.envid {
            write!(out, " envid={envid:?}").unwrap();
        }
        out.push('\n');
        for recipient in &message.envelope.recipients {
            write!(out, "to <{}>", recipient.address).unwrap();
            if recipient.notify != Notify::Unsaid {
                write!(out, " {:?}", recipient.notify).unwrap();
            }
            if let Some(orcpt) = &recipient.orcpt {
                write!(out, " orcpt={orcpt:?}").unwrap();
            }
            out.push('\n');
        }
        let content = message.content.to_vec();
        if content.is_empty() {
            out.push_str("(empty)\n");
            continue;
        }
        let text = content.strip_suffix(b"\r\n").expect("content ends with a line end");
        if text.len() > 5_000 {
            writeln!(out, "({} octets)", content.len()).unwrap();
            continue;
        }
        for line in text.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            writeln!(out, "| {}", line.escape_ascii()).unwrap();
        }
    }
    out
}
