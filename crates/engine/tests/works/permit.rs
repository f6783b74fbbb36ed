//! Mail leaves only under a permit: names are lost and found, name servers fall silent, the server
//! is started again, and no message is lost, bounced or sent badly for it.

mod connects;
mod own;
mod refused;
mod unwelcome;

use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{Egress, HostName, Relay, Routes, TlsNeed};
use repute_dns::ServersFake;
use repute_engine::control::{QueueRow, Selector};
use repute_engine::permit::TrustDoors;
use repute_engine::permit::operator::Say;
use repute_ledger::Trust;
use repute_trust::permit::Word;
use repute_types::Verdict::{Delivered, Failed};

use crate::world::*;

const A: &str = "203.0.113.10";
const B: &str = "203.0.113.11";

/// A world whose DNS a test can break.
struct Scene {
    world: World,
    dns: Arc<ServersFake>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Mail leaves from these addresses; all is well but for the lines that are left out.
    async fn new(addresses: &[&str], without: &[&str], more: &str) -> Scene {
        let mut world = World::unstarted();
        world.domains.retain(|domain| domain.name.as_str() == "example.com");
        world.egresses = egresses(addresses);
        let folder = tempfile::tempdir().unwrap();
        let dns = Arc::new(ServersFake::parse(&zone(&world, without, more)));
        let store = Arc::new(Trust::open(&folder.path().join("trust.sqlite")).unwrap());
        world.trust = Some(TrustDoors { dns: dns.clone(), network: None, store, own: None });
        world.start().await;
        Scene { world, dns, _folder: folder }
    }

    /// From now on these lines are not there, and these are.
    fn say(&self, without: &[&str], more: &str) {
        self.dns.replace(&zone(&self.world, without, more));
    }

    async fn queued(&self) -> Vec<QueueRow> {
        let all = Selector { all: true, ..Selector::default() };
        self.world.control().list(&all, 100).await.unwrap().rows
    }

    fn words(&self) -> Vec<String> {
        let rows = self.world.control().permits().rows;
        rows.iter().map(|row| format!("{} {}", row.address.unwrap(), row.word)).collect()
    }
}

fn egresses(addresses: &[&str]) -> Vec<Arc<Egress>> {
    let egress = |address: &&str| {
        let (v4, v6) = (address.parse().ok(), address.parse().ok());
        Arc::new(Egress { name: (*address).into(), ehlo: ehlo(address), v4, v6, narrowed: false })
    };
    addresses.iter().map(egress).collect()
}

fn ehlo(address: &str) -> repute_types::Domain {
    domain(&format!("{}.example.com", address.replace(['.', ':'], "-")))
}

fn zone(world: &World, without: &[&str], more: &str) -> String {
    let mut lines = vec![
        "example.com NS ns1.example.com".to_owned(),
        "example.com SOA 1".to_owned(),
        "in-addr.arpa NS ns1.example.com".to_owned(),
        "ip6.arpa NS ns1.example.com".to_owned(),
        // A resolver that black lists answer.
        "2.0.0.127.zen.spamhaus.org A 127.0.0.2".to_owned(),
        "ns1.example.com A 192.0.2.1".to_owned(),
        "example.com MX 10 mx.example.com".to_owned(),
        "mx.example.com A 192.0.2.9".to_owned(),
        "_dmarc.example.com TXT v=DMARC1; p=reject".to_owned(),
    ];
    let mut spf = "example.com TXT v=spf1".to_owned();
    for egress in &world.egresses {
        let (address, name) = (egress.name.as_str(), &egress.ehlo);
        let (kind, term) = if egress.v4.is_some() { ("A", "ip4") } else { ("AAAA", "ip6") };
        lines.push(format!("{name} {kind} {address}"));
        lines.push(format!("{address} PTR {name}"));
        spf += &format!(" {term}:{address}");
    }
    lines.push(spf + " -all");
    for key in &world.domains[0].keys {
        lines.push(format!("{}._domainkey.example.com TXT {}", key.selector(), key.record()));
    }
    lines.retain(|line| !without.iter().any(|gone| line.starts_with(gone)));
    lines.join("\n") + "\n" + more
}

const TO: &str = "bob@b.test";
const NO_NAME: &str = "203.0.113.10 PTR";

async fn submit(scene: &Scene) {
    scene.world.submit("shop@example.com", &[TO]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_first_permit_is_had_at_once_and_nothing_leaves_before() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    submit(&scene).await;
    pass(Duration::from_secs(5)).await;
    assert_eq!(b.taken().len(), 1);
    assert_eq!(scene.words(), ["203.0.113.10 permitted"]);
    // An address for documentation is warned of: a third of its check's 30 points.
    assert_eq!(scene.world.control().permits().rows[0].trust, 90);
}

#[tokio::test(start_paused = true)]
async fn a_lost_name_holds_mail_until_it_is_there_again_and_nothing_is_bounced() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    scene.say(&[NO_NAME], "");
    pass(2 * MINUTE).await;
    assert_eq!(scene.words(), ["203.0.113.10 suspended"]);
    submit(&scene).await;
    pass(10 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.world.verdicts(TO)), (0, vec![]));
    let rows = scene.queued().await;
    assert_eq!((rows.len(), rows[0].state), (1, "barred"));
    let reason = rows[0].reason.clone().unwrap();
    assert!(reason.contains("no permit for example.com from 203.0.113.10") && reason.contains("fix:"), "{reason}");
    assert_eq!(scene.world.incident_lines(), ["opened name.ptr.exists 203.0.113.10"]);
    scene.say(&[], "");
    pass(3 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.world.verdicts(TO)), (1, vec![(1, Delivered)]));
    assert_eq!(scene.world.incident_lines()[1..], ["closed name.ptr.exists 203.0.113.10"]);
    assert!(scene.world.spool.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_the_pool_has_another_address_mail_leaves_from_there() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    submit(&scene).await;
    pass(MINUTE).await;
    let usual = scene.world.left_from(TO);
    let lost = format!("{} PTR", usual[0]);
    scene.say(&[&lost], "");
    pass(2 * MINUTE).await;
    submit(&scene).await;
    pass(MINUTE).await;
    scene.say(&[], "");
    pass(5 * MINUTE).await;
    submit(&scene).await;
    pass(MINUTE).await;
    let left = scene.world.left_from(TO);
    assert_eq!(left.len(), 3);
    assert!(left[1] != left[0] && left[2] == left[0], "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_and_failing_servers_change_nothing() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    for trouble in ["SERVFAIL", "TIMEOUT"] {
        let names = ["203.0.113.10", "203-0-113-10.example.com", "example.com", "_dmarc.example.com"];
        let keys = ["r._domainkey.example.com", "e._domainkey.example.com"];
        let storm: String = names.iter().chain(&keys).map(|name| format!("{name} {trouble}\n")).collect();
        scene.say(&["203.0.113.10", "example.com TXT", "example.com MX", "_dmarc", "r._", "e._"], &storm);
        pass(30 * MINUTE).await;
        submit(&scene).await;
        pass(MINUTE).await;
        assert_eq!(scene.words(), ["203.0.113.10 permitted"], "{trouble}");
    }
    assert_eq!((b.taken().len(), scene.world.incident_lines().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn without_dns_at_the_first_start_mail_waits_and_goes_when_there_is_some() {
    let storm = "203.0.113.10 TIMEOUT\n";
    let mut scene = Scene::new(&[A], &[NO_NAME], storm).await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    submit(&scene).await;
    pass(20 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.words()), (0, vec!["203.0.113.10 unproven".to_owned()]));
    scene.say(&[], "");
    pass(2 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.world.verdicts(TO)), (1, vec![(1, Delivered)]));
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_was_known() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    // Permitted before: it stays so, though DNS is silent now.
    scene.world.stop().await;
    scene.say(&[NO_NAME, "example.com TXT"], "203.0.113.10 TIMEOUT\nexample.com SERVFAIL TXT\n");
    scene.world.start().await;
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 1);
    // Suspended before: nothing slips out at the start.
    scene.say(&[NO_NAME], "");
    pass(2 * MINUTE).await;
    submit(&scene).await;
    scene.world.stop().await;
    scene.say(&[NO_NAME], "203.0.113.10 TIMEOUT\n");
    scene.world.start().await;
    pass(10 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.words()), (1, vec!["203.0.113.10 suspended".to_owned()]));
    scene.say(&[], "");
    pass(3 * MINUTE).await;
    assert_eq!(b.taken().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn mail_without_a_permit_expires_by_its_age_alone() {
    let mut scene = Scene::new(&[A], &[NO_NAME], "").await;
    scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    scene.world.stop().await;
    scene.world.expire = Some(HOUR);
    scene.world.start().await;
    submit(&scene).await;
    pass(50 * MINUTE).await;
    assert_eq!(scene.world.verdicts(TO), []);
    pass(15 * MINUTE).await;
    assert_eq!(scene.world.verdicts(TO), [(0, Failed)]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_let_mail_go_for_a_time() {
    let mut scene = Scene::new(&[A], &[NO_NAME], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    submit(&scene).await;
    pass(5 * MINUTE).await;
    assert_eq!(b.taken().len(), 0);
    let say = Say {
        word: Some(Word::Allow),
        address: A.parse().ok(),
        domain: Some(domain("example.com")),
        seconds: 600,
        reason: "the hoster needs a day".into(),
        who: "root".into(),
    };
    scene.world.control().say(say).await.unwrap();
    pass(MINUTE).await;
    assert_eq!((b.taken().len(), scene.words()), (1, vec!["203.0.113.10 allowed".to_owned()]));
    pass(10 * MINUTE).await;
    submit(&scene).await;
    pass(10 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.words()), (1, vec!["203.0.113.10 suspended".to_owned()]));
    let history = scene.world.control().trust_history(repute_types::Timestamp(0), 100).await.unwrap();
    let said = history.changes.iter().find(|change| change.what == "override").unwrap();
    assert_eq!((said.state.as_str(), said.who.as_deref()), ("allow", Some("root")));
    assert!(said.text.contains("the hoster needs a day"));
}

#[tokio::test(start_paused = true)]
async fn without_enforcement_mail_goes_and_what_is_broken_is_told() {
    let mut scene = Scene::new(&[A], &[NO_NAME], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    scene.world.stop().await;
    scene.world.permit.enforce = false;
    scene.world.start().await;
    submit(&scene).await;
    pass(5 * MINUTE).await;
    assert_eq!(b.taken().len(), 1);
    assert_eq!(scene.world.incident_lines(), ["opened name.ptr.exists 203.0.113.10"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_ipv6_address_leaves_ipv4() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let v6 = "2001:db8::10";
    let ehlo = ehlo(A);
    scene.world.stop().await;
    scene.world.egresses = vec![Arc::new(Egress {
        name: format!("{A},{v6}"),
        ehlo: ehlo.clone(),
        v4: A.parse().ok(),
        v6: v6.parse().ok(),
        narrowed: false,
    })];
    // The fake zone speaks of the first address; the second one has everything but a reverse name.
    let more =
        format!("{ehlo} A {A}\n{A} PTR {ehlo}\n{ehlo} AAAA {v6}\nexample.com TXT v=spf1 ip4:{A} ip6:{v6} -all\n");
    scene.say(&["203-0-113-10", "example.com TXT", "203.0.113.10,"], &more);
    scene.world.start().await;
    scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!(scene.words(), [format!("{A} permitted"), format!("{v6} suspended")]);
    assert_eq!(scene.world.left_from(TO), [A.parse::<std::net::IpAddr>().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn the_operator_is_written_to_by_a_way_that_is_permitted_and_once() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let home = scene.world.receiver("ops.test", |_, _| "250 2.1.5 ok");
    scene.world.stop().await;
    scene.world.permit.mail_to = Some(address("postmaster@ops.test"));
    scene.world.start().await;
    pass(MINUTE).await;
    scene.say(&[NO_NAME], "");
    pass(10 * MINUTE).await;
    let taken = home.taken();
    assert_eq!(taken.len(), 1, "{taken:#?}");
    assert!(
        taken[0].text.contains("Subject: mail.example.com: name.ptr.exists failed (203.0.113.10)"),
        "{}",
        taken[0].text
    );
    assert_eq!(scene.world.left_from("postmaster@ops.test"), [B.parse::<std::net::IpAddr>().unwrap()]);
    scene.say(&[], "");
    pass(10 * MINUTE).await;
    assert_eq!(home.taken().len(), 2);
    assert!(home.taken()[1].text.contains("passes again"));
}

const C: &str = "203.0.113.12";

/// Mail of example.com may leave from the first two of three addresses; its SPF record has these alone.
async fn pooled() -> Scene {
    let mut scene = Scene::new(&[A, B, C], &[], "").await;
    scene.world.stop().await;
    scene.world.domains[0].pool = Some(vec![0, 1]);
    scene.say(&[SPF], POOL_SPF);
    scene.world.start().await;
    pass(MINUTE).await;
    scene
}

const SPF: &str = "example.com TXT v=spf1";
const POOL_SPF: &str = "example.com TXT v=spf1 ip4:203.0.113.10 ip4:203.0.113.11 -all\n";

#[tokio::test(start_paused = true)]
async fn mail_moves_within_its_pool_and_never_out_of_it() {
    let mut scene = pooled().await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    assert_eq!(scene.words(), ["203.0.113.10 permitted", "203.0.113.11 permitted"]);
    submit(&scene).await;
    pass(MINUTE).await;
    let usual = scene.world.left_from(TO)[0].to_string();
    let other = if usual == A { B } else { A };
    scene.say(&[SPF, &format!("{usual} PTR")], POOL_SPF);
    pass(2 * MINUTE).await;
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!(scene.world.left_from(TO)[1].to_string(), other);
    scene.say(&[SPF, &format!("{A} PTR"), &format!("{B} PTR")], POOL_SPF);
    pass(2 * MINUTE).await;
    submit(&scene).await;
    pass(20 * MINUTE).await;
    assert_eq!((b.taken().len(), scene.queued().await[0].state), (2, "barred"));
    let reason = scene.queued().await[0].reason.clone().unwrap();
    assert!(reason.contains("no permit for example.com from 203.0.113.1"), "{reason}");
    scene.say(&[SPF], POOL_SPF);
    pass(3 * MINUTE).await;
    assert_eq!(scene.world.left_from(TO).len(), 3);
    assert!(scene.world.left_from(TO).iter().all(|from| from.to_string() != C));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_enforced_or_mail_goes_to_a_relay_it_keeps_to_its_pool_all_the_same() {
    for (enforce, relayed) in [(false, false), (false, true), (true, true)] {
        let mut scene = pooled().await;
        scene.world.stop().await;
        scene.world.domains[0].pool = Some(vec![2]);
        scene.world.permit.enforce = enforce;
        if relayed {
            let relay = Relay {
                hosts: vec![HostName::Name(domain("mx.b.test"))],
                port: 25,
                tls: TlsNeed::Opportunistic,
                implicit_tls: false,
                login: None,
            };
            let mut routes = Routes::default();
            routes.add(&[domain("b.test")], relay);
            scene.world.routes = Arc::new(routes);
        }
        scene.world.start().await;
        scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
        submit(&scene).await;
        pass(MINUTE).await;
        assert_eq!(scene.world.left_from(TO), [C.parse::<std::net::IpAddr>().unwrap()], "{enforce} {relayed}");
    }
}

#[tokio::test(start_paused = true)]
async fn mail_of_a_domain_that_was_taken_out_waits_where_there_are_pools() {
    let mut scene = pooled().await;
    let b = scene.world.receiver("b.test", |_, _| "421 4.3.2 later");
    submit(&scene).await;
    pass(MINUTE).await;
    scene.world.stop().await;
    scene.world.domains[0].name = domain("other.example");
    scene.world.start().await;
    pass(20 * MINUTE).await;
    assert_eq!(b.taken().len(), 0);
    let rows = scene.queued().await;
    assert!(
        rows[0].reason.as_deref().is_some_and(|why| why.contains("not in the configuration any more")),
        "{rows:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_says_nothing_exists_took_permits_away() {
    let scene = Scene::new(&[A], &[], "").await;
    pass(MINUTE).await;
    scene.dns.replace("");
    pass(20 * MINUTE).await;
    assert_eq!(scene.words(), ["203.0.113.10 permitted"]);
}

/// Its records named every host of the server, and over HTTP an account saw addresses that others' mail alone leaves from.
#[tokio::test(start_paused = true)]
async fn of_a_domain_are_told_the_hosts_that_it_is_sent_from() {
    let mut world = World::unstarted();
    world.egresses = egresses(&[A, B]);
    for (name, place) in [("example.com", 0), ("other.test", 1)] {
        let of_name = world.domains.iter_mut().find(|of| of.name.as_str() == name).unwrap();
        of_name.pool = Some(vec![place]);
    }
    world.start().await;
    let control = world.control();
    for (name, its, others) in [("example.com", A, B), ("other.test", B, A)] {
        let told = control.domains().into_iter().find(|row| row.name.as_str() == name).unwrap().records;
        let says = |text: &str| told.iter().any(|record| record.name.as_str() == text || record.value.contains(text));
        assert!(says(its) && says(ehlo(its).as_str()) && !says(others) && !says(ehlo(others).as_str()), "{told:?}");
        let from: Vec<_> = control.egresses_of(&[domain(name)]).into_iter().filter_map(|row| row.v4).collect();
        assert_eq!(from, [its.parse::<std::net::Ipv4Addr>().unwrap()]);
    }
    assert_eq!((control.egresses_of(&[domain("nobody.test")]).len(), control.egresses().len()), (0, 2));
    // Where nothing is said of a pool, it is all of them.
    assert_eq!(control.egresses_of(&[domain("news.example"), domain("example.com")]).len(), 2);
    world.stop().await;
}
