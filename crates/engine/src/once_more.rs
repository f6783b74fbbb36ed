//! A refusal that blames us is not the end of a message, once. The recipient did nothing wrong, and it may be that mail
//! would have waited had we known: so the message is tried a second time, and the second refusal counts.
//!
//! - Our *address* is at fault, and its sender may leave by another way: it does, in a few seconds, and so does all mail to that
//!   receiver for a while ([`crate::unwelcome`]). So also where the receiver only puts it off.
//! - There is no other way, or our *domain* is at fault: after a minute and a half. By then the checks that the reply names were
//!   made, and where one fails that takes the permit, the message waits for it instead. Only while the receiver's refusals are
//!   news: once they were looked into and the permit stands, the reply is the answer.
//!
//! How it is known which time it is: what a recipient of a part that waits was told last is a refusal for good, behind MAIL. Where
//! it was not tried soon (it was held, the server was down), mail may not go around that address any more, and it is refused from
//! there again: that counts as the first time. RFC 5321 §4.2.1 asks not to repeat a refused request as it was; from elsewhere,
//! or with other records, it is another.

use std::net::IpAddr;
use std::time::Duration;

use repute_spool::Pending;
use repute_trust::replies::Action;
use repute_types::{EnhancedCode, Outcome, Stage, Timestamp, Verdict};

use crate::cause::Reading;
use crate::refused;
use crate::settle::Decided;
use crate::unwelcome::{self, SOON};
use crate::works::Works;

/// Replies ask for a check once a minute, and what is evidence against a permit is found twice, some seconds apart.
const CHECKED_IN: Duration = Duration::from_secs(90);

/// Puts off those who are to be tried once more. Returns when; `None` where nobody is.
pub(crate) fn put_off(works: &Works, decided: &mut Decided, readings: &[Reading]) -> Option<Timestamp> {
    let first = readings.iter().position(blames_us)?;
    let is_around = goes_around(works, decided, &readings[first]);
    let (after, text) = match is_around {
        true => (SOON, "it is tried once more, from another address"),
        false if refused::is_news(works, decided, &decided.outcomes[first], &readings[first]) => {
            (CHECKED_IN, "it is tried once more, when the checks that this names were made")
        }
        false => return None,
    };
    let mut is_any = is_around && readings.iter().any(|r| blames_us(r) && r.verdict == Verdict::Deferred);
    let due = decided.loaded.part.due;
    let is_second =
        !is_around || decided.site.as_ref().is_none_or(|site| works.unwelcome.was_any(site, due, works.now()));
    let recipients = decided.loaded.part.recipients.iter();
    for ((outcome, reading), before) in decided.outcomes.iter_mut().zip(readings).zip(recipients) {
        if blames_us(reading) && is_refused(outcome) && !(is_second && was_put_off(before)) {
            let EnhancedCode(_, subject, detail) = outcome.status;
            (outcome.verdict, outcome.status) = (Verdict::Deferred, EnhancedCode(4, subject, detail));
            outcome.text = text.to_owned();
            is_any = true;
        }
    }
    is_any.then(|| works.now() + after)
}

/// Whether a refusal is about our address or our domain, and more than an opinion of them.
fn blames_us(reading: &Reading) -> bool {
    matches!(reading.action, Action::HoldAddress | Action::UseIpv4 | Action::HoldDomain)
}

/// Refused for good, behind MAIL: what is said before is about all mail, and puts it off in any case.
fn is_refused(outcome: &Outcome) -> bool {
    outcome.verdict == Verdict::Failed && outcome.stage >= Stage::Mail
}

/// Whether this recipient was put off by [`put_off`] the last time.
fn was_put_off(before: &Pending) -> bool {
    let Some(last) = &before.last else { return false };
    let is_for_good = last.reply.as_ref().is_some_and(|reply| reply.code >= 500);
    is_for_good && last.verdict == Verdict::Deferred && last.stage >= Stage::Mail
}

/// Whether mail to that site goes around the address that was refused from now on.
fn goes_around(works: &Works, decided: &Decided, reading: &Reading) -> bool {
    let (Some(site), Some(address)) = (&decided.site, decided.egress) else { return false };
    let most = match reading.action {
        Action::HoldDomain => return false,
        Action::UseIpv4 if address.is_ipv4() => return false,
        // It is nothing against this one.
        Action::UseIpv4 => usize::MAX,
        _ => unwelcome::AROUND,
    };
    let (settings, now) = (works.settings(), works.now());
    let flow = works.flow(&decided.loaded.meta, &decided.loaded.part);
    let avoided = |ip: IpAddr| ip == address || works.unwelcome.goes_around(site, ip, now);
    !works.ways_around(&settings, &flow, avoided).is_empty() && works.unwelcome.refused(site, address, most, now)
}
