//! What a reload does to mail that waits: it goes by the routes that are configured now, at once, and where its account,
//! domain or route was taken out of the configuration, the log says how much of it there is and what becomes of it.
//!
//! Promise: nothing that waits is dropped or changed by a reload. What cannot be read of the spool is not counted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use repute_spool::{MessageMeta, Stretch, Walk};
use repute_types::event::Level;

use crate::config::Settings;
use crate::works::Works;

const PAGE: usize = 1000;

/// The settings are others than before.
pub(crate) fn follow(works: &Arc<Works>, before: Arc<Settings>) {
    let now = works.settings();
    reroute(works, &before, &now);
    let removed = Removed::of(&before, &now);
    if !removed.is_empty() {
        let works = works.clone();
        tokio::spawn(async move { removed.tell(&works, &now).await });
    }
}

/// Mail whose route is another one does not wait for what the earlier one waits for.
fn reroute(works: &Works, before: &Settings, now: &Settings) {
    let is_other = |flow: &repute_queue::Flow| !before.routes.are_alike(&now.routes, &flow.domain);
    let moved = works.queue(|queue| queue.reroute(is_other, works.now()));
    let (relayed, direct): (Vec<_>, Vec<_>) = moved.iter().partition(|(flow, _)| now.routes.is_relayed(&flow.domain));
    let count = |flows: Vec<&(_, u32)>| flows.iter().map(|(_, parts)| u64::from(*parts)).sum::<u64>();
    let (relayed, direct) = (count(relayed), count(direct));
    if relayed > 0 {
        let text = format!("{} by a route that is another one than before", waiting(relayed, "goes", "go"));
        works.note(Level::Info, "reload", text);
    }
    if direct > 0 {
        let text = format!(
            "the route of mail that waits is out of the configuration: {} to the MX hosts of the recipients' domains now",
            waiting(direct, "goes", "go")
        );
        works.note(Level::Warning, "reload", text);
    }
}

fn waiting(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 message that waits {one}"),
        _ => format!("{count} messages that wait {many}"),
    }
}

/// Accounts and domains that are not in the configuration any more.
struct Removed {
    accounts: HashSet<String>,
    domains: HashSet<String>,
}

impl Removed {
    fn of(before: &Settings, now: &Settings) -> Removed {
        let accounts = before.accounts.iter().map(|one| &one.account.name);
        let accounts = accounts.filter(|name| now.account(name).is_none());
        let domains = before.domains.iter().map(|one| &one.name).filter(|name| now.domain(name).is_none());
        Removed {
            accounts: accounts.map(|n| n.to_string()).collect(),
            domains: domains.map(|n| n.to_string()).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.domains.is_empty()
    }

    async fn tell(self, works: &Works, now: &Settings) {
        let (accounts, domains) = self.count(works).await;
        for (name, waiting) in accounts {
            let whose = format!("--account {name}");
            let text = format!(
                "the account {name} is out of the configuration: {}. `repute queue cancel {whose}` takes all of it out",
                waiting.told(&whose, "is delivered all the same", "are delivered all the same")
            );
            works.note(Level::Warning, "reload", text);
        }
        // Where there are pools, nobody knows which of them the domain's mail may leave from.
        let stays = now.pool(None).is_some_and(|pool| pool.is_empty());
        let (one, many) = match stays {
            true => ("goes on waiting until it is back", "go on waiting until it is back"),
            false => {
                ("is delivered with the signature that it has", "are delivered with the signatures that they have")
            }
        };
        for (name, waiting) in domains {
            let whose = format!("--sender @{name}");
            let text = format!(
                "the domain {name} is out of the configuration: {}. `repute queue cancel {whose}` takes out what is sent \
                 from it",
                waiting.told(&whose, one, many)
            );
            works.note(Level::Warning, "reload", text);
        }
    }

    /// What waits of each account and domain that has some.
    async fn count(&self, works: &Works) -> (BTreeMap<String, Waiting>, BTreeMap<String, Waiting>) {
        let (mut accounts, mut domains) = (BTreeMap::<_, Waiting>::new(), BTreeMap::<_, Waiting>::new());
        let (mut walk, mut last) = (Walk::behind(None), None);
        while let Ok(Some(stretch)) = walk.next(&*works.doors.spool, PAGE).await {
            let Stretch::Parts(page) = stretch else { continue };
            for (meta, _) in page {
                let is_first = last.replace(meta.id) != Some(meta.id);
                if let Some(name) = meta.account.as_deref().filter(|name| self.accounts.contains(*name)) {
                    accounts.entry(name.to_owned()).or_default().add(&meta, is_first);
                }
                if let Some(name) = meta.author.as_ref().filter(|name| self.domains.contains(name.as_str())) {
                    domains.entry(name.to_string()).or_default().add(&meta, is_first);
                }
            }
        }
        (accounts, domains)
    }
}

/// What waits of an account or a domain.
#[derive(Default)]
struct Waiting {
    messages: u64,
    /// Recipients of campaigns, whose letters are signed for each attempt.
    recipients: u64,
}

impl Waiting {
    /// The parts of a message follow one another.
    fn add(&mut self, meta: &MessageMeta, is_first: bool) {
        match meta.letter {
            Some(_) => self.recipients += 1,
            None => self.messages += u64::from(is_first),
        }
    }

    /// `whose` are the words by which commands on the queue mean it.
    fn told(&self, whose: &str, one: &str, many: &str) -> String {
        let messages = (self.messages > 0).then(|| waiting(self.messages, one, many));
        let held = format!(
            "held at the next attempt, as no letter can be signed for them (`repute queue release {whose}` lets them go \
             once it is back)"
        );
        let recipients = (self.recipients > 0).then(|| match self.recipients {
            1 => format!("1 recipient of a campaign is {held}"),
            count => format!("{count} recipients of campaigns are {held}"),
        });
        messages.into_iter().chain(recipients).collect::<Vec<_>>().join(", and ")
    }
}
