//! What receivers will say of a message, by its own octets: the checks `msg.…` and
//! `unsub.oneclick`, before anybody else judges it.
//!
//! Promise: every check gets at least one remark; one without fault gets one that says so. No
//! octets make it fall over: what cannot be read is a fault of the message. What needs DNS (the
//! signatures, the hosts of links) is handed out to be asked elsewhere.

mod body;
mod encoding;
mod fields;
mod sender;
mod unsubscribe;
mod words;

use repute_types::{Address, Content, Domain, Level, Remark, Timestamp};

use crate::header::Header;
use crate::lint::UNIQUE;

/// What is known besides the message.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// When it is judged; dates are held against it.
    pub now: Timestamp,
    /// It goes to many, whatever it says itself: the rules for bulk mail hold.
    pub bulk: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// By check, the worst first within each.
    pub remarks: Vec<Remark>,
    /// The first author.
    pub from: Option<Address>,
    /// The fields' names in lower case, in their order.
    pub names: Vec<String>,
    /// The values of the DKIM-Signature fields, as they stand.
    pub signatures: Vec<Vec<u8>>,
    /// Hosts that its links lead to, at most [`LINKS_MOST`], each once.
    pub links: Vec<Domain>,
    /// It goes to many: it is said, or it says so itself.
    pub bulk: bool,
    /// The https link of List-Unsubscribe.
    pub unsubscribe: Option<String>,
}

/// Hosts of links that are handed out; filters look at about as many.
pub const LINKS_MOST: usize = 40;

/// The checks made here, and what is said where nothing is wrong.
const CHECKS: [(&str, &str); 12] = [
    ("msg.from", "From is one good address"),
    ("msg.unique", "no field stands twice that may stand once"),
    ("msg.id", "the Message-ID is well formed"),
    ("msg.date", "the date is right"),
    ("msg.lines", "lines and line ends are as every path takes them"),
    ("msg.encoding", "fields are encoded only where they need it"),
    ("msg.mime", "the body can be read as HTML and as text, or is text alone"),
    ("msg.subject.to", "Subject and To are there"),
    ("msg.private", "nothing tells where it was submitted"),
    ("msg.size", "it is small enough for large receivers"),
    ("msg.auto", "it is no automatic answer, or says that it is one"),
    ("unsub.oneclick", ""),
];

/// The message as it is judged.
pub(crate) struct Letter<'a> {
    pub octets: &'a [u8],
    pub header: &'a Header,
    pub about: &'a About,
}

pub fn judge(content: &Content, about: &About) -> Judged {
    let octets = content.to_vec();
    let header = match Header::read(content) {
        Ok(header) if header.fields().len() > 0 => header,
        unread => {
            let fault = unread.err().unwrap_or(crate::Fault::NoHeader);
            return unreadable(&fault, about);
        }
    };
    let letter = Letter { octets: &octets, header: &header, about };
    let mut remarks = Vec::new();
    let from = sender::judge(&letter, &mut remarks);
    fields::judge(&letter, &mut remarks);
    encoding::judge(&letter, &mut remarks);
    let links = body::judge(&letter, &mut remarks);
    let unsubscribe = unsubscribe::judge(&letter, &mut remarks);
    for (check, says) in CHECKS.iter().filter(|(_, says)| !says.is_empty()) {
        if remarks.iter().all(|r| r.check != *check) {
            remarks.push(Remark::new(check, Level::Info, (*says).to_owned(), ""));
        }
    }
    sort(&mut remarks);
    Judged {
        remarks,
        from,
        names: header.fields().map(|f| f.name.to_ascii_lowercase()).collect(),
        signatures: header.all("DKIM-Signature").map(|f| f.value.to_vec()).collect(),
        links,
        bulk: about.bulk || unsubscribe::says_bulk(&header),
        unsubscribe,
    }
}

fn sort(remarks: &mut [Remark]) {
    let place = |check: &str| CHECKS.iter().position(|(id, _)| *id == check).unwrap_or(CHECKS.len());
    remarks.sort_by(|a, b| (place(a.check), b.level).cmp(&(place(b.check), a.level)));
}

/// Without a header nothing else can be said.
fn unreadable(fault: &crate::Fault, about: &About) -> Judged {
    let remark = Remark::new("msg.lines", Level::Fail, fault.to_string(), "correct the header, then judge it again");
    Judged {
        remarks: vec![remark.sign("header.broken")],
        from: None,
        names: Vec::new(),
        signatures: Vec::new(),
        links: Vec::new(),
        bulk: about.bulk,
        unsubscribe: None,
    }
}

/// Fields that receivers want once: the same table that submission refuses by.
pub(crate) fn stands_once() -> &'static [&'static str] {
    &UNIQUE
}
