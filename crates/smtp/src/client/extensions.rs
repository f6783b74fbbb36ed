//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1).

use repute_types::Reply;

/// Unknown keywords are passed over; the later of two lines with one keyword wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    pub pipelining: bool,
    pub eight_bit_mime: bool,
    pub smtputf8: bool,
    pub chunking: bool,
    pub binary_mime: bool,
    pub dsn: bool,
    pub starttls: bool,
    pub require_tls: bool,
    pub enhanced_status_codes: bool,
    /// MAIL may say SIZE= (RFC 1870).
    pub size: bool,
    /// Octets of the largest message, where the server has a fixed limit.
    pub size_most: Option<u64>,
    /// AUTH mechanisms that we speak.
    pub auth_plain: bool,
    pub auth_login: bool,
    /// RFC 9422: recipients in a transaction, transactions in a session.
    pub recipients_most: Option<u32>,
    pub messages_most: Option<u32>,
}

impl Extensions {
    /// The first line is the server's name and greeting; each further one is a keyword.
    pub fn from_ehlo(reply: &Reply) -> Extensions {
        let mut offered = Extensions::default();
        for line in reply.lines.iter().skip(1) {
            offered.line(line);
        }
        offered
    }

    fn line(&mut self, line: &str) {
        let mut words = line.split([' ', '\t']).filter(|w| !w.is_empty());
        let Some(keyword) = words.next() else { return };
        // Written so by servers from before RFC 4954: `AUTH=LOGIN PLAIN`.
        if let Some(first) = keyword.get(..5).filter(|k| k.eq_ignore_ascii_case("AUTH=")).map(|_| &keyword[5..]) {
            return std::iter::once(first).chain(words).for_each(|m| self.mechanism(m));
        }
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.require_tls = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "SIZE" => {
                self.size = true;
                // 0 says that there is no fixed limit (RFC 1870 §4).
                self.size_most = words.next().and_then(|w| w.parse().ok()).filter(|&size| size > 0);
            }
            "AUTH" => words.for_each(|m| self.mechanism(m)),
            "LIMITS" => words.for_each(|w| self.limit(w)),
            _ => {}
        }
    }

    fn mechanism(&mut self, name: &str) {
        self.auth_plain |= name.eq_ignore_ascii_case("PLAIN");
        self.auth_login |= name.eq_ignore_ascii_case("LOGIN");
    }

    /// A limit of 0 would forbid everything; it is taken for a mistake and not kept.
    fn limit(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let value = value.parse().ok().filter(|&v: &u32| v > 0);
        if name.eq_ignore_ascii_case("RCPTMAX") {
            self.recipients_most = value;
        } else if name.eq_ignore_ascii_case("MAILMAX") {
            self.messages_most = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(lines: &[&str]) -> Extensions {
        let lines = std::iter::once("mx.invalid").chain(lines.iter().copied()).map(Into::into).collect();
        Extensions::from_ehlo(&Reply { code: 250, enhanced: None, lines })
    }

    #[test]
    fn keywords_are_read_in_any_case() {
        let e = offered(&["pipelining", "SIZE 52428800", "AUTH PLAIN login", "LIMITS RCPTMAX=20 MAILMAX=5 X=1", "X"]);
        let expected = Extensions {
            pipelining: true,
            size: true,
            size_most: Some(52_428_800),
            auth_plain: true,
            auth_login: true,
            recipients_most: Some(20),
            messages_most: Some(5),
            ..Extensions::default()
        };
        assert_eq!(e, expected);
    }

    #[test]
    fn odd_forms_do_no_harm() {
        let e = offered(&["AUTH=LOGIN", "SIZE", "", " ", "LIMITS RCPTMAX=0 MAILMAX", "ÄUTH=x"]);
        assert_eq!(e, Extensions { auth_login: true, size: true, ..Extensions::default() });
        assert_eq!(offered(&["SIZE 0"]).size_most, None);
        // The greeting line is no keyword.
        assert!(!Extensions::from_ehlo(&Reply::bare(250, "PIPELINING")).pipelining);
    }
}
