//! Every metric once: its name, its labels, and the sentence that explains it.
//!
//! Names follow the practice of Prometheus: the program first, base units, `_total` on what only grows. A label
//! takes few values, all of them known before: no recipient, no message, and of sites and pairs only as many as
//! the sentence says.

use crate::metric::{Kind, Label, Metric, metrics};

metrics! {
"Mail that comes in" {
    /// Messages accepted: they are on disk and were answered with a success.
    Counter MESSAGES_ACCEPTED = "repute_messages_accepted_total" ["origin": "`client`, `campaign`, `server` (notices and letters of its own)"];
    /// Recipients of the messages accepted.
    Counter RECIPIENTS_ACCEPTED = "repute_recipients_accepted_total" ["origin": "as above"];
    /// Octets of the messages accepted; the letter of a campaign counts once.
    Counter ACCEPTED_BYTES = "repute_accepted_bytes_total";
    /// Submissions refused, nothing of which was stored. Many of `authentication` are somebody who guesses passwords.
    Counter SUBMISSIONS_REFUSED = "repute_submissions_refused_total" ["reason": "`authentication`, `policy`, `message` (what is wrong is in the message), `temporary`"];
    /// Whether messages can be taken: 1 where the spool answers, else 0.
    Gauge READY = "repute_ready";
}
"Mail that goes out" {
    /// Outcomes of recipients, one for each attempt, expiry or cancellation.
    Counter DELIVERIES = "repute_deliveries_total" ["outcome": "`delivered`, `deferred`, `failed`"];
    /// From acceptance to delivery, of every recipient that was delivered.
    Histogram DELIVERY_SECONDS = "repute_delivery_seconds";
    /// Recipients delivered, by who asked for the TLS of the session; `none` had none.
    Counter DELIVERED_TLS = "repute_delivered_tls_total" ["tls": "`none`, `opportunistic`, `route`, `requiretls`, `dane`, `mta-sts`"];
    /// Replies of receivers that put off or refused a recipient, by whose fault it is and by what the reply means
    /// (`repute explain` says it of a reply).
    Counter REFUSALS = "repute_refusals_total" ["outcome": "`deferred`, `failed`", "fault": "`recipient`, `address`, `domain`, `content`, `rate`, `remote`, `network`, `us`, `unknown`", "class": "`greylisting`, `listed-address`, `unknown-user` ..."];
    /// Recipients put off or failed without a word of a receiver, by the stage at which it was decided; `queue` is what
    /// expired or was cancelled.
    Counter UNANSWERED = "repute_unanswered_total" ["outcome": "`deferred`, `failed`", "stage": "`queue`, `route`, `connect`, `greeting`, `ehlo`, `starttls`, `auth`, `mail`, `rcpt`, `data`, `body`"];
    /// Times that mail was held, by an operator or by a rule; all of a campaign counts once.
    Counter HELD = "repute_held_total";
    /// Times that what was held was let go.
    Counter RELEASED = "repute_released_total";
    /// Notices written to senders.
    Counter NOTICES = "repute_notices_total" ["kind": "`failure`, `delay`, `relay`"];
    /// Campaigns cancelled.
    Counter CAMPAIGNS_CANCELLED = "repute_campaigns_cancelled_total";
}
"What comes back" {
    /// Messages that came in on port 25 for a return path and were kept.
    Counter RETURNED = "repute_returned_messages_total";
    /// What was understood of it about a message that a server had taken.
    Counter CAME_BACK = "repute_came_back_total" ["what": "`bounced`, `complained`, `unsubscribed`"];
    /// Recipients left out because mail to them is suppressed.
    Counter SUPPRESSED = "repute_suppressed_total" ["why": "`unknown`, `complaint`, `unsubscribed`, `manual`; `suppressed` where a list came in"];
}
"The queue" {
    /// Parts in the queue. A part is the recipients of one message at one domain.
    Gauge QUEUE_PARTS = "repute_queue_parts" ["state": "`waiting` for its time, `routing`, `barred` (no permit), `ready`, `sending`, `held`"];
    /// Connections to receivers that are open or being opened.
    Gauge SESSIONS = "repute_sessions";
    /// Sites (domains that share their MX hosts) that something is queued for or spoken with, each once for an egress;
    /// `paused` are those that could not be reached or asked us to wait.
    Gauge SITES = "repute_sites" ["state": "`open`, `paused`"];
    /// Parts that could be sent now, at the 20 sites with the most of them and of sessions.
    Gauge SITE_READY = "repute_site_ready_parts" ["site": "its domain or MX hosts", "egress": "an address of the egress, `any` where the system chooses"];
    /// Sessions with them.
    Gauge SITE_SESSIONS = "repute_site_sessions" ["site": "as above", "egress": "as above"];
    /// Sessions that there may be with them: it grows while a site takes mail and shrinks when it pushes back.
    Gauge SITE_WINDOW = "repute_site_window" ["site": "as above", "egress": "as above"];
    /// Whether they are left alone just now: 1 or 0.
    Gauge SITE_PAUSED = "repute_site_paused" ["site": "as above", "egress": "as above"];
    /// How far an address has come that warms up: the step that it is on with a receiver, from 1. 100 at most, the busiest.
    Gauge WARM_UP_STEP = "repute_warm_up_step" ["egress": "its address", "receiver": "`Google` ..., or a site"];
    /// Messages that it sent to that receiver since midnight (UTC).
    Gauge WARM_UP_SENT = "repute_warm_up_messages_today" ["egress": "as above", "receiver": "as above"];
    /// Outcomes that wait to be written to disk. It stays near nought unless the disk refuses.
    Gauge UNSETTLED = "repute_unsettled";
    /// Octets of the spool's files.
    Gauge SPOOL_BYTES = "repute_spool_bytes";
    /// Octets that are free on the file system of the state folder, for the service's user.
    Gauge STATE_AVAILABLE = "repute_state_available_bytes";
}
"Trust" {
    /// Permits, of each address with each domain, by state.
    Gauge PERMITS = "repute_permits" ["state": "`permitted`, `unproven`, `suspended`, `allowed` or `barred` by an operator"];
    /// Whether mail of a domain may leave from an address: 1 or 0. 200 pairs at most, those that may not before the
    /// others.
    Gauge PERMIT = "repute_permit" ["address": "`relay` by a relay host", "domain": "of the sender"];
    /// Points of trust of a pair, of 100; the same pairs.
    Gauge TRUST_POINTS = "repute_trust_points" ["address": "as above", "domain": "as above"];
    /// Checks that the watch makes, each about an address or a domain, by what was found last.
    Gauge CHECKS = "repute_checks" ["result": "`good`, `warns`, `bad`, `unknown`"];
    /// Of those: what a check found bad or warns of.
    Gauge CHECK_FAILING = "repute_check_failing" ["check": "`name.fcrdns` ... (`repute check --list`)", "result": "`bad`, `warns`"];
    /// Whether an address or a domain of ours is on a black list: 1 or 0. 200 at most, those that are before the others.
    Gauge BLACK_LISTED = "repute_black_listed" ["about": "the address or domain", "check": "`bl.ip`, `bl.ip6`, `bl.domain`"];
    /// Incidents that are open.
    Gauge INCIDENTS_OPEN = "repute_incidents_open" ["of": "`check`, `circuit`, `webhook`"];
    /// Incidents that were opened.
    Counter INCIDENTS_OPENED = "repute_incidents_opened_total" ["of": "as above"];
    /// Accounts and campaigns whose mail is stopped.
    Gauge CIRCUITS_OPEN = "repute_circuits_open" ["of": "`account`, `campaign`"];
    /// When the certificate that clients see is no longer good, in seconds since 1970.
    Gauge CERTIFICATE_EXPIRY = "repute_certificate_expiry_timestamp_seconds";
}
"Webhooks" {
    /// Whether events are sent to it: 1, or 0 where it is paused or disabled.
    Gauge WEBHOOK_ACTIVE = "repute_webhook_active" ["webhook": "its name"];
    /// Events that happened and that it has not come to yet, counted up to 100,000.
    Gauge WEBHOOK_BEHIND = "repute_webhook_behind_events" ["webhook": "its name"];
    /// Events that its receiver refused, or that stand behind such a one.
    Gauge WEBHOOK_WAITING = "repute_webhook_waiting_events" ["webhook": "its name"];
    /// Events by how it ended with them, since the webhook is there: `given-up` were refused for too long, `lost` were
    /// beyond what is kept.
    Counter WEBHOOK_EVENTS = "repute_webhook_events_total" ["webhook": "its name", "end": "`taken`, `given-up`, `lost`"];
}
"The server" {
    /// Always 1; its label is the version.
    Gauge BUILD_INFO = "repute_build_info" ["version": "such as `0.1.0`"];
    /// Lines for the operator that belong to no message.
    Counter NOTES = "repute_notes_total" ["level": "`info`, `warning`, `error`"];
    /// Whether the last reload of the configuration was taken on: 1 or 0.
    Gauge RELOAD_SUCCESSFUL = "repute_config_last_reload_successful";
    /// When the configuration was taken on last, in seconds since 1970.
    Gauge RELOAD_TIME = "repute_config_last_reload_success_timestamp_seconds";
    /// 1 for what could not be asked for this page within 5 seconds: its metrics are left out. Else 0.
    Gauge UNREAD = "repute_metrics_unread" ["what": "`incidents`, `spool`, `webhooks`, `machine`"];
    /// Processor time, of the program and for it, in seconds.
    Counter PROCESS_CPU = "process_cpu_seconds_total";
    /// Memory that is in use and not swapped out, in octets.
    Gauge PROCESS_RESIDENT = "process_resident_memory_bytes";
    /// Address space, in octets.
    Gauge PROCESS_VIRTUAL = "process_virtual_memory_bytes";
    /// Threads.
    Gauge PROCESS_THREADS = "process_threads";
    /// Descriptors that are open.
    Gauge PROCESS_OPEN_FDS = "process_open_fds";
    /// Descriptors that may be open.
    Gauge PROCESS_MAX_FDS = "process_max_fds";
    /// When the server started, in seconds since 1970.
    Gauge PROCESS_START = "process_start_time_seconds";
}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prometheus's own linter asks for, and what the manual needs.
    #[test]
    fn every_metric_is_described_as_it_should_be() {
        for (n, metric) in ALL.iter().enumerate() {
            let name = metric.name;
            let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(name.bytes().all(good), "{name}");
            assert!(name.starts_with("repute_") || name.starts_with("process_"), "{name}");
            assert_eq!(
                metric.kind == Kind::Counter,
                name.ends_with("_total"),
                "{name}: counters, and they alone, are totals"
            );
            assert!(!["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)), "{name}");
            assert!(
                metric.help().len() > 5 && metric.help().contains(['.', ';']) | metric.help().ends_with('.'),
                "{name}: {}",
                metric.help()
            );
            assert!(metric.labels.iter().all(|label| !["le", "job", "instance"].contains(&label.name)), "{name}");
            assert!(ALL[..n].iter().all(|other| other.name != name), "{name} stands here twice");
        }
    }
}
