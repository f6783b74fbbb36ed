//! The first message of a new set-up: one letter of the server's own, by the way that all mail takes. It waits
//! for its permit as any other, and `why` tells what becomes of it.

use std::time::Duration;

use repute_types::{Address, Domain, MessageId};
use serde::Serialize;

use super::{Control, ControlError};
use crate::own::{self, OwnLetter};

/// Who waits for it has given up long before.
const EXPIRES: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Serialize)]
pub struct First {
    pub id: MessageId,
}

impl Control {
    /// Hands in a letter from postmaster at `domain`, which has to be one of ours.
    pub async fn first_message(&self, domain: &Domain, to: &Address) -> Result<First, ControlError> {
        let works = &self.works;
        let settings = works.settings();
        let author = settings.domain(domain).filter(|author| author.is_usable());
        let author = author.ok_or_else(|| ControlError::NoSuchDomain(domain.clone()))?;
        let letter = OwnLetter {
            author,
            to,
            subject: format!("The first message from {}", settings.hostname),
            text: format!(
                "This server sends mail as {domain} from now on.\n\n{} is set up: its address has a name, its mail is signed, and \
                 its records say so. What became of this message, and of every other, is told by: repute why {to}\n",
                settings.hostname
            ),
            returns: true,
            expires: EXPIRES,
            report: None,
        };
        own::send(works, letter).await.map(|id| First { id }).map_err(ControlError::NotTaken)
    }
}
