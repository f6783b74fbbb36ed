//! Letters and what becomes of them, case by case.

use repute_types::{Address, Content};

use super::*;

fn fields() -> Vec<String> {
    ["first_name", "plan"].map(str::to_owned).to_vec()
}

fn read(letter: &str) -> Result<FormLetter, LetterFault> {
    FormLetter::read(&Content::from(letter.replace('\n', "\r\n").into_bytes()), &fields())
}

fn merged(letter: &str, values: [&str; 2]) -> Result<String, MergeFault> {
    let email = Address::parse("bob@b.example").unwrap();
    let values = values.map(str::to_owned);
    let given = Given { email: &email, values: &values, unsubscribe_url: "https://a.example/u/1" };
    let content = read(letter).unwrap().merge(&given)?;
    Ok(String::from_utf8(content.to_vec()).unwrap().replace("\r\n", "\n"))
}

#[track_caller]
fn check(letter: &str, values: [&str; 2], expect: &str) {
    assert_eq!(merged(letter, values).unwrap(), expect);
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n";

#[test]
fn a_plain_letter_is_filled_in() {
    check(
        "From: News <news@a.example>\nSubject: Hello {{ first_name }}\n\nDear {{ first_name }},\nyour {{ plan }}.\n",
        ["Jörg", "gold"],
        &format!(
            "From: News <news@a.example>\nSubject: Hello =?utf-8?q?J=C3=B6rg?=\n{TEXT}To: bob@b.example\n\n\
             Dear J=C3=B6rg,\nyour gold.\n"
        ),
    );
}

#[test]
fn what_has_no_fields_is_left_alone() {
    check(
        "From: news@a.example\nTo: draft@a.example\nDate: yesterday\nMessage-ID: <1@a.example>\nX-Tag: a\n\nGr\u{fc}\u{df}e\n",
        ["", ""],
        "From: news@a.example\nX-Tag: a\nTo: bob@b.example\n\nGrüße\n",
    );
}

#[test]
fn each_text_part_is_filled_in_and_attachments_are_not() {
    let letter = "From: news@a.example\nTo: {{ first_name }} <{{ email }}>\nContent-Type: multipart/mixed; boundary=M\n\n--M\n\
                  Content-Type: multipart/alternative; boundary=\"A\"\n\n--A\nContent-Type: text/plain; format=flowed\n\n\
                  Hi {{ first_name }}\n--A\nContent-Type: text/html; charset=us-ascii\nContent-Transfer-Encoding: base64\n\n\
                  PGI+e3sgZmlyc3RfbmFtZSB9fTwvYj4=\n--A--\n--M\nContent-Type: text/plain\n\
                  Content-Disposition: attachment\n\n{{ first_name }}\n--M--\n";
    check(
        letter,
        ["A <b> & \"c\"", ""],
        "From: news@a.example\nTo: \"A <b> & \\\"c\\\"\" <bob@b.example>\nContent-Type: multipart/mixed; boundary=M\n\n--M\n\
         Content-Type: multipart/alternative; boundary=\"A\"\n\n--A\n\
         Content-Type: text/plain; charset=utf-8;\n format=\"flowed\"\nContent-Transfer-Encoding: quoted-printable\n\n\
         Hi A <b> & \"c\"\n--A\nContent-Type: text/html; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\n<b>A &lt;b&gt; &amp; &quot;c&quot;</b>\n--A--\n--M\n\
         Content-Type: text/plain\nContent-Disposition: attachment\n\n{{ first_name }}\n--M--\n",
    );
}

/// A field can hold what it likes: it adds no header line, no recipient and no line that ends the header.
#[test]
fn nothing_is_smuggled_in() {
    let evil = "x\r\nBcc: evil@c.example\r\n\r\n<evil@c.example>, y";
    let letter = "From: news@a.example\nTo: {{ first_name }} <{{ email }}>\nSubject: {{ first_name }}\n\nhi\n";
    let out = merged(letter, [evil, ""]).unwrap();
    let header = crate::Header::read(&Content::from(out.replace('\n', "\r\n").into_bytes())).unwrap();
    let names: Vec<_> = header.fields().map(|f| f.name.to_owned()).collect();
    assert_eq!(names, ["From", "To", "Subject"]);
    let to = crate::header::addresses(header.find("To").unwrap().value).unwrap();
    assert_eq!(to, [Address::parse("bob@b.example").unwrap()]);
    let out = merged("From: news@a.example\nReply-To: {{ plan }}\n\nhi\n", ["", "a@b.example, evil@c.example"]);
    assert!(matches!(out, Err(MergeFault::Address { .. })), "{out:?}");
    let out = merged("From: news@a.example\nSubject: {{ plan }}\n\nhi\n", ["", "=?utf-8?q?x=0D=0ABcc:_e@c.example?="])
        .unwrap();
    assert!(out.contains("Subject: =?utf-8?q?=3D=3Futf-8=3F"), "{out}");
}

/// Editors of HTML write quotes and blanks as entities also in merge fields, and the letter was refused.
#[test]
fn what_an_editor_wrote_into_a_merge_field_is_read_as_it_was_typed() {
    let letter = "From: news@a.example\nContent-Type: text/html\n\n<p>&quot;{{&nbsp;first_name | default(&quot;R&amp;D&quot;) }}&quot; {% if plan == &#39;a&#39; and 1 &lt; 2 %}yes{% endif %}</p>\n";
    let merged = merged(letter, ["", "a"]).unwrap();
    assert!(merged.ends_with("<p>&quot;R&amp;D&quot; yes</p>\n"), "{merged}");
}

#[test]
fn an_empty_field_is_named_unless_there_is_a_default() {
    let fault = merged("From: a@a.example\nSubject: x\n\nDear {{ first_name }}\n", [" ", "gold"]).unwrap_err();
    assert_eq!(fault, MergeFault::Missing { place: "the body (text)".into(), field: "first_name".into() });
    assert_eq!(
        fault.to_string(),
        "the field \"first_name\" is empty, and the body (text) needs it: fill it in, or write {{ first_name | default(\"...\") }}"
    );
    let fault = merged("From: a@a.example\nSubject: {{ plan | upper }}\n\nx\n", ["", ""]).unwrap_err();
    assert!(matches!(fault, MergeFault::Missing { .. }), "{fault:?}");
    let out = merged(
        "From: a@a.example\n\nDear {{ first_name | default('friend') }}{% if plan %} of {{ plan }}{% endif %}\n",
        ["", ""],
    );
    assert!(out.unwrap().ends_with("Dear friend\n"));
}

#[test]
fn a_letter_that_cannot_be_used_says_why() {
    let check = |letter: &str, expect: &str| assert_eq!(read(letter).unwrap_err().to_string(), expect);
    check(
        "From: a@a.example\nSubject: {{ firstname }}\n\nx\n",
        "Subject uses the field \"firstname\", which the list does not have: is it \"first_name\"?",
    );
    check("From: a@a.example\n\n{{ shoe }}\n", "the body (text) uses the field \"shoe\", which the list does not have");
    check(
        "From: a@a.example\nCc: b@a.example\n\nx\n",
        "the letter has a Cc field, and every recipient would be shown there: take it out",
    );
    check(
        "From: a@a.example\nReferences: {{ plan }}\n\nx\n",
        "the References field may not have merge fields: only From, To, Reply-To, Sender and fields of plain text may",
    );
    let syntax = read("From: a@a.example\n\none\n{% if plan %}\n").unwrap_err();
    assert!(matches!(syntax, LetterFault::Syntax { ref place, .. } if place == "the body (text)"), "{syntax:?}");
    let include = read("From: a@a.example\n\n{% include 'x' %}\n").unwrap_err();
    assert!(matches!(include, LetterFault::Syntax { .. }), "{include:?}");
    let latin = b"From: a@a.example\r\nContent-Type: text/plain; charset=latin1\r\n\r\n{{ plan }} \xfc\r\n";
    let charset = FormLetter::read(&Content::from(&latin[..]), &fields()).unwrap_err();
    assert_eq!(charset.to_string(), "the body (text) is in the charset latin1: save the letter in UTF-8");
}

#[test]
fn a_letter_without_an_end_is_stopped() {
    let fault = merged(
        "From: a@a.example\n\n{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}\n",
        ["", ""],
    );
    assert!(matches!(fault, Err(MergeFault::TooMuch { .. })), "{fault:?}");
    let fault = merged("From: a@a.example\n\n{{ 'x' * 100000000 }}\n", ["", ""]);
    assert!(matches!(fault, Err(MergeFault::TooMuch { .. })), "{fault:?}");
}

#[test]
fn the_link_to_leave_is_a_field_of_every_letter() {
    let letter = "From: a@a.example\n\n{{ unsubscribe_url }} {{ email }}\n";
    assert!(read(letter).unwrap().shows_unsubscribe_url());
    assert!(merged(letter, ["", ""]).unwrap().ends_with("https://a.example/u/1 bob@b.example\n"));
    assert!(!read("From: a@a.example\n\nx\n").unwrap().shows_unsubscribe_url());
}

proptest::proptest! {
    /// Whatever the fields hold, the message has the letter's fields and passes for whole.
    #[test]
    fn any_value_gives_a_message_with_the_letters_header(first in ".{0,60}", plan in ".{0,60}") {
        let letter = "From: News <news@a.example>\nTo: {{ first_name | default('x') }} <{{ email }}>\n\
                      Subject: {{ plan | default('-') }}\n\n{{ plan | default('-') }}\n";
        let out = merged(letter, [&first, &plan]).unwrap();
        let header = crate::Header::read(&Content::from(out.replace('\n', "\r\n").into_bytes())).unwrap();
        let names: Vec<_> = header.fields().map(|f| f.name.to_owned()).collect();
        proptest::prop_assert_eq!(names, ["From", "To", "Subject", "Content-Type", "Content-Transfer-Encoding"]);
        let to = crate::header::addresses(header.find("To").unwrap().value).unwrap();
        proptest::prop_assert_eq!(to, vec![Address::parse("bob@b.example").unwrap()]);
        proptest::prop_assert!(out.is_ascii());
    }
}

/// Half of a line end went with the part, the other half stood alone behind it.
#[test]
fn a_letter_without_its_last_boundary_and_line_end_stays_whole() {
    let head = "From: a@a.example\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n";
    check(
        &format!("{head}\n--x\n\nDear {{{{ first_name }}}}\n\n-"),
        ["Ann", "gold"],
        &format!("{head}To: bob@b.example\n\n--x\n{TEXT}\nDear Ann\n\n-"),
    );
}
