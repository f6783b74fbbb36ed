//! The watch looks at servers: as which address mail leaves, whether it can, and whether bounces come back.

use std::sync::Mutex;

use repute_net::ConnectKind;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::*;

/// A mail host that says in EHLO from which address it sees its clients.
fn says_where_from(scene: &mut Scene, seen: &Arc<Mutex<String>>) {
    let mut listener = scene.world.network.listen("198.51.100.1:25".parse().unwrap());
    let seen = seen.clone();
    tokio::spawn(async move {
        while let Some(incoming) = listener.accept().await {
            let seen = seen.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(incoming.stream);
                let _ = stream.write_all(b"220 big.test ready\r\n").await;
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                    let answer = match line.starts_with("EHLO") {
                        true => format!("250-big.test at your service, [{seen}]\r\n250 SIZE\r\n"),
                        false => "250 ok\r\n".to_owned(),
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                    line.clear();
                }
            });
        }
    });
}

const BIG: &str = "big.test A 198.51.100.1\n";

/// The server is started again, and its watch connects: to big.test, to itself, and to the domain's MX host.
async fn connects(scene: &mut Scene) {
    scene.world.stop().await;
    let network = scene.world.network.clone();
    for nobody in ["203.0.113.10:25", "192.0.2.9:25"] {
        network.fail(nobody.parse().unwrap(), ConnectKind::Refused);
    }
    scene.world.trust.as_mut().unwrap().network = Some(network);
    scene.world.permit.hosts = vec![domain("big.test")];
    scene.world.start().await;
}

#[tokio::test(start_paused = true)]
async fn while_receivers_see_another_address_mail_waits() {
    let mut scene = Scene::new(&[A], &[], BIG).await;
    let seen = Arc::new(Mutex::new(A.to_owned()));
    says_where_from(&mut scene, &seen);
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    connects(&mut scene).await;
    pass(HOUR).await;
    assert_eq!(scene.words(), ["203.0.113.10 permitted"]);
    // A router in between rewrites what goes out.
    *seen.lock().unwrap() = "192.0.2.77".into();
    pass(20 * MINUTE).await;
    assert_eq!(scene.words(), ["203.0.113.10 suspended"]);
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 0);
    let incidents = scene.world.incident_lines();
    assert!(incidents.contains(&"opened ip.egress 203.0.113.10".to_owned()), "{incidents:?}");
    *seen.lock().unwrap() = A.into();
    pass(10 * MINUTE).await;
    assert_eq!((scene.words(), b.taken().len()), (vec!["203.0.113.10 permitted".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_25_is_told_once_and_holds_no_mail() {
    let mut scene = Scene::new(&[A], &[], BIG).await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    scene.world.network.fail("198.51.100.1:25".parse().unwrap(), ConnectKind::TimedOut);
    connects(&mut scene).await;
    pass(2 * HOUR).await;
    let told = |scene: &Scene| {
        scene.world.incident_lines().into_iter().filter(|l| l.contains("ip.port25 ")).collect::<Vec<_>>()
    };
    assert_eq!(told(&scene), ["opened ip.port25 203.0.113.10"]);
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!((scene.words(), b.taken().len()), (vec!["203.0.113.10 permitted".to_owned()], 1));
    says_where_from(&mut scene, &Arc::new(Mutex::new(A.to_owned())));
    pass(20 * MINUTE).await;
    assert_eq!(told(&scene)[1..], ["closed ip.port25 203.0.113.10"]);
}

#[tokio::test(start_paused = true)]
async fn a_running_server_whose_return_path_is_deaf_tells_it() {
    let mut scene = Scene::new(&[A], &[], BIG).await;
    says_where_from(&mut scene, &Arc::new(Mutex::new(A.to_owned())));
    scene.say(&["mx.example.com"], &format!("{BIG}mx.example.com A {A}\n"));
    connects(&mut scene).await;
    pass(5 * MINUTE).await;
    let incidents = scene.world.incident_lines();
    assert!(incidents.iter().any(|line| line.starts_with("opened name.bounce.accepts")), "{incidents:?}");
    assert_eq!(scene.words(), ["203.0.113.10 permitted"]);
}
