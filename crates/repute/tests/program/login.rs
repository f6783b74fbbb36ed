//! Log-ins end to end: clients that log in to the server with what `account add` made, and the
//! server that logs in to a relay host.

#[path = "../../../submission/tests/listeners/common/scram.rs"]
mod scram;

use std::os::unix::fs::PermissionsExt as _;

use crate::common::Place;
use crate::common::server::{PATIENCE, Server, closed_port, receiver};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use repute_testkit::{Dialogue, Mismatch, Wire};
use tokio::net::{TcpListener, TcpStream};

fn user() -> &'static str {
    if nix::unistd::geteuid().is_root() { "user = \"root\"\n" } else { "" }
}

/// A server whose only account, `shop`, was made by the command, and its password.
fn with_account(relay: u16) -> (Server, String) {
    let place = Place::new(&format!(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n{}\
         [resolver]\nservers = \"127.0.0.1:9\"\ndnssec = false\n\
         [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
         [[route]]\nhost = \"127.0.0.1\"\nport = {relay}\ntls = \"none\"\n\
         [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n",
        user()
    ));
    let made = place.run(&["--json", "account", "add", "shop", "--generate", "--write"]).good();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let password = made["password"].as_str().unwrap().to_owned();
    (Server::start_in(place), password)
}

#[test]
fn a_generated_password_is_good_for_send_and_a_wrong_one_is_not() {
    let (port, got) = receiver();
    let (server, password) = with_account(port);
    std::fs::write(server.place.path("password"), format!("{password}\n")).unwrap();
    std::fs::write(server.place.path("wrong"), "wrong\n").unwrap();
    let send = |file: &str, tls: &str| {
        let file = server.place.path(file);
        let server_args = ["--server", &server.address, "--tls", tls, "--insecure"];
        let login = ["--user", "shop", "--password-file", file.to_str().unwrap()];
        let mail = ["send", "--from", "shop@example.com", "--to", "bob@example.net", "--text", "hello"];
        server.place.run(&[&mail[..], &server_args, &login].concat())
    };
    let sent = send("password", "starttls").good();
    assert!(sent.contains("C: STARTTLS") && sent.contains("TLSv1.3"), "{sent}");
    assert!(sent.contains("C: AUTH PLAIN ********\nS: 235"), "{sent}");
    assert!(!sent.contains(&password), "{sent}");
    assert!(got.recv_timeout(PATIENCE).unwrap().contains("hello"));
    let wrong = send("wrong", "auto");
    assert!(wrong.code == 1 && wrong.out.contains("S: 535"), "{}", wrong.out);
    let clear = send("password", "none");
    assert!(clear.code != 0 && !clear.out.contains("AUTH PLAIN"), "{}{}", clear.out, clear.err);
}

#[tokio::test]
async fn each_mechanism_lets_the_right_password_in_and_no_other() {
    let (server, password) = with_account(closed_port());
    let login = |password: &str| {
        format!(
            "S: 220 *\nC: EHLO x\nS~ 250 STARTTLS\nC: AUTH PLAIN AHgAeA==\nS: 538 5.7.11 *\nC: STARTTLS\nS: 220 *\n\
             TLS\nC: EHLO x\nS~ 250 AUTH PLAIN LOGIN SCRAM-SHA-256\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n\
             C: {}\nS: 334 UGFzc3dvcmQ6\nC: {}\n",
            BASE64.encode("shop"),
            BASE64.encode(password)
        )
    };
    let plain = |password: &str| BASE64.encode(format!("\0shop\0{password}"));
    let good = format!("{}S: 235 *\nC: MAIL FROM:<a@example.com>\nS: 250 *\nC: QUIT\nS: 221 *\n", login(&password));
    let bad = format!("{}S: 535 5.7.8 *\nC: AUTH PLAIN {}\nS: 235 *\n", login("wrong"), plain(&password));
    for (name, text) in [("login", good), ("plain", bad)] {
        let stream = TcpStream::connect(&server.address).await.unwrap();
        Dialogue::parse(name, &text).as_client(stream).await.unwrap();
    }
    for (name, password, code) in [("shop", password.as_str(), "235"), ("shop", "wrong", "535"), ("nobody", "x", "535")]
    {
        let mut wire = Wire::new(TcpStream::connect(&server.address).await.unwrap());
        read_reply(&mut wire).await;
        ask(&mut wire, "EHLO x").await;
        ask(&mut wire, "STARTTLS").await;
        wire.start_tls_as_client("mail.example.com").await.unwrap();
        ask(&mut wire, "EHLO x").await;
        let answer = scram::log_in(&mut wire, name, password).await.unwrap();
        assert!(answer.starts_with(code), "{name} {password}: {answer}");
    }
}

async fn ask(wire: &mut Wire, command: &str) {
    wire.send(format!("{command}\r\n").as_bytes()).await.unwrap();
    read_reply(wire).await;
}

async fn read_reply(wire: &mut Wire) {
    while wire.line().await.unwrap().expect("a reply").get(3) == Some(&b'-') {}
}

/// Sends one message by way of a relay host that plays `dialogue`; `route` is what the
/// configuration says of it beside port and log-in. Returns what the log says of the attempt.
async fn by_relay(route: &str, dialogue: &str) -> (String, Result<(), Mismatch>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let place = Place::new(&format!(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n{}\
         [resolver]\nservers = \"127.0.0.1:9\"\ndnssec = false\n\
         [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
         [[route]]\nport = {port}\nuser = \"me\"\npassword_file = \"password\"\n{route}\n\
         [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
         [[account]]\nname = \"local\"\ndomains = \"example.com\"\naddresses = \"127.0.0.1\"\n",
        user()
    ));
    std::fs::write(place.path("password"), "secret\n").unwrap();
    std::fs::set_permissions(place.path("password"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut dialogue = Dialogue::parse("relay", dialogue);
    let (tls, certificate) = repute_testkit::tls::server_config_and_certificate(&["localhost"]);
    std::fs::write(place.path("roots.pem"), certificate).unwrap();
    dialogue.certificate(tls);
    let relay = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        dialogue.as_server(stream).await
    });
    let mut command = place.command(&["serve"]);
    // What the operating system trusts, for this process.
    command.env("SSL_CERT_FILE", place.path("roots.pem"));
    let attempt = tokio::task::spawn_blocking(|| {
        let mut server = Server::run(place, command);
        server.submit("bob@example.net");
        server.wait_for("to=bob@example.net attempt=1")
    });
    let said = attempt.await.unwrap();
    (said, relay.await.unwrap())
}

/// The dialogue is played to its end.
async fn by_willing_relay(route: &str, dialogue: &str) -> String {
    let (said, played) = by_relay(route, dialogue).await;
    played.unwrap_or_else(|mismatch| panic!("{mismatch}\n{said}"));
    said
}

/// base64 of `\0me\0secret`.
const LOG_IN: &str = "C: EHLO mail.example.com\nS: 250-relay\nS: 250 AUTH PLAIN LOGIN\nC: AUTH PLAIN AG1lAHNlY3JldA==\n\
                      S: 235 2.7.0 welcome\nC: MAIL FROM:<shop@example.com>\nS: 450 4.3.9 heard\n";

#[tokio::test]
async fn a_relay_host_is_told_the_password_behind_a_certificate_that_is_good_for_it() {
    let starttls =
        "S: 220 relay\nC: EHLO mail.example.com\nS: 250-relay\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\n";
    let said = by_willing_relay("host = \"localhost\"\ntls = \"verified\"", &format!("{starttls}{LOG_IN}")).await;
    assert!(said.contains("4.3.9") && said.contains("TLSv1.3"), "{said}");
    let said =
        by_willing_relay("host = \"localhost\"\ntls = \"implicit\"", &format!("TLS\nS: 220 relay\n{LOG_IN}")).await;
    assert!(said.contains("4.3.9") && said.contains("TLSv1.3"), "{said}");
}

/// What goes to loopback can be heard by nobody else.
#[tokio::test]
async fn a_relay_host_on_loopback_is_told_the_password_without_tls_too() {
    let clear = format!("S: 220 relay\n{LOG_IN}");
    for route in ["host = \"127.0.0.1\"", "host = \"localhost\"\ntls = \"none\""] {
        let said = by_willing_relay(route, &clear).await;
        assert!(said.contains("4.3.9"), "{said}");
    }
}

#[tokio::test]
async fn a_relay_host_whose_certificate_is_not_its_own_is_not_told_the_password() {
    let dialogue =
        "S: 220 relay\nC: EHLO mail.example.com\nS: 250-relay\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\n";
    // The certificate is for `localhost`.
    let (said, played) = by_relay("host = \"127.0.0.1\"\ntls = \"verified\"", dialogue).await;
    assert!(said.contains("4.7.10") && said.contains("the certificate is not valid for 127.0.0.1"), "{said}");
    assert!(played.is_err(), "the handshake ended well");
}
