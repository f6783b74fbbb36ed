//! What comes back and is no report: a machine's answer (RFC 3834, and the many that are older),
//! a challenge, a wish to leave a list, or the words of a human.

use crate::find;
use crate::mail::Mail;
use crate::original::in_brackets;

/// What is kept of the text.
const TEXT: usize = 2000;
const IDS: usize = 50;
const NAME: usize = 100;

/// A message that is no report.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// From, without the name.
    pub from: Option<String>,
    /// The name that stands with it, decoded.
    pub name: Option<String>,
    /// Where an answer should go: Reply-To, or From.
    pub reply_to: Option<String>,
    pub subject: String,
    /// The messages that it answers (In-Reply-To, then References from the last), without brackets.
    pub answers: Vec<String>,
    /// How its text begins; some 2000 letters at most.
    pub text: String,
}

/// What kind of letter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsubscribe,
    Challenge,
    Automatic,
    Human,
}

pub(crate) fn letter(mail: &Mail<'_>) -> Letter {
    let address = |name: &str| mail.header.first(name).and_then(|value| find::address(&value));
    let from = address("from");
    let text = mail.leaves.iter().find(|leaf| leaf.is_text()).map(|leaf| leaf.text()).unwrap_or_default();
    let text = text.trim_start();
    let ids = |name: &str| -> Vec<String> {
        let value = mail.header.first(name).unwrap_or_default();
        value.split_whitespace().filter(|word| word.contains('<')).map(|word| in_brackets(word).to_owned()).collect()
    };
    let mut answers = ids("in-reply-to");
    for id in ids("references").into_iter().rev().take(IDS) {
        if !answers.contains(&id) {
            answers.push(id);
        }
    }
    answers.truncate(IDS);
    Letter {
        reply_to: address("reply-to").or_else(|| from.clone()),
        from,
        name: name(mail),
        subject: mail.header.decoded("subject").unwrap_or_default(),
        answers,
        text: text[..text.floor_char_boundary(TEXT)].to_owned(),
    }
}

/// What stands before the address in From.
fn name(mail: &Mail<'_>) -> Option<String> {
    let from = mail.header.decoded("from")?;
    let name = from.split_once('<')?.0.trim().trim_matches(['"', '\'']).trim();
    (!name.is_empty()).then(|| name.chars().filter(|c| !c.is_control()).take(NAME).collect())
}

pub(crate) fn kind(mail: &Mail<'_>, letter: &Letter) -> Kind {
    if is_wish(mail, letter) {
        Kind::Unsubscribe
    } else if is_challenge(mail, letter) {
        Kind::Challenge
    } else if is_automatic(mail, letter) {
        Kind::Automatic
    } else {
        Kind::Human
    }
}

/// Words that are a wish when they are the whole subject, or the whole first line.
const WISHES: [&str; 45] = [
    "unsubscribe",
    "unsubscribe me",
    "unsubscribe me please",
    "please unsubscribe",
    "please unsubscribe me",
    "un-subscribe",
    "opt-out",
    "opt out",
    "optout",
    "opt me out",
    "remove",
    "remove me",
    "please remove me",
    "leave",
    "stop",
    "signoff",
    "cancel subscription",
    "cancel my subscription",
    "no more mail",
    "no more mails",
    "no more email",
    "no more emails",
    "abmelden",
    "bitte abmelden",
    "abmeldung",
    "abbestellen",
    "désabonner",
    "désabonnement",
    "désinscription",
    "désinscrire",
    "me désinscrire",
    "desuscribir",
    "darme de baja",
    "cancelar suscripción",
    "cancelar inscrição",
    "descadastrar",
    "cancellami",
    "disiscrivimi",
    "afmelden",
    "avregistrera",
    "wypisz mnie",
    "отписаться",
    "配信停止",
    "退订",
    "수신거부",
];

/// How a wish begins that names the list behind it, in so few words that it is no letter about something else.
const BEGINNINGS: [&str; 7] = [
    "unsubscribe me from",
    "unsubscribe from",
    "remove me from",
    "take me off",
    "sign me off",
    "opt me out of",
    "opt out of",
];
const WORDS: usize = 9;

/// A wish to leave: what a client sends for `List-Unsubscribe: <mailto:…>` (RFC 2369), or a
/// human who writes it into the subject.
fn is_wish(mail: &Mail<'_>, letter: &Letter) -> bool {
    if mail.header.has("x-apple-unsubscribe") {
        return true;
    }
    let whole = letter.subject.trim().to_lowercase();
    let subject =
        ["re:", "aw:", "fwd:", "fw:"].iter().fold(whole.as_str(), |s, p| s.strip_prefix(p).unwrap_or(s).trim());
    let is_answer = subject.len() < whole.len();
    // Who is absent repeats the subject of a letter about leaving, and wishes nothing (RFC 3834 §5).
    if is_answer && mail.header.first("auto-submitted").as_deref().is_some_and(is_replied) {
        return false;
    }
    // A human answers a letter and writes it above what is quoted; a machine's answer may begin with anything.
    let first = letter.text.lines().next().unwrap_or_default().trim().to_lowercase();
    let (first, words) = (bare(&first), bare(subject));
    if (WISHES.contains(&first) || names_what_to_leave(first)) && (subject.is_empty() || !is_automatic(mail, letter)) {
        return true;
    }
    // The subject of an answer is our letter's own, which may be about leaving. `unsubscribe` with a token or a list's name
    // behind it is what the link in a letter made.
    WISHES.contains(&words)
        || (!is_answer && names_what_to_leave(words))
        || subject
            .strip_prefix("unsubscribe")
            .is_some_and(|rest| rest.starts_with([' ', ':', '-', '_', '.']) && rest.split_whitespace().count() <= 2)
}

/// Without what stands around the words.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric())
}

/// "Please take me off your list".
fn names_what_to_leave(words: &str) -> bool {
    let asked = words.strip_prefix("please ").unwrap_or(words);
    let behind = BEGINNINGS.iter().find_map(|beginning| asked.strip_prefix(beginning));
    behind.is_some_and(|rest| rest.starts_with(' ')) && asked.split_whitespace().count() <= WORDS
}

fn is_replied(auto_submitted: &str) -> bool {
    auto_submitted
        .trim_start()
        .get(.."auto-replied".len())
        .is_some_and(|word| word.eq_ignore_ascii_case("auto-replied"))
}

/// What services and programs that ask strangers to prove themselves write.
const CHALLENGES: [&str; 16] = [
    "boxbe",
    "spamarrest",
    "spam arrest",
    "tmda",
    "choicemail",
    "bluebottle",
    "mailblocks",
    "knowspam",
    "sender verification",
    "confirm your message",
    "confirm that you are human",
    "verify that you are human",
    "message is awaiting your confirmation",
    "added to my approved",
    "approved senders list",
    "please confirm your email delivery",
];

fn is_challenge(mail: &Mail<'_>, letter: &Letter) -> bool {
    if mail.header.has("x-tmda-confirm-done") || mail.header.has("x-uol-sender-verification") {
        return true;
    }
    let from = letter.from.as_deref().unwrap_or_default().to_lowercase();
    let subject = letter.subject.to_lowercase();
    let text = letter.text.to_lowercase();
    let in_sender =
        ["boxbe.com", "spamarrest.com", "bluebottle.com", "knowspam.net", "antispam.uol.com.br", "spamlion"];
    in_sender.iter().any(|name| from.contains(name))
        || CHALLENGES.iter().any(|words| subject.contains(words))
        || (text.contains("challenge") && text.contains("click") && mail_is_from_a_machine(mail))
        || (CHALLENGES.iter().skip(8).any(|words| text.contains(words)) && mail_is_from_a_machine(mail))
}

/// How subjects of automatic answers begin, in the languages of the large systems.
const SUBJECTS: [&str; 70] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "auto:",
    "autosvar",
    "automatic response",
    "automated reply",
    "automated response",
    "out of office",
    "out of the office",
    "on vacation",
    "vacation:",
    "away from",
    "i am away",
    "i'm away",
    "automatische antwort",
    "abwesenheit",
    "automatisch antwoord",
    "afwezig",
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "resposta automática",
    "risposta automatica",
    "fuori sede",
    "automatiskt svar",
    "自動応答",
    "out-of-office",
    "ooo:",
    "away notice",
    "absence notice",
    "vacation reply",
    "vacation response",
    "holiday notice",
    "automatische rückmeldung",
    "eingangsbestätigung",
    "message d'absence",
    "réponse d'absence",
    "absent du bureau",
    "respuesta automatizada",
    "mensaje automático",
    "resposta automatica",
    "automatisk svar",
    "automatisk besvarelse",
    "automaattinen vastaus",
    "automatyczna odpowied",
    "odpowiedź automatyczna",
    "autoodpowied",
    "automatická odpov",
    "automatické odpov",
    "automatikus válasz",
    "răspuns automat",
    "автоответ",
    "автоматический ответ",
    "αυτόματη απάντηση",
    "otomatik yanıt",
    "自動返信",
    "自動回覆",
    "自动回复",
    "自动答复",
    "자동 응답",
    "자동응답",
    "자동회신",
];

fn is_automatic(mail: &Mail<'_>, letter: &Letter) -> bool {
    let subject = letter.subject.trim().to_lowercase();
    let subject = ["re:", "aw:", "sv:"].iter().fold(subject.as_str(), |s, p| s.strip_prefix(p).unwrap_or(s).trim());
    mail_is_from_a_machine(mail)
        || mail.report_type.as_deref() == Some("disposition-notification")
        || SUBJECTS.iter().any(|words| subject.trim_start_matches(['[', '(', '*', '"']).starts_with(words))
        || subject.ends_with("(automatic response)")
        || subject.contains("out of office")
}

/// RFC 3834 §5, and what stood in its place before.
pub(crate) fn mail_is_from_a_machine(mail: &Mail<'_>) -> bool {
    let value = |name: &str| mail.header.first(name).map(|v| v.trim().to_ascii_lowercase());
    let said = |name: &str| value(name).is_some();
    value("auto-submitted").is_some_and(|v| v != "no")
        || [
            "x-autoreply",
            "x-autorespond",
            "x-autoresponder",
            "x-auto-reply-from",
            "x-mail-autoreply",
            "x-vacation",
            "x-fc-machinegenerated",
            "x-autogenerated",
            "x-post-messageclass",
            "x-amazon-auto-reply",
            "x-facebook-notify",
            "x-cron-env",
        ]
        .iter()
        .any(|name| said(name))
        || value("precedence").is_some_and(|v| matches!(v.as_str(), "auto_reply" | "auto-reply" | "autoreply"))
        || value("x-precedence").is_some_and(|v| v.contains("auto"))
        || value("delivered-to").is_some_and(|v| v == "autoresponder")
        || value("return-path").is_some_and(|v| v == "<>")
        || value("content-type").is_some_and(|v| v.contains("report-type=disposition-notification"))
}
