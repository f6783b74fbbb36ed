//! The TXT record at `_mta-sts.DOMAIN` (RFC 8461 §3.1).

/// What stands at `_mta-sts.DOMAIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// No record of this kind.
    Nothing,
    /// There is a policy; with another id it is another one.
    Policy(String),
    /// A record that is none by the grammar; it counts as nothing.
    Malformed,
    /// So many, and then none counts.
    Several(usize),
}

/// Reads all TXT records of the name. Those of other kinds are passed over.
pub fn announced<T: AsRef<[u8]>>(texts: &[T]) -> Announced {
    let ours: Vec<&[u8]> = texts.iter().map(AsRef::as_ref).filter(|text| text.starts_with(VERSION)).collect();
    match ours.as_slice() {
        [] => Announced::Nothing,
        [one] => id(one).map_or(Announced::Malformed, Announced::Policy),
        several => Announced::Several(several.len()),
    }
}

const VERSION: &[u8] = b"v=STSv1";

/// `v=STSv1; id=20160831085700Z; any=thing;`
fn id(record: &[u8]) -> Option<String> {
    let record = std::str::from_utf8(record).ok()?;
    let mut fields = record.split(';').map(|field| field.trim_matches([' ', '\t']));
    if fields.next() != Some("v=STSv1") {
        return None;
    }
    let id = fields.find_map(|field| field.strip_prefix("id="))?;
    let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_with_an_id_announces_a_policy() {
        let policy = |id: &str| Announced::Policy(id.into());
        let long = format!("v=STSv1; id={}", "a".repeat(33));
        for (texts, expected) in [
            (&["v=STSv1; id=20160831085700Z;"][..], policy("20160831085700Z")),
            (&["v=STSv1;id=1"], policy("1")),
            (&["v=STSv1; colour=red; id=a1 ; x=y"], policy("a1")),
            (&["v=spf1 -all", "v=STSv1; id=1"], policy("1")),
            (&[], Announced::Nothing),
            (&["v=spf1 -all"], Announced::Nothing),
            (&["V=STSv1; id=1"], Announced::Nothing),
            (&["v=STSv1"], Announced::Malformed),
            (&["v=STSv1; id="], Announced::Malformed),
            (&["v=STSv1; id=a-b"], Announced::Malformed),
            (&["v=STSv12; id=1"], Announced::Malformed),
            (&[&long], Announced::Malformed),
            (&["v=STSv1; id=1", "v=STSv1; id=2"], Announced::Several(2)),
        ] {
            assert_eq!(announced(texts), expected, "{texts:?}");
        }
        assert_eq!(announced(&[&b"v=STSv1; id=\xff"[..]]), Announced::Malformed);
    }
}
