//! Seeds that no other test has as a file: small, and with every word that a parser knows.

type Seeds = Vec<Vec<u8>>;

fn of(list: &[&str]) -> Seeds {
    list.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Targets that take a text.
pub fn texts() -> [(&'static str, Seeds); 17] {
    [
        ("address", of(&ADDRESSES)),
        ("control", of(&CONTROL)),
        ("dns_record", of(&RECORDS)),
        ("key_file", of(&KEYS)),
        ("letter", of(&LETTERS)),
        ("list", of(&LISTS)),
        ("proxy", proxy()),
        ("spf", of(&SPF)),
        (
            "spool_record",
            of(&["\u{1}\u{1}\u{4}shop\0\0\0\0\0\0", "\u{1}\u{b}example.net\0\0\u{1}", "\u{1}\u{1}a\u{1}b\u{1}c\0\0\0"]),
        ),
        ("spool_journal", journals()),
        ("host_record", of(&HOST_RECORDS)),
        ("list_answer", of(&LIST_ANSWERS)),
        ("sendmail", of(&SENDMAIL)),
        ("sts", of(&STS)),
        ("suppressions", of(&SUPPRESSIONS)),
        ("web_answer", of(&WEB_ANSWERS)),
        ("words", of(&WORDS)),
    ]
}

/// A file with a block in it, files with blocks in which something is changed, and journals that are written.
fn journals() -> Seeds {
    let header = [&b"RPJ2\0\0\0\0\0\0\0\0\x12\0\0\0\x01\0\0\0\0\0\0\0"[..], &[0; 16]].concat();
    let done = [&[2][..], &[7; 8], &[0; 4], &[0], &[0; 4]].concat();
    let found = [&[0, 0, 1, 0, 58][..], &header, &done, &[6, 0, 1, 0]].concat();
    let random = repute_types::SeededRandom::new(76);
    let choices = |_| (0..600).map(|_| repute_types::Random::next(&random) as u8).collect::<Vec<_>>();
    let changed = (0..4).map(choices).map(|rest| [&[0, 0, 9, 1, 7, 0][..], &rest].concat());
    let written = (0..12).map(choices).map(|rest| [&[1][..], &rest].concat());
    [found].into_iter().chain(changed).chain(written).collect()
}

const ADDRESSES: [&str; 5] =
    ["a@example.com", "\"a b\"@example.com", "a@[192.0.2.1]", "ä@bücher.example", "xn--bcher-kva.example"];

const SPF: [&str; 3] = [
    "xv=spf1 ip4:192.0.2.0/24 a mx include:other.example -all",
    "xv=spf1 exists:%{ir}.%{v}._spf.%{d2} redirect=_spf.%{d}\nv=spf1 ptr ?all",
    "xv=spf1 a:%{l1r-}.example mx/24//64 exp=why.%{o}\n%{i} may not send as %{s}",
];

const RECORDS: [&str; 6] = [
    "v=DKIM1; k=rsa; h=sha256; s=email; t=y:s; n=note; p=MIGfMA0G",
    "v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=s1; h=From:To; bh=YQ==; b=YQ==; l=10; x=99; q=dns/txt",
    "v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=r; pct=50; t=y; psd=n; fo=1; ri=86400; rua=mailto:a@example.com!10m\nv=DMARC1; psd=y",
    "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a:b.example mx include:_spf.example.net ~all\nv=spf1 +all",
    "v=spf1 a mx/24//64 exists:%{ir}.example redirect=_spf.%{d} exp=why.%{o}",
    "23028 | 216.90.108.0/24 | US | arin | 1998-09-25\n1.2.0.192.in-addr.arpa\nip-192-0-2-1.dynamic.example.net",
];

const KEYS: [&str; 4] = [
    "key \"k1\" { algorithm hmac-sha256; secret \"c2VjcmV0\"; };",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n",
    "[[list]]\nname = \"Own\"\nzone = \"bl.example\"\ncovers = [\"ip4\"]\ntier = 1\n[[list.codes]]\ncode = \"127.0.0.2\"\nmeaning = \"listed\"\n",
    "0\u{1}0\u{2}\u{1}\u{1}0\0",
];

const LETTERS: [&str; 5] = [
    "Ann\ngold\nFrom: News <news@example.com>\nTo: {{ name }} <{{ email }}>\nSubject: Hello {{ name }}, {{ plan | default(\"x\") }}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nDear {{ name | upper }}\n{% if plan == \"gold\" %}you{% else %}we{% endif %} {{ unsubscribe_url }}\n",
    "A <b>\n\nFrom: a@example.com\nReply-To: \"{{ plan }}\" <{{ email }}>\nSubject: =?utf-8?q?{{_name_}}?=\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p title=3D\"{{ name }}\">{{ plan }}</p>\n--x--\n",
    "x\ny\nFrom: a@example.com\nContent-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n\ne3sgbmFtZSB9fQo=\n",
    "x\ny\nFrom: a@example.com\nList-Id: {{ name }}\nX-A: {% for i in range(3) %}{{ i }}{% endfor %}\n\n{% set a = name %}{{ a }}{{ plan|replace(\"a\", \"b\") }}\n",
    "x\ny\nDear {{name}}, {{{a.b.1}}} {{#each a.b}}{{@index}}{{#unless @last}}, {{else}}{{../name}}{{~/unless}}{{else}}-{{/each}}{{! c }}{{#if plan}}{{#with a}}{{b}}{{/with}}{{^}}no{{/if}} \\{{x}}\n",
];

const LISTS: [&str; 4] = [
    "\u{1}\u{3}E-Mail,Name\r\na@a.test,Ann\r\nb@b.test,\"B, \"\"Bob\"\"\nJr\"",
    "\u{1}\u{5}\u{feff}plan,email,name\ngold,a@a.test,Ann\n\n",
    "\0\u{2}{\"email\":\"a@a.test\",\"plan\":1}\n\n{\"e-mail\":\"b@b.test\",\"name\":null}",
    "\0\u{9}{\"address\":\"a@a.test\",\"name\":{\"x\":[1]}}\r\nx\n",
];

const CONTROL: [&str; 5] = [
    "{\"list_v1\":{\"selector\":{\"domain\":\"a.example\",\"held\":true},\"limit\":10}}",
    "{\"why_v1\":{\"about\":\"a@a.example\",\"limit\":3}}",
    "{\"status_v1\":{}}",
    "{\"events_v1\":{\"since\":{\"time\":\"2026-11-24T00:00:00Z\"},\"account\":null,\"types\":[\"bounced\"],\"wait\":5}}",
    "{\"bulk_preview_v1\":{\"begin\":{},\"rows\":[{\"email\":\"a@a.example\",\"values\":[\"x\"]}]}}",
];

const WORDS: [&str; 5] = [
    "1m7qw3g0w000h",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "https://[2001:db8::1]:8443/a?b=c",
    "bounced",
    "2026-11-24T00:00:00.123Z",
];

/// PROXY version 2 over IPv4, over IPv6, and of the proxy itself.
fn proxy() -> Seeds {
    let with = |rest: &[u8]| [&b"\r\n\r\n\0\r\nQUIT\n"[..], rest].concat();
    vec![
        with(&[0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 1, 0, 9, 0, 25]),
        with(&[[0x21, 0x21, 0, 36].as_slice(), &[32; 36]].concat()),
        with(&[0x20, 0, 0, 0]),
    ]
}

/// Which path and whose token (see the target), and a body that goes far.
pub const BODIES: &[(u8, u8, &str)] = &[
    (
        0,
        0,
        r#"{"from":"Shop <shop@example.com>","to":["a@example.net"],"cc":"b@example.net","subject":"Grüße","text":"x","html":"<p>x","headers":{"List-Id":"<n.example.com>"},"attachments":[{"name":"a.txt","type":"text/plain","content":"YQ==","content_id":"c"}],"tags":["t"],"metadata":{"k":"v"},"campaign":"c","list":"l","stream":"bulk"}"#,
    ),
    (
        0,
        0,
        r#"{"raw":"RnJvbTogc2hvcEBleGFtcGxlLmNvbQ0KVG86IGFAZXhhbXBsZS5uZXQNCg0KeA0K","to":["a@example.net"],"from":{"address":"shop@example.com","name":"S"},"send_at":"2026-11-27T08:00:00Z"}"#,
    ),
    (1, 0, r#"{"messages":[{"from":"shop@example.com","to":"a@example.net","subject":"x","text":"y"},{}]}"#),
    (
        2,
        1,
        r#"{"campaign":"autumn","list":"weekly","letter":"From: news@example.com\nTo: {{ email }}\nSubject: Hello {{ name }}\n\nDear {{ name }}\n","fields":["name"],"tags":["t"]}"#,
    ),
    (3, 1, r#"{"emails":["a@example.net","noreply@example.net","x"],"list":"weekly","domains":false}"#),
    (
        4,
        1,
        r#"{"campaign":"a","letter":"From: news@example.com\nTo: {{ email }}\n\n{{ name }}\n","fields":["name"],"rows":[{"email":"a@example.net","values":{"name":"A"}}]}"#,
    ),
    (5, 1, "email,name\na@example.net,Ann\n"),
    (6, 0, r#"{"entries":[{"address":"a@example.net","reason":"asked"}],"list":"l"}"#),
    (7, 2, r#"{"domain":"example.net","reason":"a test"}"#),
    (8, 0, r#"{"id":"1m7qw3g0w000h"}"#),
    (9, 2, r#"{"subject":"example.com","word":"grant","until":"2026-11-27T08:00:00Z","reason":"x"}"#),
    (10, 2, r#"{"name":"shop"}"#),
    (
        11,
        0,
        r#"{"From":"shop@example.com","To":"a@example.net, B <b@example.net>","Subject":"x","TextBody":"y","Tag":"t","Metadata":{"k":"v"},"Headers":[{"Name":"X-A","Value":"b"}],"Attachments":[{"Name":"a.txt","Content":"YQ==","ContentType":"text/plain"}],"MessageStream":"broadcast"}"#,
    ),
    (12, 0, r#"[{"From":"shop@example.com","To":"a@example.net","HtmlBody":"y"}]"#),
    (
        13,
        0,
        r#"{"FromEmailAddress":"shop@example.com","Destination":{"ToAddresses":["a@example.net"]},"Content":{"Simple":{"Subject":{"Data":"x"},"Body":{"Text":{"Data":"y"}}}}}"#,
    ),
    (
        14,
        0,
        "Action=SendEmail&Source=shop%40example.com&Destination.ToAddresses.member.1=a%40example.net&Message.Subject.Data=x&Message.Body.Text.Data=y",
    ),
    (15, 0, "List-Unsubscribe=One-Click"),
    (16, 0, "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n"),
    (17, 0, "/v1/queue?domain=example.net&limit=3"),
    (17, 2, "/v1/campaigns/shop%2Fautumn"),
    (18, 0, "/v1/suppressions?address=a%40example.net"),
    (19, 2, "/v1/permits/reset\n{\"subject\":\"example.com\"}"),
    // With a key; twice; and a campaign from its begin to its end.
    (0, 64, r#"{"from":"shop@example.com","to":["a@example.net"],"subject":"once","text":"x"}"#),
    (1, 65, r#"{"messages":[{"from":"news@example.com","to":"a@example.net","subject":"x","text":"y"},{}]}"#),
    (
        2,
        1,
        "{\"campaign\":\"autumn\",\"list\":\"weekly\",\"letter\":\"From: news@example.com\\nTo: {{ email }}\\nSubject: Hello\\n\\nDear {{ name }}\\n\",\"fields\":[\"name\"]}\
         \n%%%\n\u{5}\u{1}email,name\na@example.net,Ann\nb@example.net,Ben\n\
         \n%%%\n\u{13}\u{1}/v1/campaigns/autumn/launch\n\n%%%\n\u{13}\u{1}/v1/campaigns/autumn/cancel\n",
    ),
    (
        6,
        0,
        "{\"entries\":[{\"address\":\"gone@example.net\",\"reason\":\"asked\"}]}\
         \n%%%\n\0\0{\"from\":\"shop@example.com\",\"to\":[\"gone@example.net\",\"a@example.net\"],\"subject\":\"x\",\"text\":\"y\"}\
         \n%%%\n\u{11}\u{2}/v1/queue?domain=example.net",
    ),
];

pub const REPORTS: &[&str] = &[
    "{\"organization-name\":\"R\",\"date-range\":{\"start-datetime\":\"2026-11-24T00:00:00Z\",\"end-datetime\":\"2026-11-25T00:00:00Z\"},\"report-id\":\"1\",\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.com\",\"mx-host\":[\"*.example.com\"]},\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":2},\"failure-details\":[{\"result-type\":\"certificate-expired\",\"failed-session-count\":2,\"sending-mta-ip\":\"192.0.2.1\"}]}]}",
    "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>R</org_name><email>d@receiver.example</email><report_id>1</report_id><date_range><begin>1</begin><end>2</end></date_range></report_metadata><policy_published><domain>a.example</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>a.example</header_from></identifiers><auth_results><dkim><domain>a.example</domain><selector>s</selector><result>pass</result></dkim></auth_results></record></feedback>",
    "{\"date-range\":{},\"policies\":[{\"policy\":{}}]}",
];

/// A complaint, a failure report, a wish to leave, and an answer of a person.
pub const BACK: &[&str] = &[
    "From: fbl@receiver.example\nTo: complaints+x@b.example.com\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\nContent-Type: text/plain\n\nspam\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: F/1\nVersion: 1\nOriginal-Rcpt-To: a@receiver.example\nSource-IP: 192.0.2.1\nArrival-Date: Tue, 24 Nov 2026 10:00:00 +0000\n\n--x\nContent-Type: message/rfc822\n\nFrom: shop@example.com\nMessage-ID: <1@example.com>\n\nx\n--x--\n",
    "From: d@receiver.example\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: auth-failure\nAuth-Failure: dkim\nDKIM-Domain: example.com\nReported-Domain: example.com\n\n--x\nContent-Type: text/rfc822-headers\n\nFrom: shop@example.com\n\n--x--\n",
    "From: ann@receiver.example\nTo: leave+x@b.example.com\nSubject: unsubscribe\n\n",
    "From: Ann <ann@receiver.example>\nTo: shop@example.com\nSubject: Re: Your order\nIn-Reply-To: <1@example.com>\nAuto-Submitted: no\n\nThank you\n> Dear Ann\n",
];

const STS: [&str; 4] = [
    "v=STSv1; id=20261126T080000;\n\nversion: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n",
    "v=STSv1; id=a\nv=STSv1; id=b\n\nversion: STSv1\nmode: testing\nmx: *.mx.example.com\nmax_age: 86400\n",
    "v=TLSRPTv1; rua=mailto:tls@example.com,https://example.com/tls\nv=STSv1; x=y\n\nversion: STSv1\nmode: none\nmax_age: 0\n",
    "v=TLSRPTv1;rua=https:\n\nversion:STSv1\nmode: enforce\nmax_age: 31557601\nmx: xn--bcher-kva.example\nother: x",
];

const HOST_RECORDS: [&str; 7] = [
    "\x00192.0.2.1",
    "\u{1}2001:db8::1",
    "\u{2}mail.example.com.",
    "\u{4}10 mx.example.com.",
    "\u{4}0 .",
    "\u{5}\"v=DKIM1; p=abc\" \"d\\\"e\\\\f\\032\"",
    "\u{5}v=spf1 -all",
];

/// How many codes, of each whether it begins with 127 and three octets more; then the text.
const LIST_ANSWERS: [&str; 4] = [
    "\0",
    "\u{1}\u{1}\0\0\u{2}https://check.example/query/ip/192.0.2.1",
    "\u{2}\u{1}\0\0\u{4}\u{1}\0\0\u{b}listed",
    "\u{1}\u{1}\u{7f}\u{7f}\u{7f}Error: open resolver",
];

const SENDMAIL: [&str; 6] = [
    "-t -i\nFrom: www-data\nTo: ann@example.net, root, \"B, Bob\" <bob>\nCc: team: eve@example.net, mallory;\nBcc: x@example.org (a (b) c)\nSubject: x\n\n.\ny\n",
    "-i -FCronDaemon -B8BITMIME -oem root\nFrom: root (Cron Daemon)\nTo: root\n\nx\n",
    "-oem -oi -f a@b.example -- -x@c.example y@c.example\nSubject: x\r\n\r\nx\r\n.\r\nz",
    "-tifa@b.example\nTo: a@example.net\nTo: <b@example.net>\nResent-To: c\n\n",
    "-N success,failure -R hdrs -V id-1 x@y.example\nno header at all\n",
    "-f <> ann@example.net,bob\n\nbody\rwith\nall\r\nends",
];

const SUPPRESSIONS: [&str; 5] = [
    "ann@example.net\nbob@example.net\n",
    "\u{feff}Email,Created\nann@example.net,2024-01-01\n",
    "address,scope,account,list,why,reason,reply,message,at,expires\nann@example.net,list,shop,\"news, weekly\",complaint,\"said \"\"no\"\"\",550 5.1.1 no,1m7qw3g0w000h,2026-11-24T00:00:00Z,2027-11-24T00:00:00Z\n",
    "{\"address\":\"ann@example.net\",\"scope\":{\"account\":{\"account\":\"shop\"}},\"why\":\"unknown\",\"reason\":\"\",\"at\":\"2026-11-24T00:00:00Z\"}\n",
    "address,scope,why\n\"\"\"a,b\"\"@example.net\",all,unsubscribed\n",
];

/// Two octets for a cut, and an answer.
const WEB_ANSWERS: [&str; 5] = [
    "\0\u{50}HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\nhello",
    "\0\u{50}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
    "\0\u{20}HTTP/1.1 302 Found\r\nLocation: https://a.example/b\r\n\r\n",
    "\0\u{20}HTTP/1.0 200 OK\r\n\r\n{\"events\":[{\"eventAction\":\"registration\",\"eventDate\":\"2020-01-02T03:04:05Z\"}],\"remarks\":[{\"description\":[\"Dynamic addresses\",7]}]}",
    "\0\u{20}HTTP/1.1 200 OK\r\nContent-Length: 130\r\n\r\n{\"entities\":[{\"roles\":[\"abuse\"],\"entities\":[],\"vcardArray\":[\"vcard\",[[\"fn\",{},\"text\",\"x\"],[\"email\",{},\"text\",\"a@isp.example\"]]]}]}",
];

/// The number of a kind (see the target), and an answer to a question for `example.com` about it.
pub fn dns_answers() -> Seeds {
    // An answer with authority: one question, one record.
    let answer = |kind: u8, number: u16, data: &[u8]| {
        let mut octets = vec![kind, 0, 7, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        let name = b"\x07example\x03com\0";
        octets.extend_from_slice(name);
        octets.extend_from_slice(&[&number.to_be_bytes()[..], &[0, 1]].concat());
        octets.extend_from_slice(&[&[0xc0, 12][..], &number.to_be_bytes(), &[0, 1, 0, 0, 1, 44]].concat());
        octets.extend_from_slice(&(data.len() as u16).to_be_bytes());
        [octets, data.to_vec()].concat()
    };
    vec![
        answer(0, 1, &[192, 0, 2, 1]),
        answer(1, 28, &[1; 16]),
        answer(2, 15, b"\0\x0a\x02mx\xc0\x0c"),
        answer(3, 16, b"\x0bv=spf1 -all\x01x"),
        answer(4, 12, b"\x04mail\xc0\x0c"),
        answer(5, 2, b"\x02ns\xc0\x0c"),
        answer(6, 6, b"\x02ns\xc0\x0c\x04host\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05"),
        answer(7, 5, b"\x05alias\xc0\x0c"),
        answer(8, 52, &[&[3, 1, 1][..], &[9; 32]].concat()),
        answer(9, 43, &[&[0, 7, 13, 2][..], &[9; 32]].concat()),
        answer(10, 257, b"\0\x05issueca.example"),
        answer(11, 99, b"\x0bv=spf1 -all"),
    ]
}
