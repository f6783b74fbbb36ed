//! The receiver in raw dialogues: what it takes, what it refuses, what it writes down.

use std::net::SocketAddr;
use std::time::Duration;

use repute_playground::{
    Personality, Receiver,
    receiver::{Down, Users, dry::converse},
};
use repute_testkit::{Client, Dialogue};
use tokio::net::TcpStream;

const HOST: &str = "mx.shop.test";

async fn receiver(personality: Personality) -> Receiver {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Receiver::start(HOST, address, personality, None).await.unwrap()
}

async fn play(receiver: &Receiver, dialogue: &str) {
    let socket = TcpStream::connect(receiver.address()).await.unwrap();
    let name = format!("tests/dialogues/{dialogue}.smtp");
    Dialogue::load(name).patience(Duration::from_secs(5)).as_client(socket).await.unwrap();
}

#[tokio::test]
async fn it_takes_mail_in_each_way_that_it_offers() {
    let receiver = receiver(Personality::default().with_own_certificate(HOST)).await;
    play(&receiver, "takes").await;
    let messages = receiver.inbox().messages();
    let contents: Vec<&[u8]> = messages.iter().map(|m| &m.facts.content[..]).collect();
    assert_eq!(
        contents,
        [
            &b"Message-ID: <1@a.invalid>\r\n\r\n.one dot\r\n"[..],
            b"Message-ID: <2@a.invalid>\r\n\r\nchunk",
            b"Message-ID: <3@a.invalid>\r\n\r\nunder TLS\r\n"
        ]
    );
    assert_eq!(messages[0].facts.recipients, ["b@shop.test", "c@shop.test"]);
    assert_eq!(messages[0].message_id, "<1@a.invalid>");
    assert_eq!(messages[1].facts.from, None);
    assert!(messages[2].facts.tls.as_deref().unwrap().starts_with("TLSv1_3"));
    let counts = receiver.inbox().counts();
    assert_eq!((counts.messages, counts.recipients, counts.over_tls), (3, 4, 1));
    // MAIL before the second EHLO.
    assert_eq!(counts.protocol_errors, 1);
    assert_eq!(receiver.inbox().copies()[&("<1@a.invalid>".into(), "c@shop.test".into())], 1);
}

#[tokio::test]
async fn it_refuses_what_breaks_the_protocol() {
    let receiver = receiver(Personality { recipients: 2, ..Personality::default() }).await;
    play(&receiver, "refuses").await;
    assert_eq!(receiver.inbox().counts().messages, 0);
    assert_eq!(receiver.inbox().counts().protocol_errors, 9);
}

#[tokio::test]
async fn unknown_users_and_greylisted_triples_are_refused_one_by_one() {
    let personality = Personality {
        users: Users::all_but(["nobody"]),
        greylist: Some(Duration::from_millis(300)),
        ..Personality::default()
    };
    let receiver = receiver(personality).await;
    play(&receiver, "greylist").await;
    let counts = receiver.inbox().counts();
    assert_eq!((counts.greylisted, counts.unknown_users, counts.messages), (1, 2, 1));
}

#[tokio::test]
async fn it_is_down_at_first_and_then_up() {
    for down in [Down::For(Duration::from_millis(400)), Down::UntilTold] {
        let receiver = receiver(Personality { down, ..Personality::default() }).await;
        let refused = TcpStream::connect(receiver.address()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        receiver.come_up();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let (mut client, greeting) = Client::connect(receiver.address()).await.unwrap();
        assert_eq!(greeting.code, 220);
        assert_eq!(client.say("QUIT").await.unwrap().code, 221);
    }
}

#[tokio::test]
async fn it_hangs_up_and_sends_away_as_its_personality_says() {
    let personality = Personality {
        hang_up_every: Some(2),
        messages_per_connection: Some(1),
        connections: 1,
        ..Personality::default()
    };
    let receiver = receiver(personality).await;
    let (mut first, _) = Client::connect(receiver.address()).await.unwrap();
    let (_, busy) = Client::connect(receiver.address()).await.unwrap();
    assert_eq!(busy.code, 421);
    first.pipeline(&["EHLO a.invalid", "MAIL FROM:<>", "RCPT TO:<b@shop.test>"]).await.unwrap();
    assert_eq!(first.data(b"one\r\n").await.unwrap().code, 250);
    assert_eq!(first.say("MAIL FROM:<>").await.unwrap().code, 421);
    assert!(first.is_closed().await.unwrap());
    let (mut second, _) = Client::connect(receiver.address()).await.unwrap();
    second.pipeline(&["EHLO a.invalid", "MAIL FROM:<>", "RCPT TO:<b@shop.test>"]).await.unwrap();
    assert!(second.data(b"two\r\n").await.is_err());
    let counts = receiver.inbox().counts();
    assert_eq!((counts.messages, counts.hung_up), (1, 1));
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_in_however_many_pieces_it_comes() {
    let said = [b"EHLO a.invalid\r\nNOOP ", &[b'x'; 5000][..], b"\r\nNOOP\r\n"].concat();
    let (whole, _) = converse(&said, said.len()).await;
    let whole = String::from_utf8(whole).unwrap();
    assert!(whole.contains("\r\n250 SIZE ") && whole.ends_with("\r\n500 5.5.2 The line is too long\r\n"), "{whole}");
    for cut in [1, 7, 4096] {
        assert_eq!(converse(&said, cut).await.0, whole.as_bytes(), "in pieces of {cut}");
    }
}
