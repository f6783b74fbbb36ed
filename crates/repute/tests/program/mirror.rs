//! `repute mirror` as a sender meets it: takes any message, says what it saw, and ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use crate::common::Place;
use repute_playground::dns::{DnsServer, Zones, lists};

const ZONES: &str = "
$ORIGIN .
$ORIGIN example.com.
@       TXT \"v=spf1 ip4:127.0.0.1 -all\"
_dmarc  TXT \"v=DMARC1; p=none\"
";

#[test]
fn a_message_is_taken_and_everything_about_it_is_said() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let zones = Zones::new();
    zones.load(&(ZONES.to_owned() + &lists(&[]))).unwrap();
    let dns = runtime.block_on(DnsServer::start("127.0.0.1:0".parse().unwrap(), zones)).unwrap();
    let place = Place::new("hostname = \"mail.example.com\"\nstate = \"state\"\n");
    let server = dns.address().to_string();
    let words =
        ["mirror", "--listen", "127.0.0.1:0", "--resolver", &server, "--json", "--count", "1", "--reply-report"];
    let mut child = place
        .command(&[&words[..], &["--folder", "seen"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(
            b"EHLO me.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@anywhere.test>\r\nDATA\r\n\
              From: a@example.com\r\nSubject: hello\r\n\r\nSee https://link.example.com/x\r\n.\r\nQUIT\r\n",
        )
        .unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert!(said.contains("250 2.0.0 trust") && said.contains("spf pass") && said.contains("Gmail"), "{said}");
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    let report: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&report["helo"], &report["tls"]), (&"me.example.com".into(), &false.into()));
    assert_eq!(report["links"][0], "link.example.com");
    let failed: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["outcome"] == "fail")
        .map(|f| f["id"].as_str().unwrap())
        .collect();
    for id in ["msg.id", "msg.date", "dkim.sign.verify", "tls.out"] {
        assert!(failed.contains(&id), "{id}: {failed:?}");
    }
    assert!(!failed.contains(&"spf.pass.each") && !failed.contains(&"dmarc.align"), "{failed:?}");
    assert!(place.read("seen/0001.eml").starts_with("From: a@example.com\r\n"));
    assert!(place.read("seen/0001.json").contains("\"receivers\""));
}
