//! Commands as people run them, without a server.

use std::os::unix::fs::MetadataExt as _;

use crate::common::Place;

#[test]
fn a_domain_is_added_once_and_checked_ever_after() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let first = place.run(&["domain", "add", "example.com", "--write"]).good();
    assert!(first.contains("has new keys"), "{first}");
    assert!(first.contains("._domainkey.example.com. IN TXT \"v=DKIM1; k=rsa; p="), "{first}");
    assert!(first.contains("._domainkey.example.com. IN TXT \"v=DKIM1; k=ed25519; p="), "{first}");

    let keys = place.path("state/keys/example.com");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    let files: Vec<_> = std::fs::read_dir(&keys).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|f| mode(f) == 0o600));

    let before = place.read("repute.toml");
    let second = place.run(&["domain", "add", "example.com", "--write"]).good();
    assert!(second.contains("has its keys already"), "{second}");
    assert_eq!(place.read("repute.toml"), before);
    let again: Vec<_> = std::fs::read_dir(&keys).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(again.len(), 2);

    // A mode that somebody loosened is set right.
    std::fs::set_permissions(&files[0], std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    place.run(&["domain", "add", "example.com"]).good();
    assert_eq!(mode(&files[0]), 0o600);

    place.run(&["config", "check"]).good();
    assert!(place.run(&["domain", "list"]).good().contains("(ed25519)"));
    let records: serde_json::Value =
        serde_json::from_str(&place.run(&["--json", "domain", "records", "example.com"]).good()).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 2);
}

/// The cure of "an account names a domain that is not set up" stopped at that same fault.
#[test]
fn the_command_that_cures_a_fault_can_be_run_while_it_stands() {
    let place = Place::new(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n[[account]]\nname = \"local\"\naddresses = [\"127.0.0.0/8\"]\ndomains = [\"example.com\"]\n",
    );
    place.run(&["domain", "add", "example.com", "--write"]).good();
    place.run(&["config", "check"]).good();
}

/// The account's own block was missing, and the command that adds it stopped at that.
#[test]
fn an_account_that_the_file_names_already_is_added() {
    let place = Place::new(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n[sendmail]\naccount = \"shop\"\n\
         [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n",
    );
    // What the account does not cure stops it, and nothing is written.
    let before = place.read("repute.toml");
    let other = place.run(&["account", "add", "other", "--generate", "--write"]);
    assert_eq!(other.code, 2, "{}", other.out);
    assert!(other.err.contains("repute.toml:4:11: ") && other.err.contains("`shop`"), "{}", other.err);
    assert_eq!(place.read("repute.toml"), before);
    place.run(&["account", "add", "shop", "--generate", "--write"]).good();
    place.run(&["config", "check"]).good();
    let twice = place.run(&["account", "add", "shop", "--generate", "--write"]);
    assert!(twice.code == 1 && twice.err.contains("there is an account `shop` already"), "{}", twice.err);
}

#[test]
fn what_is_wrong_is_json_where_json_was_asked_for() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let error = |args: &[&str]| {
        let run = place.run(args);
        assert_eq!((run.code, run.err.as_str()), (2, ""), "{args:?}: {}", run.out);
        let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        json["error"].as_str().unwrap().to_owned()
    };
    assert!(error(&["--json", "nosuch"]).starts_with("unrecognized subcommand 'nosuch'"));
    let missing = error(&["why", "--json"]);
    assert_eq!(missing, "the following required arguments were not provided: <ABOUT>");
    assert_eq!(error(&["--json", "queue"]), "a command is missing: `--help` names them");
    // Help is text that was asked for, and without --json so is all of it.
    assert!(place.run(&["--json", "--help"]).good().contains("Usage:"));
    let text = place.run(&["nosuch", "--", "--json"]);
    assert!(text.code == 2 && text.out.is_empty() && text.err.contains("Usage:"), "{}", text.err);
}

#[test]
fn an_account_is_made_from_a_password_or_makes_one_up() {
    let place =
        Place::new("hostname = \"mail.example.com\"\n[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n");
    let block = place.run_with(&["account", "add", "shop"], "correct horse\n").good();
    assert!(block.contains("password = \"$argon2id$"), "{block}");
    assert!(block.contains("scram = \"SCRAM-SHA-256$"), "{block}");
    assert!(block.contains("domains = [\"example.com\"]"), "{block}");
    assert!(!block.contains("correct horse"));

    let json: serde_json::Value = serde_json::from_str(
        &place.run(&["--json", "account", "add", "news", "--bulk", "--generate", "--write"]).good(),
    )
    .unwrap();
    assert_eq!(json["password"].as_str().unwrap().len(), 24);
    assert!(place.read("repute.toml").contains("stream = \"bulk\""));
    place.run(&["config", "check"]).good();

    let twice = place.run_with(&["account", "add", "news"], "x\n");
    assert_eq!(twice.code, 1);
    assert!(twice.err.contains("there is an account `news` already"), "{}", twice.err);
    let empty = place.run_with(&["account", "add", "other"], "\n");
    assert_eq!(empty.code, 2);
    // A domain that is not set up is refused, and nothing is written.
    let before = place.read("repute.toml");
    let unknown = place.run_with(&["account", "add", "other", "--domain", "other.test", "--write"], "x\n");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("other.test is not set up"), "{}", unknown.err);
    assert_eq!(place.read("repute.toml"), before);
}

#[test]
fn what_is_shown_is_complete_masked_and_a_configuration_again() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$F4uiR32WRqWRUySEsaKXxw$eL+t5AN1ZljGMRJd0xh3O+EI36Ocp8PKDCdDvz27dxw";
    let place = Place::new(&format!(
        "hostname = \"mail.example.com\"\n[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
         [[account]]\nname = \"shop\"\npassword = \"{hash}\"\ndomains = \"example.com\"\n"
    ));
    let shown = place.run(&["config", "show"]).good();
    assert!(shown.contains("password = \"********\""), "{shown}");
    assert!(shown.contains("expire = \"5d\""), "{shown}");
    assert!(!shown.contains("F4uiR32WRqWRUySEsaKXxw"));
    let again = Place::new(&shown.replace("\"********\"", &format!("\"{hash}\"")));
    again.run(&["config", "check"]).good();
    let json: serde_json::Value = serde_json::from_str(&place.run(&["--json", "config", "show"]).good()).unwrap();
    assert_eq!(json["retry"]["expire"], "5d");
    assert_eq!(json["account"][0]["password"], "********");
}

#[test]
fn faults_are_data_for_programs() {
    let place = Place::new("host = \"mail.example.com\"\n");
    let run = place.run(&["--json", "config", "check"]);
    assert_eq!(run.code, 2);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["faults"][0]["line"], 1);
    assert_eq!(json["faults"][0]["cure"], "write `hostname`");
}

#[test]
fn without_a_server_questions_are_answered_and_orders_say_how_to_start_it() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    assert_eq!(place.run(&["queue", "list"]).code, 1);
    // Where only some are asked for, the others may wait.
    for (asked, said) in [("--all", "nothing waits\n"), ("--held", "nothing that waits matches\n")] {
        assert_eq!(place.run(&["queue", "list", asked]).out, said);
    }
    assert_eq!(place.run(&["queue", "list", "--limit", "0"]).code, 2);
    let why = place.run(&["why", "bob@example.net"]);
    assert_eq!(why.code, 1);
    assert!(why.out.contains("nothing is known"), "{}", why.out);
    // What nothing can be known of was told as a thing that is not known.
    for wrong in ["bob@", "@", "from:", ""] {
        let run = place.run(&["why", wrong]);
        assert!(run.code == 2 && run.err.contains("from:"), "{wrong}: {} {}", run.code, run.err);
    }
    for order in [&["queue", "retry", "--all"][..], &["queue", "cancel", "0000000000000"], &["status"]] {
        let run = place.run(order);
        assert_eq!(run.code, 75, "{order:?}: {}", run.err);
        assert!(run.err.contains("repute serve"), "{}", run.err);
    }
    let unsaid = place.run(&["queue", "cancel"]);
    assert_eq!(unsaid.code, 2);
    assert!(unsaid.err.contains("--all"), "{}", unsaid.err);
}

#[test]
fn sendmail_never_says_yes_without_a_server() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let run = place.run_with(&["sendmail", "-t", "-i"], "To: bob@example.net\n\nhello\n");
    assert_eq!(run.code, 75);
    assert!(run.err.contains("does not run"), "{}", run.err);
    assert_eq!(place.run(&["sendmail", "-bi"]).code, 0);
    assert_eq!(place.run(&["sendmail", "-Z"]).code, 64);
}

/// Nobody has to log in as an account that programs reach by another door.
#[test]
fn an_account_for_the_sendmail_command_or_a_token_needs_no_password() {
    let place = |more: &str| {
        Place::new(&format!(
            "hostname = \"mail.example.com\"\nstate = \"state\"\n[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
             [[account]]\nname = \"local\"\ndomains = \"example.com\"\n{more}"
        ))
    };
    place("[sendmail]\naccount = \"local\"\n").run(&["config", "check"]).good();
    let by_token = place("[[account]]\nname = \"x\"\naddresses = \"127.0.0.2\"\ndomains = \"example.com\"\n");
    assert_eq!(by_token.run(&["config", "check"]).code, 2);
    let hash = format!("sha256:{}", "0".repeat(64));
    let token = format!("[[token]]\nname = \"t\"\nhash = \"{hash}\"\naccount = \"local\"\nallow = [\"send\"]\n");
    place(&token).run(&["config", "check"]).good();
}

/// Each read the file, added its block and put it back: the last one won.
#[test]
fn tokens_that_are_added_at_the_same_time_are_all_there() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let add = |n: usize| place.command(&["token", "add", &format!("t{n}"), "--write"]).output().unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|n| scope.spawn(move || add(n))).collect();
        for one in all {
            let output = one.join().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert!(String::from_utf8(output.stdout).unwrap().starts_with("repute_"), "a script takes the token");
        }
    });
    assert_eq!(place.read("repute.toml").matches("[[token]]").count(), 8);
}

/// It was sent away until the server had started once, by whoever sets an application up before it.
#[test]
fn the_secret_of_a_token_is_told_before_the_first_start_and_is_the_same_for_ever() {
    let hash = format!("sha256:{}", "0".repeat(64));
    let place = Place::new(&format!(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n[[token]]\nname = \"t\"\nhash = \"{hash}\"\nallow = \"read\"\n"
    ));
    let ask = || place.command(&["token", "ses", "t"]).output().unwrap();
    let first = ask();
    assert!(first.status.success(), "{first:?}");
    assert!(first.stdout.starts_with(b"AWS_ACCESS_KEY_ID=t\nAWS_SECRET_ACCESS_KEY="), "{first:?}");
    assert_eq!(ask().stdout, first.stdout);
    // A server was here, and its key is gone: another one would be good for nothing that is out in the world.
    std::fs::create_dir(place.path("state/spool")).unwrap();
    std::fs::write(place.path("state/spool/spool.sqlite"), "").unwrap();
    std::fs::remove_file(place.path("state/tokens.key")).unwrap();
    let lost = ask();
    assert!(!lost.status.success() && String::from_utf8_lossy(&lost.stderr).contains("back-up"), "{lost:?}");
}

/// Standard output refused it, the hash was written all the same, and the exit code was 0.
#[test]
fn a_secret_that_could_not_be_printed_is_written_nowhere() {
    let place =
        Place::new("hostname = \"mail.example.com\"\n[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n");
    let before = place.read("repute.toml");
    let (account, token) = (["account", "add", "shop", "--generate"], ["token", "add", "web"]);
    for line in [&account[..], &token[..]] {
        for more in [&[][..], &["--write"], &["--write", "--json"]] {
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let output = place.command(&[line, more].concat()).stdout(full).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{line:?} {more:?}: {said}");
            assert!(more.contains(&"--json") || said.contains("could not be printed"), "{line:?} {more:?}: {said}");
            assert_eq!(place.read("repute.toml"), before);
        }
    }
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["repute.toml"]);
}

#[test]
fn a_secret_that_goes_into_a_file_that_everybody_can_read_is_warned_of() {
    let place =
        Place::new("hostname = \"mail.example.com\"\n[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n");
    let warned = |mode, line: &[&str]| {
        let open = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(place.path("repute.toml"), open).unwrap();
        let run = place.run(line);
        assert_eq!(run.code, 0, "{}", run.err);
        assert_eq!(std::fs::metadata(place.path("repute.toml")).unwrap().mode() & 0o777, mode);
        run.err.contains("WARNING: everybody on this machine can read") && run.err.contains(": chmod o= /")
    };
    assert!(warned(0o644, &["account", "add", "a", "--generate", "--write"]));
    assert!(warned(0o604, &["token", "add", "a", "--write"]));
    let json = place.run(&["--json", "token", "add", "c", "--write"]);
    assert_eq!(json.err, "", "a program reads one answer");
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(json["warning"].as_str().unwrap().contains(": chmod o= "), "{json}");
    assert!(!warned(0o640, &["account", "add", "b", "--generate", "--write"]));
    assert!(!warned(0o644, &["token", "add", "b"]));
}

#[test]
fn the_program_goes_by_the_names_that_other_mail_servers_have() {
    use std::os::unix::process::CommandExt as _;
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let called = |name: &str| place.command(&[]).arg0(name).output().unwrap();
    let list = place.run(&["queue", "list"]);
    let mailq = called("/usr/bin/mailq");
    // Programs that watch a queue by `mailq` take an empty one for trouble otherwise.
    assert_eq!((list.code, mailq.status.code()), (1, Some(0)), "{mailq:?}");
    assert_eq!(String::from_utf8(mailq.stdout).unwrap(), list.out);
    let old = place.run(&["sendmail", "-bp"]);
    assert_eq!((old.code, old.out), (0, list.out));
    let newaliases = called("newaliases");
    assert!(newaliases.status.success() && newaliases.stdout.is_empty(), "{newaliases:?}");
}

#[test]
fn generated_pages_are_those_in_docs() {
    let place = Place::new("");
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let run = place.run(&["man", "--check", docs]);
    assert_eq!(run.code, 0, "run `cargo run -- man`:\n{}", run.out);
}

/// All three were taken without a word, at the start as well.
#[test]
fn what_can_be_served_and_is_hardly_meant_is_advised_against() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$F4uiR32WRqWRUySEsaKXxw$eL+t5AN1ZljGMRJd0xh3O+EI36Ocp8PKDCdDvz27dxw";
    let place = Place::new(&format!(
        "hostname = \"mail.example.com\"\n[[egress]]\naddress = \"203.0.113.9\"\n[[egress]]\naddress = \"127.0.0.1\"\n\
         [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
         [[account]]\nname = \"shop\"\npassword = \"{hash}\"\ndomains = \"example.com\"\n"
    ));
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(place.path("repute.toml"), mode).unwrap();
    };
    mode(0o644);
    let said = place.run(&["config", "check"]).good();
    assert!(said.contains("is good: 1 domain(s), 1 account(s)\n\nIt can be served, and yet:\n"), "{said}");
    assert!(said.contains("repute.toml:3:11: mail cannot leave from 203.0.113.9 now"), "{said}");
    assert!(!said.contains("127.0.0.1"), "{said}");
    assert!(said.contains("repute.toml:11:12: everybody on this machine can read"), "{said}");
    assert!(said.contains("  fix  chmod o= "), "{said}");
    let json: serde_json::Value = serde_json::from_str(&place.run(&["--json", "config", "check"]).good()).unwrap();
    assert_eq!((json["faults"].as_array().unwrap().len(), json["advice"].as_array().unwrap().len()), (0, 2));
    mode(0o640);
    let said = place.run(&["config", "check"]).good();
    assert!(said.contains("203.0.113.9") && !said.contains("chmod"), "{said}");
}

#[test]
fn a_certificate_for_another_name_and_metrics_that_nobody_can_read_are_advised_against() {
    let place = Place::new(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n\
         [web]\nmetrics = \"loopback\"\n",
    );
    let made = rcgen::generate_simple_self_signed(vec!["mx.example.com".to_owned()]).unwrap();
    std::fs::write(place.path("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("k.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(place.path("k.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = place.run(&["config", "check"]).good();
    assert!(said.contains("repute.toml:4:15: the certificate does not name mail.example.com"), "{said}");
    assert!(said.contains("repute.toml:7:11: nobody can read the metrics"), "{said}");
}

#[test]
fn who_names_what_is_not_there_reads_that_it_is_not() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let token = place.run(&["token", "add", "web", "--account", "nope"]);
    assert_eq!((token.code, token.out.as_str()), (2, ""));
    assert!(token.err.contains("there is no account `nope`"), "{}", token.err);
    let report = place.run(&["reports", "show", "abc"]);
    assert_eq!(report.code, 2);
    assert!(report.err.contains("a report is shown by its number"), "{}", report.err);
    // It said nothing, and that all was well.
    for nothing in ["/dev/null", "-"] {
        let read = place.run_with(&["reports", "read", nothing], " \n");
        assert_eq!((read.code, read.out.as_str()), (2, ""));
        assert!(read.err.contains(&format!("there is nothing in {nothing}")), "{}", read.err);
    }
}

#[test]
fn a_word_that_would_hold_for_no_time_or_for_ever_is_refused() {
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let said = |time| place.run(&["permit", "suspend", "all", "all", "--reason", "x", "--for", time]);
    let meant = |time| place.run(&["circuit", "expect", "shop", "--for", time]);
    for time in ["0s", "500ms", "30d1s", "900d"] {
        for run in [said(time), meant(time)] {
            assert_eq!((run.code, run.out.as_str()), (2, ""), "{time}");
            assert!(run.err.contains("it holds for one second to 30 days"), "{}", run.err);
        }
    }
    // What is right is asked of the server, of which there is none.
    assert_eq!((said("30d").code, meant("1s").code), (75, 75));
}
