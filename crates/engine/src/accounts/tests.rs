//! Right, wrong, unknown, remembered, changed.

use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Params, Version};
use repute_types::{Domain, Stream};

use super::*;

/// Cheap costs: what is tested is not argon2.
fn hash(password: &str) -> String {
    let params = Params::new(64, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"0123456789abcdef").unwrap().to_string()
}

fn account(name: &str, password: Option<&str>) -> AccountSettings {
    let domains = vec![Domain::parse("example.com").unwrap()].into();
    let account = Account { name: name.into(), domains, stream: Stream::Transactional, private: false };
    AccountSettings {
        password: password.map(hash),
        scram: password.map(|p| ScramSecret {
            iterations: 4096,
            salt: p.as_bytes().to_vec(),
            stored_key: [1; 32],
            server_key: [2; 32],
        }),
        ..AccountSettings::new(Arc::new(account))
    }
}

async fn check(accounts: &Accounts, name: &str, password: &str, expect: Result<&str, AuthRefused>) {
    let got = accounts.password(name, password).await;
    let got = got.as_ref().map(|a| &*a.name).map_err(|e| *e);
    assert_eq!(got, expect, "{name} {password}");
}

#[tokio::test]
async fn only_the_right_password_comes_in() {
    let accounts = Accounts::of(&[account("shop", Some("secret")), account("relay", None)]);
    for _ in 0..2 {
        check(&accounts, "shop", "secret", Ok("shop")).await;
        check(&accounts, "shop", "Secret", Err(AuthRefused::Wrong)).await;
        check(&accounts, "SHOP", "secret", Err(AuthRefused::Wrong)).await;
        // The decoy is the shop's own hash, and agreeing with it helps nobody.
        check(&accounts, "nobody", "secret", Err(AuthRefused::Wrong)).await;
        check(&accounts, "relay", "secret", Err(AuthRefused::Wrong)).await;
    }
    assert_eq!(accounts.good.read().unwrap().len(), 1);
}

#[tokio::test]
async fn a_changed_hash_forgets_what_was_right() {
    let accounts = Accounts::of(&[account("shop", Some("old"))]);
    check(&accounts, "shop", "old", Ok("shop")).await;
    accounts.replace(&[account("shop", Some("new"))]);
    check(&accounts, "shop", "old", Err(AuthRefused::Wrong)).await;
    check(&accounts, "shop", "new", Ok("shop")).await;
    accounts.replace(&[]);
    check(&accounts, "shop", "new", Err(AuthRefused::Wrong)).await;
    assert!(accounts.good.read().unwrap().is_empty());
}

#[tokio::test]
async fn the_second_time_costs_no_hash() {
    let accounts = Accounts::of(&[account("shop", Some("secret"))]);
    check(&accounts, "shop", "secret", Ok("shop")).await;
    // Nobody gets a turn any more: only what is remembered can answer.
    accounts.turns.close();
    check(&accounts, "shop", "secret", Ok("shop")).await;
    check(&accounts, "shop", "wrong", Err(AuthRefused::Busy)).await;
}

#[tokio::test]
async fn too_many_at_once_are_told_to_wait() {
    let accounts = Accounts::of(&[account("shop", Some("secret"))]);
    let held: Vec<_> = (0..WAITING_MOST).map(|_| Waiting::join(&accounts.waiting).unwrap()).collect();
    check(&accounts, "shop", "secret", Err(AuthRefused::Busy)).await;
    drop(held);
    check(&accounts, "shop", "secret", Ok("shop")).await;
    assert_eq!(accounts.waiting.load(Ordering::Relaxed), 0);
}

/// Five hundred programs that log in after a restart: nine of ten were told to come back later.
#[tokio::test]
async fn a_crowd_that_logs_in_at_once_waits_its_turn() {
    let accounts = Accounts::of(&[account("shop", Some("secret"))]);
    let held: Vec<_> = (0..499).map(|_| Waiting::join(&accounts.waiting).unwrap()).collect();
    check(&accounts, "shop", "secret", Ok("shop")).await;
    drop(held);
}

#[tokio::test]
async fn an_unknown_name_takes_its_time_also_where_no_account_has_a_password() {
    let accounts = Accounts::of(&[]);
    let begin = Instant::now();
    check(&accounts, "nobody", "x", Err(AuthRefused::Wrong)).await;
    // 19 MiB are filled twice; a malformed decoy would answer in microseconds.
    assert!(begin.elapsed() > Duration::from_millis(2));
}

#[test]
fn a_made_up_secret_stays_the_same_and_looks_like_a_real_one() {
    let accounts = Accounts::of(&[account("shop", Some("0123456789"))]);
    let (real, known) = accounts.scram("shop");
    assert_eq!((&*known.unwrap().name, real.stored_key), ("shop", [1; 32]));
    let (once, nobody) = accounts.scram("nobody");
    assert!(nobody.is_none());
    let (again, _) = accounts.scram("nobody");
    assert_eq!((&once.salt, once.stored_key), (&again.salt, again.stored_key));
    assert_eq!((once.salt.len(), once.iterations), (real.salt.len(), real.iterations));
    assert_ne!(accounts.scram("somebody").0.salt, once.salt);
}

#[test]
fn a_client_is_the_account_whose_network_it_is_in() {
    let of = |name: &str, addresses: &[(&str, u8)]| AccountSettings {
        addresses: addresses
            .iter()
            .map(|(ip, prefix)| AddressRange { address: ip.parse().unwrap(), prefix: *prefix })
            .collect(),
        ..account(name, None)
    };
    let accounts = Accounts::of(&[
        // An account may name a host of a network that it names as well.
        of("lan", &[("10.1.2.3", 32), ("10.0.0.0", 8), ("fd00::9:0", 112), ("10.200.0.1", 32)]),
        of("host", &[("192.0.2.7", 32), ("fd00::8:1", 128)]),
        of("loop", &[("127.0.0.1", 8)]),
    ]);
    let check = |client: &str, expected: Option<&str>| {
        let found = accounts.known_address(client.parse().unwrap());
        assert_eq!(found.as_ref().map(|account| &*account.name), expected, "{client}");
    };
    check("10.1.2.3", Some("lan"));
    check("10.1.2.4", Some("lan"));
    check("10.255.255.255", Some("lan"));
    check("::ffff:10.9.9.9", Some("lan"));
    check("11.0.0.0", None);
    check("9.255.255.255", None);
    check("127.255.0.9", Some("loop"));
    check("192.0.2.6", None);
    check("192.0.2.7", Some("host"));
    check("192.0.2.8", None);
    check("fd00::8:1", Some("host"));
    check("fd00::8:2", None);
    check("fd00::9:ffff", Some("lan"));
    check("fd00::a:0", None);
    assert!(Accounts::of(&[]).known_address("10.1.2.3".parse().unwrap()).is_none());
}
