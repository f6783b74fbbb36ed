//! The tables give back what was taken, and stay bounded.

use super::*;

fn small() -> Arc<SharedLimits> {
    SharedLimits::new(SharedBounds {
        connections: 3,
        connections_per_client: 2,
        content_octets: 1000,
        auth_failures: 2,
        auth_window: Duration::from_secs(60),
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn content_memory_has_a_bound() {
    let shared = small();
    let (mut a, mut b) = (shared.hold(), shared.hold());
    assert!(a.grow(600));
    assert!(!b.grow(600));
    a.shrink_to(100);
    assert!(b.grow(600));
    drop((a, b));
    assert_eq!(shared.content_octets(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_with_time() {
    let shared = small();
    let client = ip("192.0.2.1");
    shared.auth_failed(client);
    assert!(shared.may_try_auth(client));
    shared.auth_failed(client);
    assert!(!shared.may_try_auth(client));
    assert!(shared.may_try_auth(ip("192.0.2.2")));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(shared.may_try_auth(client));
}

#[tokio::test(start_paused = true)]
async fn the_table_of_failures_is_bounded() {
    let shared = small();
    for n in 0..25_000u32 {
        shared.auth_failed(IpAddr::V4(n.into()));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert!(lock(&shared.failures).len() <= FAILURE_TABLE);
    assert!(lock(&shared.failures).contains_key(&IpAddr::V4(24_999.into())));
}
