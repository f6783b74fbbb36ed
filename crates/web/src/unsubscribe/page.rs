//! The pages of leaving: short, readable on a telephone and by a screen reader, in light and dark, without
//! scripts and without anything from elsewhere.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repute_engine::bulk::words::{Leave, LeaveScope};

const STYLE: &str = "\
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}\
body{margin:0;background:Canvas;color:CanvasText}\
main{max-width:32rem;margin:0 auto;padding:1.5rem 1rem;overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}\
form{margin:1.5rem 0 0}\
button{display:block;width:100%;min-height:3rem;margin:0 0 .75rem;padding:.5rem 1rem;font:inherit;border:2px solid #1a4fa0;\
border-radius:.5rem;background:#1a4fa0;color:#fff;cursor:pointer;overflow-wrap:anywhere}\
button+button,button.other{background:Canvas;color:CanvasText;border-color:currentColor}\
button:focus-visible{outline:3px solid #e08a00;outline-offset:2px}";

/// What the browser may do with the page: show it, with this style, and send its form here.
pub(super) fn policy() -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

pub(super) enum Page<'a> {
    /// Shows what can be left.
    Asks(&'a Leave),
    /// The scope was left now, or had been before.
    Left(&'a Leave, LeaveScope),
    /// The link is not one of ours, or not any more.
    Unknown,
    /// It cannot be done now.
    Later,
}

impl Page<'_> {
    pub fn html(&self) -> String {
        let (title, content) = match self {
            Page::Asks(leave) => asks(leave),
            Page::Left(leave, scope) => left(leave, *scope),
            Page::Unknown => (
                "This link does not work",
                "<p>It is not complete, or it is too old. Nothing was changed.</p>\
                 <p>Use the link of the newest message, or answer it and ask to be taken off the list.</p>"
                    .to_owned(),
            ),
            Page::Later => (
                "Not just now",
                "<p>Your wish could not be written down. Nothing was changed: please try again in a minute.</p>"
                    .to_owned(),
            ),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<h1>{title}</h1>\n{content}\n</main>\n</body>\n</html>\n"
        )
    }
}

fn asks(leave: &Leave) -> (&'static str, String) {
    let who = who(leave);
    match (leave.left, &leave.list) {
        (Some(LeaveScope::Everything), _) => {
            ("You have left", format!("<p>{who} gets no more mail from this sender.</p>"))
        }
        (Some(LeaveScope::List), Some(list)) => {
            ("You have left", format!("<p>{who} gets no more mail by the list {}.</p>{}", named(list), form(&[ALL])))
        }
        (_, Some(list)) => {
            let this = format!("Leave the list {}", escaped(list));
            let said = format!("<p>{who} gets mail by the list {}. Nothing has changed yet.</p>", named(list));
            ("Do you want to leave?", said + &form(&[("list", &this), ALL]))
        }
        (_, None) => {
            let said = format!("<p>{who} gets mail from this sender. Nothing has changed yet.</p>");
            ("Do you want to leave?", said + &form(&[ALL]))
        }
    }
}

/// After the wish; `leave.left` is what had been left before it.
fn left(leave: &Leave, scope: LeaveScope) -> (&'static str, String) {
    let (who, again) = (who(leave), leave.has_left(scope));
    let list = leave.list.as_deref().filter(|_| scope == LeaveScope::List);
    let what = match list {
        Some(list) => format!("by the list {}", named(list)),
        None => "from this sender".to_owned(),
    };
    let title = if again { "You had left before" } else { "You have left" };
    let changed = if again { " Nothing has changed." } else { "" };
    let more = match list.is_some() && leave.left != Some(LeaveScope::Everything) {
        true => form(&[ALL]),
        false => String::new(),
    };
    (title, format!("<p role=\"status\">{who} gets no more mail {what}.{changed}</p>{more}"))
}

const ALL: (&str, &str) = ("everything", "Leave everything from this sender");

/// A form that is sent to where it stands.
fn form(buttons: &[(&str, &str)]) -> String {
    let button = |(scope, text): &(&str, &str)| {
        let class = if *scope == "everything" { " class=\"other\"" } else { "" };
        format!("<button name=\"scope\" value=\"{scope}\"{class}>{text}</button>\n")
    };
    format!("\n<form method=\"post\">\n{}</form>", buttons.iter().map(button).collect::<String>())
}

fn who(leave: &Leave) -> String {
    named(&leave.address.to_string())
}

fn named(text: &str) -> String {
    format!("<strong><bdi>{}</bdi></strong>", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave(left: Option<LeaveScope>, list: Option<&str>) -> Leave {
        let address = "\"<i>&\"@b.test".parse().unwrap();
        Leave { address, account: Some("news".into()), list: list.map(str::to_owned), campaign: None, left }
    }

    #[test]
    fn a_page_says_what_holds_and_offers_what_is_left_to_do() {
        use LeaveScope::{Everything, List};
        let check = |page: Page<'_>, title: &str, scopes: &[&str]| {
            let html = page.html();
            assert!(html.contains(&format!("<h1>{title}</h1>")), "{html}");
            let offered: Vec<_> = html.split("value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            assert_eq!(offered, scopes, "{html}");
            assert!(!html.contains("<i>") && !html.contains("http") && !html.contains("<script"), "{html}");
        };
        check(Page::Asks(&leave(None, Some("weekly"))), "Do you want to leave?", &["list", "everything"]);
        check(Page::Asks(&leave(None, None)), "Do you want to leave?", &["everything"]);
        check(Page::Asks(&leave(Some(List), Some("weekly"))), "You have left", &["everything"]);
        check(Page::Asks(&leave(Some(Everything), Some("weekly"))), "You have left", &[]);
        check(Page::Left(&leave(None, Some("weekly")), List), "You have left", &["everything"]);
        check(Page::Left(&leave(Some(List), Some("weekly")), List), "You had left before", &["everything"]);
        check(Page::Left(&leave(Some(List), Some("weekly")), Everything), "You have left", &[]);
        check(Page::Left(&leave(Some(Everything), Some("weekly")), List), "You had left before", &[]);
        check(Page::Unknown, "This link does not work", &[]);
        check(Page::Later, "Not just now", &[]);
    }
}
