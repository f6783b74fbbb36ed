//! A report made and handed in: as a letter (RFC 8460 §5.3) or by POST (§5.4).
//!
//! A letter is in the spool when this returns, and from then on a message like others, but that no TLS is insisted on for it and
//! its own sessions are not counted: else a broken host would make a report on its reports (§3).

use std::time::Duration;

use bytes::Bytes;
use repute_delivery::https;
use repute_feedback::{Reporter, SessionCount, TlsReport, tls_report, tls_report_file};
use repute_ledger::OwedReport;
use repute_message::compose::Attachment;
use repute_trust::tlsrpt::Destination;
use repute_types::Address;
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;
use crate::config::{SendingDomain, Settings};
use crate::own::{self, OwnLetter, Report};
use crate::works::Works;

const MEDIA: &str = "application/tlsrpt+gzip";
const POST_WITHIN: Duration = Duration::from_secs(60);

/// `Err`: why it could not be handed in now.
pub(super) async fn send(
    works: &Works,
    owed: &OwedReport,
    place: &str,
    counts: Vec<SessionCount>,
    stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let settings = works.settings();
    let author = author(works, &settings, place).ok_or("no domain of this server can send it")?;
    let report = tls_report(&reporter(&settings, author), &owed.domain, owed.day, counts);
    let packed = Bytes::from(report.packed().map_err(|error| error.to_string())?);
    match Destination::parse(place) {
        Some(Destination::Mail(to)) => mail(works, author, owed, &to, &report, packed).await,
        Some(Destination::Https(url)) => post(works, &settings, &url, packed, stop).await,
        None => Err("nobody can be written to there".into()),
    }
}

/// A domain whose mail may leave now; else any that can sign, and its letter waits.
fn author<'a>(works: &Works, settings: &'a Settings, place: &str) -> Option<&'a SendingDomain> {
    let usable = || settings.domains.iter().filter(|domain| domain.is_usable());
    let named = settings.tls_reports.contact.as_ref().map(Address::domain);
    let Some(Destination::Mail(to)) = Destination::parse(place) else { return usable().next() };
    let may = |author: &&SendingDomain| {
        let (domain, sender) = (to.domain().clone(), works.gate.sender(Some(&author.name)));
        works.way(settings, &repute_queue::Flow { domain, sender, tls_optional: true }).is_some()
    };
    let named = usable().find(|domain| Some(&domain.name) == named);
    named.filter(may).or_else(|| usable().find(may)).or(named).or_else(|| usable().next())
}

fn reporter(settings: &Settings, author: &SendingDomain) -> Reporter {
    let ours = &settings.tls_reports;
    let contact = ours.contact.as_ref().map_or_else(|| format!("postmaster@{}", author.name), Address::to_string);
    Reporter {
        organisation: ours.organisation.clone().unwrap_or_else(|| author.name.to_string()),
        contact,
        host: settings.hostname.to_string(),
    }
}

async fn mail(
    works: &Works,
    author: &SendingDomain,
    owed: &OwedReport,
    to: &Address,
    report: &TlsReport,
    packed: Bytes,
) -> Result<(), String> {
    let (domain, submitter) = (&owed.domain, author.name.to_string());
    let (good, bad) = report.counts();
    let file = Attachment {
        name: tls_report_file(&submitter, domain, owed.day),
        media: MEDIA.into(),
        content_id: None,
        content: packed,
    };
    let text = format!(
        "{} reports on TLS of its mail to {domain} on {} (UTC), as {domain} asks for it by DNS (RFC 8460):\n\
         {good} sessions were as they should be, {bad} failed. The attached file says all.\n\n\
         Questions go to {}.\n",
        report.organization_name,
        &report.date_range.start_datetime[..10],
        report.contact_info.as_deref().unwrap_or_default(),
    );
    let letter = OwnLetter {
        author,
        to,
        subject: format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{}>", report.report_id),
        text,
        returns: false,
        expires: PATIENCE,
        report: Some(Report {
            kind: "tlsrpt",
            fields: vec![
                ("TLS-Report-Domain".into(), domain.clone()),
                ("TLS-Report-Submitter".into(), submitter.clone()),
            ],
            file,
        }),
    };
    own::send(works, letter).await.map(drop)
}

/// Broken off when the server stops.
async fn post(
    works: &Works,
    settings: &Settings,
    url: &str,
    packed: Bytes,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let (network, resolver) = (&*works.doors.network, &*works.doors.resolver);
    let posting = https::post(network, resolver, url, MEDIA, packed, settings.delivery.danger_allow_loopback);
    let posted = tokio::select! {
        posted = timeout(POST_WITHIN, posting) => posted,
        _ = stop.wait_for(|stop| *stop) => return Err("this server stops".into()),
    };
    match posted {
        Ok(Ok(200..=299)) => Ok(()),
        Ok(Ok(status)) => Err(format!("it answers {status}")),
        Ok(Err(why)) => Err(why),
        Err(_) => Err("it does not answer in time".into()),
    }
}
