//! What receivers say and what we make of it are one story: every reply of the table is explained
//! by the rule of its own receiver, and leads to the check that it was given for.

use repute_trust::checks::entry;
use repute_trust::names::generic;
use repute_trust::receivers::{Decision, Filter, View, predicted, receiver, receivers, scores, sign, signs};
use repute_trust::replies::{classify, parse_pasted};

fn view<'a>(signs: &'a [String], bulk: bool) -> View<'a> {
    let listed = signs.iter().any(|s| s.starts_with("listed ") || s == "listed");
    View {
        signs,
        generic: &[],
        bulk,
        ip: Some("203.0.113.10".parse().unwrap()),
        from: "example.com",
        mail_from: "bounce.example.com",
        helo: "mail.example.com",
        list: "zen.spamhaus.org",
        listed: (listed, signs.iter().any(|s| s == "listed-name")),
    }
}

fn seen(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn the_tables_speak_of_checks_that_there_are() {
    for sign in signs() {
        assert!(entry(&sign.check).is_some(), "{}: {}", sign.name, sign.check);
    }
    for receiver in receivers() {
        for rule in &receiver.rules {
            assert!(entry(&rule.check).is_some(), "{}: {}", receiver.name, rule.check);
            assert_eq!(rule.junk, rule.reply.is_none(), "{}: {:?}", receiver.name, rule.signs);
            for name in rule.signs.iter().chain(&rule.unless) {
                let known = ["listed", "listed-name", "generic", "dynamic", "unsub.missing"];
                assert!(sign(name).is_some() || known.contains(&name.as_str()), "{}: {name}", receiver.name);
            }
        }
    }
}

#[test]
fn a_check_predicts_what_filters_raise_for_it() {
    let of = |check: &str, filter| -> Vec<(String, f64)> {
        predicted(check).iter().flat_map(|sign| sign.rules(filter).to_vec()).collect()
    };
    let rule = |name: &str, points| (name.to_owned(), points);
    assert_eq!(of("name.ptr.exists", Filter::Rspamd), [rule("RDNS_NONE", 1.0), rule("HFILTER_HOSTNAME_UNKNOWN", 2.5)]);
    let machine_made = of("name.ptr.generic", Filter::Rspamd);
    assert_eq!(machine_made.len(), 6, "{machine_made:?}");
    assert!(machine_made.contains(&rule("ONCE_RECEIVED_STRICT", 4.0)), "{machine_made:?}");
    assert_eq!(of("name.ptr.generic", Filter::SpamAssassin), [rule("RDNS_DYNAMIC", 0.98)]);
    assert!(predicted("dns.ttl").is_empty());
}

#[test]
fn every_reply_is_explained_as_what_it_was_given_for() {
    for receiver in receivers() {
        for rule in receiver.rules.iter().filter(|rule| rule.reply.is_some()) {
            let signs = seen(&[rule.signs[0].as_str()]);
            let mut one = receiver.clone();
            one.rules = vec![rule.clone()];
            let Decision::Refused { reply, check } = one.decide(&view(&signs, true)) else {
                panic!("{}: {:?} does not refuse", receiver.name, rule.signs)
            };
            assert!(!reply.contains('{') && reply.len() < 510, "{reply}");
            let pasted = parse_pasted(&reply).unwrap();
            let found = classify(&pasted.reply, Some(&receiver.host));
            assert_ne!(found.rule, "none", "{reply}");
            assert!(
                found.checks.contains(&check.as_str()),
                "{reply}\n{check} is not in {:?} ({})",
                found.checks,
                found.rule
            );
        }
    }
}

#[test]
fn gmail_refuses_for_what_it_says_in_its_order() {
    let gmail = receiver("gmail").unwrap();
    let code = |signs: &[&str], bulk: bool| match gmail.decide(&view(&seen(signs), bulk)) {
        Decision::Refused { reply, .. } => reply.split(' ').nth(1).unwrap().to_owned(),
        other => other.as_str().to_owned(),
    };
    assert_eq!(code(&["rdns.none", "authentic.none", "spf.none"], false), "5.7.25");
    assert_eq!(code(&["spf.fail", "authentic.none"], false), "5.7.26");
    assert_eq!(code(&["spf.fail", "dkim.pass"], false), "inbox");
    assert_eq!(code(&["spf.pass", "dkim.none"], false), "inbox");
    assert_eq!(code(&["spf.pass", "dkim.none"], true), "5.7.30");
    assert_eq!(code(&["spf.pass", "dkim.pass", "dmarc.none"], true), "5.7.40");
    assert_eq!(code(&["spf.pass", "dkim.pass", "dmarc.pass", "unsub.missing"], true), "junk");
    assert_eq!(code(&["spf.pass", "dkim.pass", "dmarc.pass", "unsub.missing"], false), "inbox");
}

#[test]
fn points_are_those_of_the_filters() {
    let seen = seen(&["rdns.none", "rdns.unconfirmed", "spf.softfail", "mid.missing", "listed Spamhaus ZEN CSS"]);
    let scores = scores(&seen, &generic::signs("dsl-10-113-0-203.pool.isp.example", "203.0.113.10".parse().unwrap()));
    let of = |i: usize| scores[i].symbols.iter().map(|s| s.name.as_str()).collect::<Vec<_>>();
    assert!(of(0).starts_with(&["HFILTER_HOSTNAME_"]) || of(0)[0].starts_with("HFILTER_HOSTNAME"), "{:?}", of(0));
    // Once, though two signs raise it.
    assert_eq!(of(0).iter().filter(|n| **n == "HFILTER_HOSTNAME_UNKNOWN").count(), 1);
    assert_eq!(of(1)[0], "RCVD_IN_SBL_CSS");
    assert!(scores[0].points > 8.0 && scores[1].points > 5.0, "{} {}", scores[0], scores[1]);
}
