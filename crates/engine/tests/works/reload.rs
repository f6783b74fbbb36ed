//! What becomes of mail that waits when the configuration changes under it.

use std::sync::Arc;

use repute_delivery::{HostName, Relay, Routes, TlsNeed};
use repute_types::Verdict::{Deferred, Delivered};

use crate::world::campaigns::launched;
use crate::world::*;

fn route(to: &str, host: &str) -> Arc<Routes> {
    let relay = Relay {
        hosts: vec![HostName::Name(domain(host))],
        port: 25,
        tls: TlsNeed::Opportunistic,
        implicit_tls: false,
        login: None,
    };
    let mut routes = Routes::default();
    routes.add(&[domain(to)], relay);
    Arc::new(routes)
}

fn reloads(world: &World) -> Vec<String> {
    world.notes().into_iter().filter(|note| note.contains("configuration") || note.contains("route")).collect()
}

/// It waited for as long as the host of the earlier route was left alone, and then until its next attempt was due.
#[tokio::test(start_paused = true)]
async fn mail_of_a_changed_route_goes_by_the_new_one_at_once() {
    let mut world = World::unstarted();
    world.host("dead.test");
    world.routes = route("b.test", "mx.dead.test");
    world.start().await;
    let relay = world.receiver("relay.test", |to, _| match to {
        "eve@b.test" => "451 4.7.1 not now",
        _ => "250 2.1.5 ok",
    });
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["ann@b.test"]).await.unwrap();
    pass(2 * HOUR).await;
    assert!(world.verdicts("ann@b.test").iter().all(|(_, verdict)| *verdict == Deferred));
    let before = world.verdicts("ann@b.test").len();
    // Ready behind a host that is left alone, and not tried yet.
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE / 60).await;
    world.reload(|_| {});
    pass(MINUTE / 60).await;
    assert_eq!(world.verdicts("ann@b.test").len(), before, "where the route is the same nothing is hurried");
    assert_eq!(reloads(&world), [""; 0]);

    world.reload(|settings| settings.routes = route("b.test", "mx.relay.test"));
    pass(MINUTE / 60).await;
    assert_eq!(relay.taken().len(), 2);
    assert_eq!(world.verdicts("ann@b.test").last().unwrap().1, Delivered);
    assert_eq!(reloads(&world), ["2 messages that wait go by a route that is another one than before"]);

    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    pass(MINUTE / 60).await;
    world.reload(|settings| settings.routes = Arc::default());
    pass(MINUTE / 60).await;
    assert_eq!(b.taken().len(), 1);
    let said = reloads(&world).pop().unwrap();
    assert!(said.starts_with("the route of mail that waits is out of the configuration: 1 message"), "{said}");
}

/// It went on without a word.
#[tokio::test(start_paused = true)]
async fn mail_of_an_account_or_a_domain_that_is_gone_is_told_at_the_reload() {
    let mut world = World::new().await;
    let _b = world.receiver("b.test", |_, _| "451 4.7.1 not now");
    let _c = world.receiver("c.test", |_, _| "451 4.7.1 not now");
    world.submit("shop@example.com", &["ann@b.test", "ann@c.test"]).await.unwrap();
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    launched(&world, "autumn", &["a@b.test", "b@b.test", "c@b.test"]).await;
    pass(MINUTE).await;
    world.reload(|settings| {
        settings.accounts.change(|all| all.retain(|one| &*one.account.name != "shop"));
        settings.domains.change(|all| all.retain(|one| one.name.as_str() != "news.example"));
    });
    pass(MINUTE / 60).await;
    let said = reloads(&world);
    let account = "the account shop is out of the configuration: 2 messages that wait are delivered all the same";
    let of_domain =
        "the domain news.example is out of the configuration: 3 recipients of campaigns are held at the next attempt";
    assert!(said.iter().any(|note| note.starts_with(account)), "{said:?}");
    assert!(said.iter().any(|note| note.starts_with(of_domain)), "{said:?}");
    assert!(said.iter().any(|note| note.contains("`repute queue cancel --account shop` takes")), "{said:?}");
    // What is held does not go by itself when the name is back.
    let back = "`repute queue release --sender @news.example` lets them go once it is back";
    assert!(said.iter().any(|note| note.contains(back)), "{said:?}");
}
