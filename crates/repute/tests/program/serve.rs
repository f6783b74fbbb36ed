//! The server as a process: it says that it is ready, takes mail, keeps it, answers the
//! command line, reloads, and ends in order.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::Place;
use crate::common::server::{PATIENCE, Server, Talk, closed_port, receiver};
use nix::sys::signal::Signal;

#[test]
fn a_message_is_taken_delivered_and_accounted_for() {
    let (port, got) = receiver();
    let mut server = Server::start(port);
    let reply = server.submit("bob@example.net");
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Message-ID: <"), "{content}");
    server.wait_for("delivered ");
    let id = reply.split(' ').find(|word| word.len() == 13).unwrap_or_else(|| panic!("no id in {reply}")).to_owned();
    for about in [id.as_str(), "bob@example.net"] {
        let why = server.place.run(&["why", about]).good();
        assert!(why.contains("accepted from <shop@example.com>"), "{why}");
        assert!(why.contains("delivered bob@example.net"), "{why}");
    }
    let status = server.place.run(&["status"]).good();
    assert!(status.starts_with("running: 0 part(s) queued"), "{status}");

    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_end(), 0);
    // What happened is known without a server, too.
    let why = server.place.run(&["why", &id]).good();
    assert!(why.contains("delivered bob@example.net"), "{why}");
    assert!(!server.place.path("state/control.sock").exists());
}

#[test]
fn what_waits_can_be_listed_held_released_and_cancelled() {
    let mut server = Server::start(closed_port());
    server.submit("bob@example.net");
    server.wait_for("deferred ");
    let list = server.place.run(&["queue", "list"]).good();
    assert!(list.contains("bob@example.net"), "{list}");
    let show = server.place.run(&["queue", "show", "--domain", "example.net"]).good();
    assert!(show.contains("shop@example.com"), "{show}");

    server.place.run(&["queue", "hold", "--domain", "example.net", "--reason", "a test"]).good();
    let held = server.place.run(&["queue", "list", "--held"]).good();
    assert!(held.contains("a test"), "{held}");
    assert_eq!(server.place.run(&["queue", "hold", "--domain", "other.test"]).code, 1);

    // It outlives a restart.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_end(), 0);
    let offline = server.place.run(&["queue", "list", "--held"]).good();
    assert!(offline.contains("a test"), "{offline}");
    let config = server.place.read("repute.toml");
    let state = server.place.path("state");
    let again = Place::new(&config.replace("\"state\"", &format!("\"{}\"", state.display())));
    let mut second = Server::start_in(again);
    let held = second.place.run(&["queue", "list", "--held"]).good();
    assert!(held.contains("a test"), "{held}");

    second.place.run(&["queue", "release", "--all"]).good();
    second.wait_for("deferred ");
    let gone = second.place.run(&["queue", "cancel", "--sender", "@example.com"]).good();
    assert!(gone.contains('1'), "{gone}");
    let until = Instant::now() + PATIENCE;
    while second.place.run(&["queue", "list"]).code == 0 {
        assert!(Instant::now() < until, "the cancelled message stays");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A file that somebody is in the middle of editing used to hide the server from everybody.
#[test]
fn a_server_is_looked_at_also_while_its_file_has_faults() {
    let server = Server::start(receiver().0);
    let good = server.place.read("repute.toml");
    for faulty in [format!("{good}\n[[account]]\nname = \"half\"\n"), format!("{good}\n[[account]\n")] {
        std::fs::write(server.place.path("repute.toml"), faulty).unwrap();
        let status = server.place.run(&["status"]);
        assert!(status.code == 0 && status.out.contains("running"), "{}{}", status.out, status.err);
        assert!(status.err.contains("has faults, which `repute config check` tells"), "{}", status.err);
        // It refused, of all that look.
        let webhooks = server.place.run(&["webhook", "list"]);
        assert_eq!((webhooks.code, webhooks.out.as_str()), (1, "the server has no [[webhook]]\n"), "{}", webhooks.err);
        assert_eq!(server.place.run(&["config", "check"]).code, 2);
    }
}

#[test]
fn sendmail_submits_as_its_user() {
    let (port, got) = receiver();
    let server = Server::start(port);
    let mail = "From: root (Cron Daemon)\nTo: bob@example.net\nBcc: secret@example.net\nSubject: cron\n\nit ran\n";
    let run = server.place.run_with(&["sendmail", "-t", "-oi"], mail);
    assert_eq!(run.code, 0, "{}", run.err);
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("From: root@example.com (Cron Daemon)"), "{content}");
    assert!(!content.contains("secret@example.net"), "{content}");

    let forged = server.place.run_with(&["sendmail", "-f", "ceo@other.test", "bob@example.net"], "hello\n");
    assert_eq!(forged.code, 77, "{}", forged.err);
    assert!(forged.err.contains("other.test"), "{}", forged.err);

    let smtp = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n\
                From: a@example.com\r\nSubject: by pipe\r\n\r\nhello\r\n.\r\nQUIT\r\n";
    let piped = server.place.run_with(&["sendmail", "-bs"], smtp);
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert!(piped.out.starts_with("220 mail.example.com"), "{}", piped.out);
    assert!(piped.out.contains("\r\n221 "), "{}", piped.out);
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Subject: by pipe"), "{content}");
}

#[test]
fn send_prints_the_conversation() {
    let (port, got) = receiver();
    let server = Server::start(port);
    let ca = server.place.path("state/tls/certificate.pem");
    let to = ["--from", "shop@example.com", "--to", "bob@example.net", "--server", &server.address];
    let plain =
        server.place.run(&[&["send", "--tls", "none", "--subject", "Grüße", "--text", "hällo"], &to[..]].concat());
    assert!(plain.good().contains("C: MAIL FROM:<shop@example.com>"));
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="), "{content}");
    // The self-signed certificate names the server, not 127.0.0.1.
    let strict = server.place.run(&[&["send", "--ca", ca.to_str().unwrap(), "--text", "x"], &to[..]].concat());
    assert_eq!(strict.code, 1, "{}", strict.out);
    let lax = server.place.run(&[&["send", "--insecure", "--text", "x", "--html", "<p>x"], &to[..]].concat()).good();
    assert!(lax.contains("TLSv1.3"), "{lax}");
    let refused = server.place.run(&[
        "send",
        "--from",
        "x@other.test",
        "--to",
        "bob@example.net",
        "--tls",
        "none",
        "--server",
        &server.address,
    ]);
    assert_eq!(refused.code, 1, "{}", refused.out);
}

#[test]
fn a_reload_takes_on_what_it_can_and_says_what_it_cannot() {
    let (port, _got) = receiver();
    let mut server = Server::start(port);
    let config = server.place.read("repute.toml");
    let changed = config
        .replace("mail.example.com", "mx.example.com")
        .replace("[sendmail]", "[[domain]]\nname = \"example.org\"\ndanger_unsigned = true\n[sendmail]")
        .replace("domains = \"example.com\"", "domains = [\"example.com\", \"example.org\"]");
    std::fs::write(server.place.path("repute.toml"), changed).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("repute: reloaded");
    server.wait_for("hostname has changed and needs a restart");
    let mut talk = Talk::to(&server.address);
    talk.say("EHLO client.example", "250");
    talk.say("MAIL FROM:<new@example.org>", "250");

    std::fs::write(server.place.path("repute.toml"), "host = 5\n").unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("not reloaded, everything stays as it was");
    talk.say("RSET", "250");
    talk.say("MAIL FROM:<new@example.org>", "250");
}

/// A state folder that was copied or loosened was taken without a word.
#[test]
fn a_state_folder_that_others_could_read_is_closed_with_a_warning() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mut first = Server::start(closed_port());
    first.signal(Signal::SIGTERM);
    assert_eq!(first.wait_for_end(), 0);
    assert!(!first.said.contains("WARNING: other users"), "{}", first.said);
    let names = ["state/tokens.key", "state/tls", "state/tls/key.pem", "state/spool", "state/spool/spool.sqlite"];
    for name in names {
        std::fs::set_permissions(first.place.path(name), std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let state = format!("\"{}\"", first.place.path("state").display());
    let second = Server::start_in(Place::new(&first.place.read("repute.toml").replace("\"state\"", &state)));
    let warning = second.said.lines().find(|line| line.contains("WARNING: other users of this machine")).unwrap();
    assert!(warning.contains("tokens.key") && warning.contains("tls/key.pem"), "{warning}");
    for name in names {
        let meta = std::fs::metadata(first.place.path(name)).unwrap();
        assert_eq!(meta.mode() & 0o777, if meta.is_dir() { 0o700 } else { 0o600 }, "{name}");
    }
}

/// Every link and return path that was out in the world was refused from then on, and nobody knew why.
#[test]
fn a_state_folder_that_was_put_back_without_its_key_is_warned_of() {
    let mut first = Server::start(closed_port());
    first.signal(Signal::SIGTERM);
    assert_eq!(first.wait_for_end(), 0);
    assert!(!first.said.contains("tokens.key"), "{}", first.said);
    let state = format!("\"{}\"", first.place.path("state").display());
    let toml = first.place.read("repute.toml").replace("\"state\"", &state);
    let mut second = Server::start_in(Place::new(&toml));
    assert!(!second.said.contains("tokens.key"), "{}", second.said);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.wait_for_end(), 0);
    std::fs::remove_file(first.place.path("state/tokens.key")).unwrap();
    let third = Server::start_in(Place::new(&toml));
    assert!(third.said.contains("WARNING: tokens.key is missing"), "{}", third.said);
}

/// A program on this machine that answers every request with the status that it is given.
fn web_receiver(status: std::sync::Arc<std::sync::atomic::AtomicU16>) -> u16 {
    use std::io::{BufRead as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut read = std::io::BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while read.read_line(&mut line).is_ok_and(|n| n > 2) {
                let field = line.to_ascii_lowercase();
                length = field.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
                line.clear();
            }
            let _ = read.read_exact(&mut vec![0; length]);
            let status = status.load(std::sync::atomic::Ordering::Relaxed);
            let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = read.get_mut().write_all(answer.as_bytes());
        }
    });
    port
}

fn webhook_in(place: &Place, port: u16) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = place.path("secret");
    std::fs::write(&secret, place.run(&["webhook", "secret"]).good()).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[[webhook]]\nname = \"gone\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"secret\"\n\
         allow_private = true\n"
    )
}

/// The answer of a command, as soon as it is as it has to be.
fn until(place: &Place, args: &[&str], is_so: impl Fn(&crate::common::Run) -> bool) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let run = place.run(args);
        if is_so(&run) {
            return run.out;
        }
        assert!(Instant::now() < end, "{args:?}: {} {}\n{}", run.code, run.out, run.err);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The log told the incident, and `repute incidents` said that nothing was open.
#[test]
fn a_webhook_that_was_disabled_is_an_open_incident_until_it_is_resumed() {
    let status = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(410));
    let port = web_receiver(status.clone());
    let place = two_listeners();
    let config = format!(
        "{}[watch]\nenabled = false\n[permit]\nenforce = false\n{}",
        place.read("repute.toml"),
        webhook_in(&place, port)
    );
    std::fs::write(place.path("repute.toml"), config).unwrap();
    let mut server = Server::start_in(place);
    assert_eq!(server.place.run(&["incidents"]).good(), "nothing is open\n");
    server.submit("bob@example.net");
    let said = until(&server.place, &["incidents"], |run| run.code == 1);
    assert!(said.contains("webhook (gone)") && said.contains("repute webhook resume gone"), "{said}");
    // It outlives a restart.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_end(), 0);
    let state = format!("\"{}\"", server.place.path("state").display());
    let again = Place::new(&server.place.read("repute.toml").replace("\"state\"", &state));
    std::fs::copy(server.place.path("secret"), again.path("secret")).unwrap();
    let second = Server::start_in(again);
    let open: serde_json::Value = serde_json::from_str(&second.place.run(&["--json", "incidents"]).out).unwrap();
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    assert_eq!((&open[0]["what"], &open[0]["subject"]), (&"webhook".into(), &"gone".into()));
    status.store(204, std::sync::atomic::Ordering::Relaxed);
    second.place.run(&["webhook", "resume", "gone"]).good();
    until(&second.place, &["incidents"], |run| run.code == 0);
    let all: serde_json::Value =
        serde_json::from_str(&second.place.run(&["--json", "incidents", "--all"]).good()).unwrap();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["id"]), (1, &open[0]["id"]), "{all}");
    assert!(all[0]["closed"].is_string(), "{all}");
}

/// `repute webhook list` said that there was none in the configuration, which there was.
#[test]
fn a_first_webhook_is_told_to_need_a_restart() {
    let mut server = Server::start_in(two_listeners());
    let none = server.place.run(&["webhook", "list"]);
    assert_eq!((none.code, none.out.as_str()), (1, "the server has no [[webhook]]\n"));
    let config = format!("{}{}", server.place.read("repute.toml"), webhook_in(&server.place, closed_port()));
    std::fs::write(server.place.path("repute.toml"), config).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("[[webhook]], [events]) has changed and needs a restart");
    server.wait_for("the first [[webhook]] is told nothing until then");
    let list = server.place.run(&["webhook", "list"]);
    assert!(
        list.code == 1 && list.out.starts_with("gone is in the configuration, and the server has not"),
        "{}",
        list.out
    );
    assert!(list.out.contains("needs a restart"), "{}", list.out);
}

#[test]
fn the_list_and_a_look_are_json_where_json_was_asked_for() {
    let server = Server::start(closed_port());
    server.place.run(&["suppression", "add", "bob@example.net"]).good();
    let line = server.place.run(&["--json", "suppression", "export"]).good();
    let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(entry["address"], "bob@example.net", "{line}");
    let csv = server.place.run(&["--json", "suppression", "export", "--format", "csv"]).good();
    assert!(csv.starts_with("address,"), "{csv}");
    let check = server.place.run(&["--json", "permit", "check"]).good();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&check).unwrap()["checking"], true);
}

#[test]
fn a_second_server_on_the_same_state_is_refused() {
    let server = Server::start(closed_port());
    let mut second = server.place.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(said.contains("another server runs already"), "{said}");
    server.place.run(&["status"]).good();
}

#[test]
fn a_message_over_the_local_socket_may_end_after_the_signal() {
    let mut server = Server::start(closed_port());
    let socket = server.place.path("state/sendmail.sock");
    let (mut busy, mut idle) = (Talk::locally(&socket), Talk::locally(&socket));
    for talk in [&mut busy, &mut idle] {
        talk.say("EHLO localhost", "250");
    }
    busy.say("MAIL FROM:<cron@example.com>", "250");
    busy.say("RCPT TO:<bob@example.net>", "250");
    busy.say("DATA", "354");
    server.signal(Signal::SIGTERM);
    idle.hear("421 4.3.2");
    idle.ended();
    busy.say("From: cron@example.com\r\nSubject: late\r\n\r\nit ran\r\n.", "250");
    assert_eq!(server.wait_for_end(), 0);
    let queued = server.place.run(&["queue", "list"]).good();
    assert!(queued.contains("bob@example.net"), "{queued}");
}

#[test]
fn the_memory_of_content_is_one_for_all_clients() {
    let server = Server::with(closed_port(), "[limits]\nincoming_memory = \"10KiB\"\n");
    let begin = |mut talk: Talk, code: &str| {
        talk.say("EHLO client.example", "250");
        talk.say("MAIL FROM:<shop@example.com>", "250");
        talk.say("RCPT TO:<bob@example.net>", "250");
        talk.say("DATA", code);
        talk
    };
    let _local = begin(Talk::locally(&server.place.path("state/sendmail.sock")), "354");
    begin(Talk::to(&server.address), "452 4.3.1");
}

#[test]
fn an_end_that_breaks_attempts_off_is_said() {
    // A receiver that never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut server = Server::with(port, "[limits]\ndrain = \"1s\"\n");
    server.submit("bob@example.net");
    let _held = silent.accept().unwrap();
    server.signal(Signal::SIGTERM);
    server.wait_for("attempts under way did not end within 1 s");
    assert_eq!(server.wait_for_end(), 0);
    assert!(server.place.run(&["queue", "list"]).good().contains("bob@example.net"));
}

/// Started as systemd starts it: two sockets from descriptor 3 on, each with a name. They reach the
/// shell as its standard input and output, which any program can hand on.
fn started_with_sockets(place: &Place, names: &str) -> (std::process::Command, [String; 2]) {
    let sockets = [0, 1].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [0, 1].map(|i: usize| sockets[i].local_addr().unwrap().to_string());
    let serve = place.command(&["serve"]);
    let mut shell = std::process::Command::new("sh");
    let script = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\" 3<&0 4<&1 0</dev/null 1>/dev/null";
    shell.arg("-c").arg(script).arg(serve.get_program()).args(serve.get_args());
    shell.current_dir(serve.get_current_dir().unwrap()).env("LISTEN_FDNAMES", names);
    let [first, second] = sockets.map(std::os::fd::OwnedFd::from);
    shell.stdin(first).stdout(second);
    (shell, addresses)
}

fn two_listeners() -> Place {
    let user = if nix::unistd::geteuid().is_root() { "user = \"root\"\n" } else { "" };
    Place::new(&format!(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n{user}\
         [resolver]\nservers = \"127.0.0.1:9\"\ndnssec = false\n\
         [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
         [[listener]]\nkind = \"submissions\"\naddress = \"127.0.0.1:0\"\n\
         [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
         [[account]]\nname = \"local\"\ndomains = \"example.com\"\naddresses = \"127.0.0.1\"\n"
    ))
}

#[test]
fn sockets_handed_over_by_systemd_go_where_their_names_say() {
    let place = two_listeners();
    let (command, [first, second]) = started_with_sockets(&place, "submissions:submission");
    let server = Server::run(place, command);
    assert_eq!(server.address, second);
    assert!(server.said.contains(&format!("submissions={first}")), "{}", server.said);
    server.submit("bob@example.net");
}

#[test]
fn a_socket_handed_over_that_no_listener_has_is_an_error() {
    let place = two_listeners();
    let (mut command, [_, second]) = started_with_sockets(&place, "submission:return");
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("a socket on {second}, and no [[listener]] has")), "{said}");
}
