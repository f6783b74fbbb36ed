//! What a route, a host and a message ask of TLS, as one rule with a stage for each moment at which
//! it can say no.
//!
//! - before anything, for the domain: [`TlsRule::prepare`]; what its MTA-STS policy (RFC 8461) says of its
//!   hosts was seen when the route was found (`secured`)
//! - for each host, before it is connected to: [`TlsRule::for_host`]; DANE (RFC 7672) is asked for here
//! - when the server has said what it offers: [`HostRule::check_offer`]
//! - how to shake hands: [`HostRule::wish`], [`HostRule::policy`], [`HostRule::may_go_clear`]
//! - when hands are shaken: [`HostRule::check_session`]
//!
//! Promise: where a host has TLSA records, they decide, and nothing that a policy says replaces them
//! (RFC 8461 §2); where it cannot be found out whether it has some, no mail goes to it.

use repute_dns::Resolver;
use repute_net::{Stream, TlsPolicy};
use repute_smtp::client::{Extensions, TlsWish};
use repute_trust::tlsrpt::ResultType;
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Stage, TlsAsked, TlsUsed, Verdict};

use crate::dane::{self, Dane, NoWay, Promise, Vouched};
use crate::tally::{AppliedPolicy, Flaw};
use crate::{HostName, Route};

/// How much TLS a route asks for; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsNeed {
    /// STARTTLS is not said.
    Never,
    /// Where it is offered; if the handshake breaks, mail goes in clear (RFC 7435).
    #[default]
    Opportunistic,
    /// Encrypted, with any certificate.
    Require,
    /// Encrypted, with a certificate that is valid for the host.
    Verify,
}

/// The mail that a session is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of its recipients.
    pub domain: &'a Domain,
    /// It was sent with REQUIRETLS (RFC 8689).
    pub require_tls: bool,
}

/// The rule for one opening: what every host of the route is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsRule<'a> {
    route: &'a Route,
    wanted: Wanted<'a>,
    need: TlsNeed,
    asked: TlsAsked,
}

impl<'a> TlsRule<'a> {
    /// REQUIRETLS (RFC 8689 §4.2.1) needs hosts that were found safely: by DNSSEC, by a policy, or because an
    /// operator named them.
    pub fn prepare(route: &'a Route, wanted: Wanted<'a>) -> Result<TlsRule<'a>, Outcome> {
        let require_tls = wanted.require_tls;
        if require_tls && !route.is_safe() {
            let text = "the sender asked for REQUIRETLS, and the domain's MX records are secured neither by DNSSEC nor by MTA-STS";
            return Err(no_support(Stage::Route, text));
        }
        let (need, asked) = match route.tls {
            _ if require_tls => (TlsNeed::Verify, TlsAsked::RequireTls),
            need @ (TlsNeed::Require | TlsNeed::Verify) => (need, TlsAsked::Route),
            need => (need, TlsAsked::Opportunistic),
        };
        Ok(TlsRule { route, wanted, need, asked })
    }

    /// What this host is asked. `authentic`: its addresses are validated. `Err`: it gets no mail now.
    pub async fn for_host(&self, host: &HostName, authentic: bool, resolver: &dyn Resolver) -> Result<HostRule, NoWay> {
        let implicit = self.route.implicit_tls;
        let require_tls = self.wanted.require_tls;
        let plain = HostRule { need: self.need, asked: self.asked, implicit, require_tls, dane: None, unusable: None };
        let HostName::Name(name) = host else { return Ok(plain) };
        let promise = match self.route.dane && authentic {
            true => dane::promise(name, self.route, self.wanted.domain, resolver).await?,
            false => Promise::Nothing,
        };
        match promise {
            Promise::Records(dane) => {
                return Ok(HostRule { need: TlsNeed::Require, asked: TlsAsked::Dane, dane: Some(dane), ..plain });
            }
            // RFC 7672 §2.2: what cannot be used still says that TLS is there.
            Promise::Unusable(applied) if self.route.policy.is_none() && self.need <= TlsNeed::Require => {
                let unusable = Some(applied);
                return Ok(HostRule { need: TlsNeed::Require, asked: TlsAsked::Dane, unusable, ..plain });
            }
            Promise::Unusable(_) | Promise::Nothing => {}
        }
        match &self.route.policy {
            None => Ok(plain),
            Some(policy) if policy.names(name.as_str()) => {
                let asked = if require_tls { self.asked } else { TlsAsked::MtaSts };
                Ok(HostRule { need: TlsNeed::Verify, asked, ..plain })
            }
            Some(_) => {
                let text =
                    format!("the domain's MTA-STS policy does not name its MX host {name}, so nothing is sent to it");
                let status = EnhancedCode(4, 7, 10);
                let outcome = Outcome::ours(Verdict::Deferred, Stage::Route, Culprit::Dns, status, text);
                Err(NoWay { outcome, seen: Some((None, Flaw::unnamed(host))) })
            }
        }
    }
}

/// The rule for sessions with one host.
#[derive(Clone, Debug)]
pub(crate) struct HostRule {
    need: TlsNeed,
    asked: TlsAsked,
    implicit: bool,
    require_tls: bool,
    /// Takes the place of the certificate authorities.
    dane: Option<Dane>,
    /// TLSA records that say no more than that there is TLS.
    unusable: Option<AppliedPolicy>,
}

impl HostRule {
    pub fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// Whether to say STARTTLS to a host, of which it may be known that its TLS is broken.
    pub fn wish(&self, known_broken: bool) -> TlsWish {
        match self.need {
            _ if self.implicit => TlsWish::Inside,
            TlsNeed::Never => TlsWish::Never,
            TlsNeed::Opportunistic if known_broken => TlsWish::Never,
            TlsNeed::Opportunistic => TlsWish::IfOffered,
            TlsNeed::Require | TlsNeed::Verify => TlsWish::Needed,
        }
    }

    pub fn policy(&self) -> TlsPolicy {
        if self.need == TlsNeed::Verify { TlsPolicy::Verified } else { TlsPolicy::Opportunistic }
    }

    /// The name that the server is asked to show a certificate for (RFC 7672 §8.1).
    pub fn server_name<'a>(&'a self, host: &'a str) -> &'a str {
        self.dane.as_ref().map_or(host, |dane| dane.base.as_str())
    }

    /// Whether mail may go in clear after a handshake that broke.
    pub fn may_go_clear(&self) -> bool {
        self.need <= TlsNeed::Opportunistic && !self.implicit
    }

    /// The TLSA records that decide, as reports have them, and what is wrong with the records themselves.
    pub fn applied(&self) -> (Option<AppliedPolicy>, Option<Flaw>) {
        let unusable = || Flaw::new(ResultType::TlsaInvalid, "none of the TLSA records can be used for mail");
        let flaw = self.unusable.as_ref().map(|_| unusable());
        (self.dane.as_ref().map(|dane| &dane.applied).or(self.unusable.as_ref()).cloned(), flaw)
    }

    /// Who is on the other side, once hands are shaken, and whose mail they may have.
    pub fn check_session(
        &self,
        session: &Stream,
        used: TlsUsed,
        host: &str,
    ) -> Result<(TlsUsed, Vouched), (Outcome, Flaw)> {
        let used = TlsUsed { asked: self.asked, ..used };
        let Some(dane) = &self.dane else { return Ok((used, Vouched::ForAll)) };
        match dane.judge(&session.peer_certificates()) {
            Ok(vouched) => Ok((TlsUsed { verified: true, ..used }, vouched)),
            Err(flaw) => {
                let fault = match flaw.result {
                    ResultType::CertificateExpired => "a certificate that has expired",
                    ResultType::CertificateHostMismatch => "a certificate that bears the name of another host",
                    ResultType::TlsaInvalid => "another certificate than its TLSA records promise",
                    _ => "a certificate that is not valid by the authority that its TLSA records promise",
                };
                Err((self.unmet(Stage::StartTls, format!("{host} shows {fault}")), flaw))
            }
        }
    }

    /// What the server offers, in the session in which mail would be sent.
    pub fn check_offer(&self, offered: &Extensions) -> Result<(), Outcome> {
        if self.require_tls && !offered.require_tls {
            let text = "the sender asked for REQUIRETLS, and the server does not offer it";
            return Err(no_support(Stage::Ehlo, text));
        }
        Ok(())
    }

    /// TLS could not be had where it is a must.
    pub fn unmet(&self, stage: Stage, text: impl Into<String>) -> Outcome {
        let text = match self.asked {
            TlsAsked::Dane => format!("{} (TLS is asked for by DANE: the host has TLSA records)", text.into()),
            TlsAsked::MtaSts => format!("{} (TLS is asked for by the domain's MTA-STS policy)", text.into()),
            _ => text.into(),
        };
        if self.require_tls {
            return no_support(stage, text);
        }
        // Temporary: certificates expire and are renewed, and no policy says that mail is lost
        // for it (RFC 8461 §5, RFC 7672 §2.2).
        Outcome::ours(Verdict::Deferred, stage, Culprit::Receiver, EnhancedCode(4, 7, 10), text)
    }
}

/// Whether a message with REQUIRETLS may go over a session that is open.
pub(crate) fn suits_require_tls(safe: bool, tls: Option<&TlsUsed>, offered: &Extensions) -> bool {
    safe && offered.require_tls && tls.is_some_and(|t| t.verified)
}

/// RFC 8689 §4.2.1: this is final, and the sender learns it.
fn no_support(stage: Stage, text: impl Into<String>) -> Outcome {
    Outcome::ours(Verdict::Failed, stage, Culprit::Receiver, EnhancedCode(5, 7, 30), text)
}
