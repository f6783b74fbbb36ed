//! What a reply means, in some forty classes, and what follows from each: whose fault it
//! is, what the server does beyond this one recipient, what a person does, which checks tell
//! more. A rule may say more about its own case than its class does.

use std::fmt;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// There is no such mailbox, or no such domain.
    UnknownUser,
    /// The domain of the recipient does not exist, or has no host for mail.
    NoDomain,
    /// The domain, or its host, takes no mail at all (RFC 7505, RFC 7504).
    TakesNoMail,
    /// The recipient has another address now.
    Moved,
    /// The mailbox exists and takes nothing any more.
    DisabledMailbox,
    FullMailbox,
    /// This one recipient gets too much mail, from us or in all.
    RecipientRate,
    /// The recipient, or the organisation behind the domain, does not want mail from us.
    RecipientPolicy,
    /// PTR missing, or not leading back to the address.
    ReverseDns,
    /// The name in EHLO.
    Helo,
    /// Our IPv6 address is not good enough, or none is taken.
    Ipv6,
    /// The address stands in an end-user range.
    DynamicAddress,
    /// A black list has the address.
    ListedAddress,
    /// The receiver's own opinion of the address.
    AddressReputation,
    /// A black list has a domain of ours: From, return path, EHLO.
    ListedDomain,
    /// The receiver's own opinion of the domain.
    DomainReputation,
    /// SPF and DKIM together.
    Authentication,
    Spf,
    Dkim,
    Dmarc,
    /// The domain of the sender does not resolve, or cannot receive.
    SenderDomain,
    Tls,
    /// Too much in too short a time.
    Rate,
    /// Too many connections, or messages in one.
    Connections,
    /// The usual test of a stranger's patience.
    Greylisting,
    /// Taken for spam.
    Content,
    /// A link in the message is listed.
    ListedLink,
    /// Taken for a virus, or an attachment of a forbidden kind.
    Virus,
    /// A header or the structure is not as the RFCs have it.
    MessageFormat,
    TooLarge,
    /// Refused by a rule that the reply does not tell.
    Policy,
    /// The host says that it does not serve this domain.
    RelayDenied,
    /// A command was out of order or unknown.
    Protocol,
    /// It wants a login.
    Login,
    Loop,
    /// No connection, or it broke.
    Network,
    /// It was tried for as long as it may be.
    Expired,
    /// The program behind the mailbox failed.
    MailProgram,
    /// The receiver's own set-up is broken, and it shows in the reply.
    ReceiverFault,
    /// The receiver cannot just now.
    Temporary,
    /// Nothing in the reply tells.
    Unknown,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    Recipient,
    /// Our sending address: its names, its place, its reputation.
    Address,
    /// Our sending domain and its records.
    Domain,
    /// The message.
    Content,
    /// How fast we send.
    Rate,
    /// The receiver's side.
    Remote,
    /// What lies between us and the receiver.
    Network,
    /// Our server or its configuration.
    Us,
    /// The reply does not tell.
    Unknown,
}

/// What the server does besides deferring or failing this recipient by the reply's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Nothing,
    /// Put the recipient on the suppression list. Only after a permanent reply.
    Suppress,
    /// Send less to this recipient alone.
    SlowRecipient,
    /// Send slower to this site.
    SlowSite,
    /// Send nothing to this site for the pause, then one connection, then one more at a time.
    PauseSite,
    /// Try again after some minutes, from the same address.
    RetrySameAddress,
    /// Go on over a new connection.
    Reconnect,
    /// Leave by IPv4, for this message and for a while.
    UseIpv4,
    /// Leave from another address where one is permitted, for this message and for a while; from none while a check says
    /// that the permit is lost.
    HoldAddress,
    /// Try the message once more; send no more for this domain while a check says that its permit is lost.
    HoldDomain,
    /// Stop the campaign that the message belongs to, when it is too much.
    HoldCampaign,
    /// Refuse such messages at submission, where the fault shows.
    RefuseMessage,
}

impl Class {
    pub const ALL: [Class; 41] = [
        Class::UnknownUser,
        Class::NoDomain,
        Class::TakesNoMail,
        Class::Moved,
        Class::DisabledMailbox,
        Class::FullMailbox,
        Class::RecipientRate,
        Class::RecipientPolicy,
        Class::ReverseDns,
        Class::Helo,
        Class::Ipv6,
        Class::DynamicAddress,
        Class::ListedAddress,
        Class::AddressReputation,
        Class::ListedDomain,
        Class::DomainReputation,
        Class::Authentication,
        Class::Spf,
        Class::Dkim,
        Class::Dmarc,
        Class::SenderDomain,
        Class::Tls,
        Class::Rate,
        Class::Connections,
        Class::Greylisting,
        Class::Content,
        Class::ListedLink,
        Class::Virus,
        Class::MessageFormat,
        Class::TooLarge,
        Class::Policy,
        Class::RelayDenied,
        Class::Protocol,
        Class::Login,
        Class::Loop,
        Class::Network,
        Class::Expired,
        Class::MailProgram,
        Class::ReceiverFault,
        Class::Temporary,
        Class::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        self.profile().name
    }

    pub fn fault(self) -> Fault {
        self.profile().fault
    }

    pub fn action(self) -> Action {
        self.profile().action
    }

    /// One sentence for people.
    pub fn cause(self) -> &'static str {
        self.profile().cause
    }

    /// What a person does about it.
    pub fn advice(self) -> &'static str {
        self.profile().advice
    }

    /// Ids of the checks that tell more.
    pub fn checks(self) -> &'static [&'static str] {
        self.profile().checks
    }

    fn profile(self) -> Profile {
        super::profile::of(self)
    }
}

/// All that follows from a class.
pub(super) struct Profile {
    pub name: &'static str,
    pub fault: Fault,
    pub action: Action,
    pub cause: &'static str,
    pub advice: &'static str,
    pub checks: &'static [&'static str],
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Fault {
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Recipient => "recipient",
            Fault::Address => "address",
            Fault::Domain => "domain",
            Fault::Content => "content",
            Fault::Rate => "rate",
            Fault::Remote => "remote",
            Fault::Network => "network",
            Fault::Us => "us",
            Fault::Unknown => "unknown",
        }
    }

    /// For people: `our sending address`.
    pub fn who(self) -> &'static str {
        match self {
            Fault::Recipient => "the recipient",
            Fault::Address => "our sending address",
            Fault::Domain => "our domain",
            Fault::Content => "the message",
            Fault::Rate => "how fast we send",
            Fault::Remote => "the receiver",
            Fault::Network => "the network",
            Fault::Us => "our server",
            Fault::Unknown => "not told",
        }
    }
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Nothing => "nothing",
            Action::Suppress => "suppress",
            Action::SlowRecipient => "slow-recipient",
            Action::SlowSite => "slow-site",
            Action::PauseSite => "pause-site",
            Action::RetrySameAddress => "retry-same-address",
            Action::Reconnect => "reconnect",
            Action::UseIpv4 => "use-ipv4",
            Action::HoldAddress => "hold-address",
            Action::HoldDomain => "hold-domain",
            Action::HoldCampaign => "hold-campaign",
            Action::RefuseMessage => "refuse-message",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_all_classes_is_whole_and_names_are_those_of_the_data() {
        #[derive(Deserialize)]
        struct One {
            class: Class,
        }
        for (nth, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, nth);
            let One { class: read } = toml::from_str(&format!("class = {:?}", class.as_str())).unwrap();
            assert_eq!(read, class);
            assert!(!class.cause().is_empty() && !class.advice().is_empty(), "{class}");
        }
        assert_eq!(Class::Unknown as usize + 1, Class::ALL.len());
    }

    /// Invariant of the suppression list: only recipient faults touch it.
    #[test]
    fn only_recipient_faults_suppress() {
        for class in Class::ALL {
            assert!(class.action() != Action::Suppress || class.fault() == Fault::Recipient, "{class}");
        }
    }
}
