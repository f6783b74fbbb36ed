//! The black lists that a reply names: the list's own zone or web site after words such as
//! "blocked using", or the bits of Cox's code.

/// Names as the reply has them, lower case, each once.
pub(super) fn named_in(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let mut lists = cox_bits(&lower);
    for lead in ["blocked using ", "blocked by ", "listed in ", "listed at ", "listed on ", "listed by ", "found in "] {
        for (place, _) in lower.match_indices(lead) {
            let word = lower[place + lead.len()..].split([' ', ';', ',', '(', ')', ':', '"', '\'']).next();
            let word = word.unwrap_or_default().trim_end_matches('.');
            let is_name = word.contains('.') || matches!(word, "spamhaus" | "spamcop" | "barracuda" | "sorbs");
            // An address is who was blocked, not who blocks.
            if is_name && word.parse::<std::net::IpAddr>().is_err() && !lists.iter().any(|l| l == word) {
                lists.push(word.to_owned());
            }
        }
    }
    lists
}

/// `IPBLabcd`: Cloudmark, Invaluement, Return Path, Spamhaus.
fn cox_bits(lower: &str) -> Vec<String> {
    let Some((_, after)) = lower.split_once("ipbl") else { return Vec::new() };
    let bits = after.get(..4).unwrap_or_default();
    if bits.len() != 4 || !bits.bytes().all(|b| b == b'0' || b == b'1') {
        return Vec::new();
    }
    let names = ["csi.cloudmark.com", "dnsbl.invaluement.com", "senderscore.org", "zen.spamhaus.org"];
    bits.bytes().zip(names).filter(|(bit, _)| *bit == b'1').map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::named_in;

    #[test]
    fn lists_are_found_where_they_are_named() {
        for (text, expected) in [
            ("Client host [192.0.2.1] blocked using zen.spamhaus.org; https://x", vec!["zen.spamhaus.org"]),
            ("client [192.0.2.1] blocked using prs.proofpoint.com", vec!["prs.proofpoint.com"]),
            ("blocked using Spamhaus. To request removal", vec!["spamhaus"]),
            ("192.0.2.1 listed at bl.spamcop.net, and listed in bl.spamcop.net.", vec!["bl.spamcop.net"]),
            ("AUP#IPBL1001 rejected", vec!["csi.cloudmark.com", "zen.spamhaus.org"]),
            ("blocked by 192.0.2.1", vec![]),
            ("no list here", vec![]),
        ] {
            assert_eq!(named_in(text), expected, "{text}");
        }
    }
}
