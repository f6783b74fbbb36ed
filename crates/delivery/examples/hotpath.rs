//! How much one message costs on a session that is open: `cargo run --release -p
//! repute-delivery --example hotpath -- [chunking|pipelining|plain] [messages]`. The sink is a
//! thread of its own that answers as fast as it can; what is printed is this side's CPU time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Instant;

use repute_delivery::{Connection, DeliverySettings, Egress, Routes, Sent, Transaction, Wanted};
use repute_dns::ZoneFake;
use repute_net::{TcpNetwork, TlsClient};
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Domain, Recipient, SeededRandom, Verdict};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "pipelining".into());
    let messages: u32 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    let sink_mode = mode.clone();
    std::thread::spawn(move || sink(&listener, &sink_mode));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (wall, cpu) = runtime.block_on(send(port, messages));
    println!("{mode}: {messages} messages, {wall:.1} µs each, of which {cpu:.1} µs CPU on this side");
}

async fn send(port: u16, messages: u32) -> (f64, f64) {
    let zone = ZoneFake::parse("b.test MX 10 mx.b.test\nmx.b.test A 127.0.0.1");
    let settings = DeliverySettings { danger_allow_loopback: true, mx_port: port, ..DeliverySettings::default() };
    let egress = Egress::unbound(Domain::parse("mail.a.test").expect("a name"));
    let network = TcpNetwork::new(TlsClient::without_roots());
    let recipient = Recipient::to(Address::parse("x@b.test").expect("an address"));
    let from = Address::parse("a@a.test").expect("an address");
    let mut content = Content::from("Subject: hello\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\n\r\n");
    content.push("hello, this is a line of some text or other.\r\n".repeat(88));
    let options = EnvelopeOptions::default();
    let transaction = Transaction {
        from: Some(&from),
        options: &options,
        recipients: &[&recipient],
        content: &content,
        chunks: true,
    };
    let domain = recipient.address.domain();
    let routes = Routes::default();
    let route = routes.resolve(domain, &egress, &settings, &zone, &SeededRandom::new(1)).await.expect("a route");
    let opened =
        Connection::open(&route, Wanted { domain, require_tls: false }, &egress, &settings, &network, &zone).await;
    let mut connection = opened.expect("the sink listens");
    let (start, cpu) = (Instant::now(), cpu_of_this_thread());
    for _ in 0..messages {
        match connection.send(&transaction).await {
            Sent::Done(outcomes) => {
                let delivered = outcomes.iter().flatten().filter(|o| o.verdict == Verdict::Delivered).count();
                assert_eq!(delivered, outcomes.len(), "{outcomes:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let each = |micros: f64| micros / f64::from(messages);
    (each(start.elapsed().as_micros() as f64), each(cpu_of_this_thread() - cpu))
}

/// In microseconds, from the scheduler's own account.
fn cpu_of_this_thread() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos: f64 = text.split(' ').next().and_then(|n| n.parse().ok()).expect("it begins with a number");
    nanos / 1000.0
}

/// Answers by counting line ends, BDAT sizes and final dots.
fn sink(listener: &TcpListener, mode: &str) {
    let (mut socket, _) = listener.accept().expect("the client comes");
    socket.set_nodelay(true).expect("TCP has it");
    socket.write_all(b"220 sink\r\n").expect("the client is there");
    let (mut buffer, mut held, mut in_data) = (vec![0; 65536], Vec::new(), false);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => held.extend_from_slice(&buffer[..count]),
        }
        let mut reply = Vec::new();
        loop {
            if in_data {
                let Some(end) = held.windows(5).position(|w| w == b"\r\n.\r\n") else { break };
                held.drain(..end + 5);
                in_data = false;
                reply.extend_from_slice(b"250 2.0.0 taken\r\n");
                continue;
            }
            let Some(end) = held.iter().position(|b| *b == b'\n') else { break };
            let line = String::from_utf8_lossy(&held[..end]).trim_end().to_owned();
            let size = line.strip_prefix("BDAT ").map(|rest| {
                let digits = rest.split(' ').next().unwrap_or("0");
                digits.parse::<usize>().expect("BDAT has a size")
            });
            if size.is_some_and(|size| held.len() < end + 1 + size) {
                break;
            }
            held.drain(..end + 1 + size.unwrap_or(0));
            reply.extend_from_slice(match (line.get(..4), mode) {
                (Some("EHLO"), "chunking") => b"250-sink\r\n250-PIPELINING\r\n250 CHUNKING\r\n".as_slice(),
                (Some("EHLO"), "pipelining") => b"250-sink\r\n250 PIPELINING\r\n",
                (Some("EHLO"), _) => b"250 sink\r\n",
                (Some("DATA"), _) => b"354 go\r\n",
                _ => b"250 2.1.0 ok\r\n",
            });
            in_data = line == "DATA";
        }
        socket.write_all(&reply).expect("the client is there");
    }
}
