//! Measures the reading of replies: `cargo run --release -p repute-trust --example replies`
//! classifies each of some typical refusals many times and says what one takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use repute_trust::replies::{classify, parse_pasted};

const REPLIES: [(&str, &str); 6] = [
    (
        "gmail-smtp-in.l.google.com",
        "550-5.7.25 [192.0.2.25] The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not match the sending IP. As a policy, Gmail does not accept messages from IPs with missing PTR records. For more information, go to 550 5.7.25 https://support.google.com/mail/answer/81126#ip-practices - gsmtp",
    ),
    (
        "mta5.am0.yahoodns.net",
        "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://senders.yahooinc.com/error-codes",
    ),
    (
        "example-com.mail.protection.outlook.com",
        "550 5.7.1 Service unavailable, Client host [192.0.2.25] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.25 (AS3130)",
    ),
    (
        "mx.example.net",
        "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown in local recipient table",
    ),
    ("mx.example.net", "451 4.7.1 <bob@example.net>: Recipient address rejected: Greylisted for 5 minutes"),
    ("mx.example.net", "550 nothing that is known"),
];

fn main() {
    const ROUNDS: u32 = 2_000;
    let mut all = Duration::ZERO;
    for (host, text) in REPLIES {
        let reply = parse_pasted(text).expect("a reply").reply;
        let rule = classify(&reply, Some(host)).rule;
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(classify(black_box(&reply), Some(host)));
        }
        let each = begun.elapsed() / ROUNDS;
        all += each;
        println!("{each:>10.1?}  {rule}");
    }
    println!("{:>10.1?}  on average", all / REPLIES.len() as u32);
}
