//! `repute message check`, run as a user runs it.

use crate::common::Place;

const GOOD: &str = "From: Shop <news@example.com>\nTo: ann@example.net\nSubject: Hello\n\
                    Date: DATE\nMessage-ID: <1.2@mail.example.com>\n\nHello Ann.\n";

fn place() -> Place {
    let place = Place::new(
        "hostname = \"mail.example.com\"\nstate = \"state\"\n[[egress]]\naddress = \"203.0.113.10\"\n\
         [resolver]\nservers = [\"127.0.0.1:9\"]\ntimeout = \"1s\"\n",
    );
    place.run(&["domain", "add", "example.com", "--write"]).good();
    place
}

fn letter() -> String {
    use repute_types::Clock as _;
    GOOD.replace("DATE", &repute_types::SystemClock.now().rfc5322())
}

#[test]
fn a_message_is_judged_from_a_file_and_from_standard_input_alike() {
    let place = place();
    std::fs::write(place.path("letter.eml"), letter()).unwrap();
    let file = place.run(&["message", "check", "letter.eml", "--offline", "--only", "msg"]);
    assert_eq!((file.code, file.err.as_str()), (0, ""), "{}", file.out);
    let piped = place.run_with(&["message", "check", "--offline", "--only", "msg"], &letter());
    assert_eq!((piped.code, piped.out), (0, file.out));
}

#[test]
fn what_is_wrong_is_told_with_its_cure_and_what_receivers_do() {
    let place = place();
    let bad = letter().replace("Message-ID: <1.2@mail.example.com>\n", "From: other@example.com\n");
    let run = place.run_with(&["message", "check", "--offline", "--to", "gmail"], &bad);
    assert_eq!(run.code, 2, "{}", run.out);
    for part in ["there is no Message-ID", "From stands 2 times", "leave one From field", "Gmail", "5.7.1"] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    assert!(!run.out.contains("Yahoo"), "{}", run.out);
    let json = place.run_with(&["message", "check", "--offline", "--json"], &bad);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["exit_code"], 2);
    let finding = value["findings"].as_array().unwrap().iter().find(|f| f["id"] == "msg.unique").unwrap();
    assert_eq!((&finding["outcome"], &finding["refused_by"][0]), (&"fail".into(), &"Gmail 5.7.1".into()));
    assert_eq!(value["receivers"].as_array().unwrap().len(), 7);
}

#[test]
fn as_sent_is_what_the_server_makes_of_it() {
    let place = place();
    let bare = "From: news@example.com\nTo: ann@example.net\nSubject: Grüße\n\nGrüße\n";
    let run = place.run_with(&["message", "check", "--offline", "--as-sent", "--only", "msg,dkim"], bare);
    // Nobody is asked whether the key is published, so that is unknown; all else is right.
    assert_eq!(run.code, 3, "{}", run.out);
    assert!(run.out.contains("Message-ID added") && run.out.contains("signed with"), "{}", run.out);
    let foreign = bare.replace("example.com", "stranger.test");
    let run = place.run_with(&["message", "check", "--offline", "--as-sent"], &foreign);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("it would be refused at submission"), "{}", run.err);
}

#[test]
fn a_link_that_is_not_tried_is_unknown_and_wrong_words_are_named() {
    let place = place();
    let bulk = letter().replace(
        "Date:",
        "List-Unsubscribe: <https://u.example.com/1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\nDate:",
    );
    let args = ["message", "check", "--offline", "--post", "--only", "unsub.oneclick"];
    assert_eq!(place.run_with(&args, &bulk).code, 3);
    let run = place.run_with(&["message", "check", "--to", "nobody"], &bulk);
    assert!(run.code == 2 && run.err.contains("gmail, outlook"), "{}", run.err);
    let run = place.run(&["check", "--only", "msg.from"]);
    assert!(run.code == 2 && run.err.contains("repute message check FILE --only msg.from"), "{}", run.err);
}
