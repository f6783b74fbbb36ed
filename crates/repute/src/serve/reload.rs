//! SIGHUP: what can change while mail flows changes at once and as a whole; what cannot is
//! said, one sentence each, and stays as it was.

use anyhow::Context as _;

use super::{Running, load_certificate};
use crate::config::settings;
use crate::config::{self, Config, Files};
use crate::control::sendmail::Access;

impl Running {
    /// Reads the configuration again and takes on what it can: accounts, domains and their
    /// keys, egress, routes, retry, certificate, log. Fails with everything as it was.
    /// Returns what needs a restart, and what is hardly meant.
    pub fn reload(&mut self) -> anyhow::Result<Vec<String>> {
        let taken = self.take_on();
        self.machine.reloaded(taken.is_ok());
        taken
    }

    fn take_on(&mut self) -> anyhow::Result<Vec<String>> {
        let new = config::load(&self.config.file, Files::Check)?;
        let settings = settings::of(&new, &self.known);
        let certificate = load_certificate(&new).context("the certificate cannot be taken on")?;
        let mut waiting = needs_restart(&self.config, &new);
        waiting.extend(new.advice.sentences().map(|sentence| format!("WARNING: {sentence}")));
        let web = super::web::of(&new)?;
        self.engine.reload(settings);
        self.outside.reload(new.webhooks.clone());
        self.certificate.exchange(certificate);
        self.sendmail.exchange(Access::of(&new));
        self.web.reload(web);
        self.log.set_format(new.log);
        // What waits for a restart stays as it is, so that it is said again next time.
        self.config = Config {
            hostname: self.config.hostname.clone(),
            state: self.config.state.clone(),
            user: self.config.user.clone(),
            listeners: self.config.listeners.clone(),
            resolver: self.config.resolver.clone(),
            limits: self.config.limits.clone(),
            history_keep: self.config.history_keep,
            events: self.config.events.clone(),
            ..new
        };
        Ok(waiting)
    }
}

fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let limits = |c: &Config| {
        let l = &c.limits;
        let sizes = (l.message(), l.fresh(), l.incoming(), l.outgoing());
        let times = (l.idle.0, l.auth_window.0, l.drain.0);
        let failures = (l.errors, l.auth_failures, l.auth_failures_per_client);
        (sizes, times, failures, l.recipients, l.connections, l.connections_per_client)
    };
    let changed = [
        ("hostname", old.hostname != new.hostname),
        ("state", old.state != new.state),
        ("user", old.user != new.user),
        ("[[listener]]", old.listeners != new.listeners),
        ("[resolver]", old.resolver != new.resolver),
        ("[limits] of clients", limits(old) != limits(new)),
        ("[history]", old.history_keep != new.history_keep),
        ("what is kept of events ([[webhook]], [events])", old.events != new.events),
    ];
    let sentence = |(what, _): &(&str, bool)| format!("{what} has changed and needs a restart");
    let mut sentences: Vec<String> = changed.iter().filter(|(_, changed)| *changed).map(sentence).collect();
    // It reads the file of events, which the server does not have.
    if old.events.kept.is_none() && !new.webhooks.is_empty() {
        sentences.push("the first [[webhook]] is told nothing until then".to_owned());
    }
    sentences
}
