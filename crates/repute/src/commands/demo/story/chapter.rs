//! The chapters: what is so in each, as zones, configuration and header fields.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use repute_playground::dns::{Entry, lists};
use repute_types::Timestamp;

use super::super::letters::{Letter, SHOP};
use super::super::{ACCOUNT, Door, keys_of_shop};
use super::world::{HOMES, MAILBOXES, StoryWorld};
use crate::{accounts, private};

/// In an end-user range of a provider, as its names and Spamhaus PBL say.
const DYNAMIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
/// Rented for the purpose; whoever had it before left it on a list.
pub const STATIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 20);

/// Each holds what the ones before it put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    Nothing,
    Address,
    Names,
    Lists,
    Spf,
    Keys,
    Unsubscribe,
}

impl Chapter {
    pub const ALL: [Chapter; 7] = [
        Chapter::Nothing,
        Chapter::Address,
        Chapter::Names,
        Chapter::Lists,
        Chapter::Spf,
        Chapter::Keys,
        Chapter::Unsubscribe,
    ];

    /// As `repute check` calls the rule.
    pub fn rule(self) -> &'static str {
        match self {
            Chapter::Nothing => "",
            Chapter::Address => "1 Static IP",
            Chapter::Names => "2 Forward/reverse",
            Chapter::Lists => "3 Black lists",
            Chapter::Spf => "4 SPF",
            Chapter::Keys => "5 DomainKeys",
            Chapter::Unsubscribe => "since then",
        }
    }

    pub fn title(self) -> String {
        match self {
            Chapter::Nothing => "a newsletter from a machine at home, with nothing set up".to_owned(),
            Chapter::Address => format!("a static address, {STATIC}, in place of one from an end-user range"),
            Chapter::Names => format!("{STATIC} is called mail.{SHOP}, which leads back to it, and EHLO says so"),
            Chapter::Lists => format!("{STATIC} is taken off Spamhaus CSS, where its last owner left it"),
            Chapter::Spf => format!("{SHOP} publishes SPF, which permits {STATIC}"),
            Chapter::Keys => format!("every message is signed, and {SHOP} publishes its keys and DMARC"),
            Chapter::Unsubscribe => "one click unsubscribes (RFC 8058)".to_owned(),
        }
    }

    fn egress(self) -> Ipv4Addr {
        if self < Chapter::Address { DYNAMIC } else { STATIC }
    }

    fn hostname(self) -> String {
        let host = if self < Chapter::Names { "desk" } else { "mail" };
        format!("{host}.{SHOP}")
    }

    pub fn message_id(self) -> String {
        format!("<newsletter-{}@{SHOP}>", self as u8)
    }

    /// A server's folder with this chapter's configuration; the zones are changed to it.
    pub fn stage(self, world: &StoryWorld, folder: tempfile::TempDir) -> anyhow::Result<Door> {
        world.dns.zones().load(&self.zones(world))?;
        if self >= Chapter::Keys {
            for (name, record) in keys_of_shop(folder.path())? {
                world.dns.zones().set_txt(&name, &record)?;
            }
        }
        let password = accounts::generate()?;
        let config: PathBuf = folder.path().join("repute.toml");
        private::write(&config, self.configuration(world, &folder, &password)?.as_bytes())?;
        Ok(Door { folder, config, password, name: self.hostname() })
    }

    fn zones(self, world: &StoryWorld) -> String {
        let is = |chapter: Chapter, text: &str| if self >= chapter { text.to_owned() } else { String::new() };
        let reverse = if self >= Chapter::Names { format!("mail.{SHOP}.") } else { "v20.hoster.test.".to_owned() };
        let mut text = format!(
            "$ORIGIN .\n$ORIGIN 127.in-addr.arpa.\n77.0.0 PTR dsl-77.dynamic.isp.test.\n20.0.0 PTR {reverse}\n\
             $ORIGIN isp.test.\n@ A 127.0.0.1\n$ORIGIN hoster.test.\n@ A 127.0.0.1\n\
             $ORIGIN {SHOP}.\n@ MX 10 mx\nmx A {MAILBOXES}\n"
        );
        text += &is(Chapter::Names, &format!("mail A {STATIC}\n"));
        text += &is(Chapter::Spf, &format!("@ TXT \"v=spf1 ip4:{STATIC} -all\"\nmail TXT \"v=spf1 a -all\"\n"));
        text += &is(Chapter::Keys, &format!("_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@{SHOP}\"\n"));
        for (home, receiver) in HOMES.iter().zip(&world.receivers) {
            let host = receiver.host();
            let (label, zone) = host.split_once('.').unwrap_or((host, "test"));
            text += &format!("$ORIGIN {zone}.\n{label} A {}\n", receiver.address().ip());
            text += &format!("$ORIGIN {}.\n@ MX 10 {host}.\n", home.domain);
        }
        let home: Entry<'_> = ("Spamhaus ZEN", DYNAMIC.into(), "127.0.0.10");
        let left_over: Entry<'_> = ("Spamhaus ZEN", STATIC.into(), "127.0.0.3");
        let entries = if self < Chapter::Lists { vec![home, left_over] } else { vec![home] };
        text + &lists(&entries)
    }

    fn configuration(self, world: &StoryWorld, folder: &tempfile::TempDir, password: &str) -> anyhow::Result<String> {
        let hash = accounts::hash(password, &accounts::salt()?)?;
        let unsigned = if self < Chapter::Keys { "danger_unsigned = true\n" } else { "" };
        Ok(format!(
            "hostname = \"{}\"\nstate = {:?}\n\n[[egress]]\naddress = \"{}\"\n\n[[domain]]\nname = \"{SHOP}\"\n{unsigned}\n\
             [[account]]\nname = \"{ACCOUNT}\"\npassword = \"{hash}\"\ndomains = [\"{SHOP}\"]\n\n\
             [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\n\
             [resolver]\nservers = [\"{}\"]\ndnssec = false\n\n\
             # The server would keep back what receivers refuse: here it is to be seen.\n[permit]\nenforce = false\n\n\
             [delivery]\ndanger_allow_loopback = true\nmx_port = {}\n",
            self.hostname(),
            folder.path().display().to_string(),
            self.egress(),
            world.dns.address(),
            world.port,
        ))
    }

    /// To one reader at each receiver.
    pub fn newsletter(self, now: Timestamp) -> Letter {
        let to: Vec<String> = HOMES.iter().map(|home| format!("reader@{}", home.domain)).collect();
        let click = match self {
            Chapter::Unsubscribe => {
                "List-Unsubscribe: <https://news.shop.test/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            }
            _ => "",
        };
        let content = format!(
            "From: The Shop <news@{SHOP}>\r\nTo: Our readers <readers@{SHOP}>\r\nSubject: News of this month\r\n\
             Date: {}\r\nMessage-ID: {}\r\nList-Id: News <news.{SHOP}>\r\n{click}\r\n\
             Everything is new, and some of it is good.\r\n",
            now.rfc5322(),
            self.message_id(),
        );
        let from = format!("news@{SHOP}");
        Letter { number: self as u32, from, to, unknown: None, eight_bit: false, content: content.into_bytes() }
    }
}
