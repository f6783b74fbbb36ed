//! The demo, run as a user runs it: the program itself, with its exit code and its answer.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::process::Command;

#[test]
fn the_demo_ends_well_and_accounts_for_every_message() {
    let run = Command::new(env!("CARGO_BIN_EXE_repute")).args(["demo", "--json", "--messages", "80"]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    let tally: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(tally["accepted"], 80);
    // Where loopback is a network the story is told: refused by all at first, in every inbox at the end.
    assert!(tally["story"].is_array() || std::env::consts::OS != "linux", "{said}");
    if let Some(story) = tally["story"].as_array() {
        let takes = |chapter: &serde_json::Value, decision: &str| {
            chapter["receivers"].as_array().unwrap().iter().filter(|r| r["decision"] == decision).count()
        };
        assert_eq!(story.len(), 7);
        assert_eq!((takes(&story[0], "refused"), takes(&story[6], "inbox")), (5, 5), "{said}");
        assert_eq!(story[6]["trust"], 100);
    }
    assert_eq!(tally["in_queue"], 0);
    assert_eq!(tally["all"]["copies"], 0);
    assert_eq!(tally["all"]["rsa_verified"], tally["all"]["messages"]);
    assert_eq!(tally["all"]["ed25519_verified"], tally["all"]["messages"]);
    assert_eq!(
        tally["all"]["delivered"].as_u64().unwrap() + tally["all"]["bounced"].as_u64().unwrap(),
        tally["all"]["recipients"]
    );
    assert!(tally["all"]["retried"].as_u64().unwrap() > 0);
}
