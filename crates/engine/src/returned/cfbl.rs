//! The address that a message names for complaints about it (RFC 9477): receivers that report so need no arrangement with us
//! beforehand, and what they quote of a message names its recipients.
//!
//! Promise: it stands in front of the message before it is signed, since a report goes only where a signature covers the
//! address; a message that names one of its own keeps that alone.

use repute_feedback::Token;
use repute_message::Header;
use repute_types::{Content, Domain, MessageId, PartId, Recipient};

use super::COMPLAINTS;
use crate::config::SendingDomain;
use crate::works::Works;

const NAME: &str = "CFBL-Address";

/// The field for mail of a part; `None` where receivers would send nothing to the domain's return path.
pub(crate) fn field(works: &Works, domain: &SendingDomain, part: PartId) -> Option<String> {
    let path = domain.return_path.as_ref().filter(|path| is_within(path, &domain.name))?;
    let token = works.doors.tokens.write(&Token::Return(part));
    Some(format!("{NAME}: {COMPLAINTS}+{token}@{path}; report=arf\r\n"))
}

/// Names one in a message whose recipients are at one domain: content is one for all parts, and an address is of one part.
pub(crate) fn add(
    works: &Works,
    domain: &SendingDomain,
    id: MessageId,
    recipients: &[Recipient],
    content: &mut Content,
) {
    let is_one_part = recipients.windows(2).all(|pair| pair[0].address.domain() == pair[1].address.domain());
    let Some(field) = field(works, domain, PartId { message: id, number: 0 }).filter(|_| is_one_part) else { return };
    if Header::read(content).is_ok_and(|header| header.find(NAME).is_none()) {
        content.prepend(field);
    }
}

/// RFC 9477 §3.1: a receiver reports only to the domain of From or one below it.
fn is_within(domain: &Domain, of: &Domain) -> bool {
    let (domain, of) = (domain.as_str(), of.as_str());
    domain == of || domain.strip_suffix(of).is_some_and(|above| above.ends_with('.'))
}
