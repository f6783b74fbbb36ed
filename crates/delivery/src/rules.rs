//! What a route and a message ask of TLS, as one rule with a stage for each moment at which it
//! can say no. DANE and MTA-STS are further rules of this form.
//!
//! - before anything: [`TlsRule::prepare`]
//! - when the server has said what it offers: [`TlsRule::check_offer`]
//! - how to shake hands: [`TlsRule::wish`], [`TlsRule::policy`], [`TlsRule::may_go_clear`]

use repute_net::TlsPolicy;
use repute_smtp::client::{Extensions, TlsWish};
use repute_types::{Culprit, EnhancedCode, Outcome, Stage, TlsUsed, Verdict};

use crate::Route;

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

/// The rule for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsRule {
    need: TlsNeed,
    implicit: bool,
    require_tls: bool,
}

impl TlsRule {
    /// `require_tls`: the message was sent with REQUIRETLS (RFC 8689 §4.2.1), which needs hosts
    /// that were found safely: by DNSSEC, or because an operator named them.
    pub fn prepare(route: &Route, require_tls: bool) -> Result<TlsRule, Outcome> {
        if require_tls && !route.authentic {
            let text = "the sender asked for REQUIRETLS, and the domain's MX records are not secured by DNSSEC";
            return Err(no_support(Stage::Route, text));
        }
        let need = if require_tls { TlsNeed::Verify } else { route.tls };
        Ok(TlsRule { need, implicit: route.implicit_tls, require_tls })
    }

    pub fn is_implicit(self) -> bool {
        self.implicit
    }

    /// Whether to say STARTTLS to a host, of which it may be known that its TLS is broken.
    pub fn wish(self, known_broken: bool) -> TlsWish {
        match self.need {
            _ if self.implicit => TlsWish::Inside,
            TlsNeed::Never => TlsWish::Never,
            TlsNeed::Opportunistic if known_broken => TlsWish::Never,
            TlsNeed::Opportunistic => TlsWish::IfOffered,
            TlsNeed::Require | TlsNeed::Verify => TlsWish::Needed,
        }
    }

    pub fn policy(self) -> TlsPolicy {
        if self.need == TlsNeed::Verify { TlsPolicy::Verified } else { TlsPolicy::Opportunistic }
    }

    /// Whether mail may go in clear after a handshake that broke.
    pub fn may_go_clear(self) -> bool {
        self.need <= TlsNeed::Opportunistic && !self.implicit
    }

    /// What the server offers, in the session in which mail would be sent.
    pub fn check_offer(self, offered: &Extensions) -> Result<(), Outcome> {
        if self.require_tls && !offered.require_tls {
            let text = "the sender asked for REQUIRETLS, and the server does not offer it";
            return Err(no_support(Stage::Ehlo, text));
        }
        Ok(())
    }

    /// TLS could not be had where it is a must.
    pub fn unmet(self, stage: Stage, text: impl Into<String>) -> Outcome {
        if self.require_tls {
            return no_support(stage, text);
        }
        // Temporary: certificates expire and are renewed, and no policy says that mail is lost
        // for it (RFC 8461 §5 says the same of its own).
        Outcome::ours(Verdict::Deferred, stage, Culprit::Receiver, EnhancedCode(4, 7, 10), text)
    }
}

/// Whether a message with REQUIRETLS may go over a session that is open.
pub(crate) fn suits_require_tls(authentic: bool, tls: Option<&TlsUsed>, offered: &Extensions) -> bool {
    authentic && offered.require_tls && tls.is_some_and(|t| t.verified)
}

/// RFC 8689 §4.2.1: this is final, and the sender learns it.
fn no_support(stage: Stage, text: impl Into<String>) -> Outcome {
    Outcome::ours(Verdict::Failed, stage, Culprit::Receiver, EnhancedCode(5, 7, 30), text)
}
