//! Lines in, commands or errors out.

use super::*;

/// A line that is read and written again gives `expect`.
fn check(line: &str, expect: &str) {
    let got = match Command::parse(line.as_bytes()) {
        Ok(command) => command.to_string(),
        Err(error) => format!("{error:?}"),
    };
    assert_eq!(got, expect, "{line}");
}

#[test]
fn commands_read_back() {
    for line in [
        "EHLO [127.0.0.1]",
        "HELO client",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b.c> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb REQUIRETLS",
        "RCPT TO:<postmaster>",
        "RCPT TO:<a@b.c> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c.d",
        "RCPT TO:<a@b.c> NOTIFY=NEVER",
        "DATA",
        "BDAT 12",
        "BDAT 0 LAST",
        "STARTTLS",
        "AUTH PLAIN",
        "AUTH PLAIN =",
        "QUIT",
    ] {
        check(line, line);
    }
}

#[test]
fn case_and_blanks_do_not_matter() {
    check("mail from: <a@B.c>  size=5 ", "MAIL FROM:<a@b.c> SIZE=5");
    check("rcpt TO:<@x:a@b.c>", "RCPT TO:<a@b.c>");
    check("MAIL FROM:<a@b.c> AUTH=<> BODY=7bit", "MAIL FROM:<a@b.c>");
    check("quit ", "QUIT");
    check("NOOP whatever", "NOOP");
}

#[test]
fn faults_are_named() {
    check("", "Unknown");
    check("XYZZY", "Unknown");
    check("GET / HTTP/1.1", "WrongProtocol");
    check("DATA now", "Arguments(\"this command stands alone\")");
    check("MAIL FROM:a@b.c", "Sender(Brackets)");
    check("RCPT TO:<a@[1.2.3.4]>", "Recipient(Address(Literal))");
    check("MAIL FROM:<a@b.c> FOO=1", "ParameterUnknown(\"FOO\")");
    check("MAIL FROM:<a@b.c> SIZE=1 size=1", "ParameterTwice(\"SIZE\")");
    check("BDAT", "ChunkSize");
    check("BDAT -1", "ChunkSize");
    check("BDAT 99999999999999999999", "ChunkSize");
    check("BDAT 1 FIRST", "ChunkSize");
    check("EHLO a b", "Arguments(\"say your host's name, as in EHLO host.example.com\")");
    check("NOOP \u{7f}", "NotText");
    for value in ["SIZE=", "SIZE=1k", "SIZE", "BODY=BINARYMIME", "SMTPUTF8=1", "RET=NO", "ENVID=", "ENVID=a b=c"] {
        let line = format!("MAIL FROM:<a@b.c> {value}");
        let error = Command::parse(line.as_bytes()).unwrap_err();
        assert!(matches!(error, CommandError::ParameterValue(_) | CommandError::ParameterUnknown(_)), "{line}");
    }
    for value in ["NOTIFY=", "NOTIFY=NEVER,DELAY", "NOTIFY=SOON", "ORCPT=a", "ORCPT=;a", "ORCPT=rfc822;"] {
        let line = format!("RCPT TO:<a@b.c> {value}");
        let error = Command::parse(line.as_bytes()).unwrap_err();
        assert!(matches!(error, CommandError::ParameterValue(_)), "{line}");
    }
}
