//! The command line of sendmail, which is older than getopt: values stand in the next
//! argument or right behind the letter, `-bs` is an option of two letters, and what is not
//! known has to be passed over where others pass it over.

use repute_types::{Notify, Ret};

use super::{Failed, code};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A message on standard input (`-bm`, and without `-b`).
    Deliver,
    /// SMTP on standard input and output (`-bs`).
    Smtp,
    /// What waits (`-bp`), as `mailq` shows it.
    Queue,
    /// There is nothing to do: `-bi` and `-I` (no alias database), `-q` (the queue runs itself).
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Flags {
    pub mode: Mode,
    /// `-t`: recipients are in To, Cc and Bcc.
    pub from_header: bool,
    /// `-i`, `-oi`: a line with a dot alone is text.
    pub ignore_dots: bool,
    /// `-f`, `-r`: the sender; empty for the null sender.
    pub sender: Option<String>,
    /// `-F`: the sender's full name.
    pub full_name: Option<String>,
    /// `-N`.
    pub notify: Notify,
    pub ret: Option<Ret>,
    pub envid: Option<String>,
    /// `-v`: the conversation is printed.
    pub verbose: bool,
    pub recipients: Vec<String>,
}

/// Letters that take a value, in their word or the next; those not known to `value` are passed
/// over.
const WITH_VALUE: &str = "frFNVRBACDLOXhp";
/// Letters that stand alone and mean nothing here.
const IGNORED: &str = "GUcmnsE";

impl Flags {
    pub fn parse(args: &[&str]) -> Result<Flags, Failed> {
        let mut flags = Flags {
            mode: Mode::Deliver,
            from_header: false,
            ignore_dots: false,
            sender: None,
            full_name: None,
            notify: Notify::Unsaid,
            ret: None,
            envid: None,
            verbose: false,
            recipients: Vec::new(),
        };
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            match arg.strip_prefix('-') {
                Some("-") => {
                    flags.recipients.extend(args.by_ref().map(str::to_owned));
                }
                Some(word) if !word.is_empty() => flags.word(word, &mut args)?,
                _ => flags.recipients.push(arg.to_owned()),
            }
        }
        Ok(flags)
    }

    /// One word after its dash: letters, the last of which may carry a value.
    fn word<'a>(&mut self, word: &'a str, more: &mut impl Iterator<Item = &'a str>) -> Result<(), Failed> {
        for (i, letter) in word.char_indices() {
            let rest = &word[i + letter.len_utf8()..];
            match letter {
                't' => self.from_header = true,
                'i' => self.ignore_dots = true,
                'v' => self.verbose = true,
                'I' => self.mode = Mode::Nothing,
                'b' => return self.mode(rest),
                'o' | 'q' | 'e' | 'd' => {
                    self.rest_of_word(letter, rest);
                    return Ok(());
                }
                l if WITH_VALUE.contains(l) => {
                    let value = if rest.is_empty() { more.next() } else { Some(rest) };
                    let value = value.ok_or_else(|| Failed::new(code::USAGE, format!("-{l} needs a value")))?;
                    return self.value(l, value);
                }
                l if IGNORED.contains(l) => {}
                l => return Err(Failed::new(code::USAGE, format!("-{l} is not an option of sendmail"))),
            }
        }
        Ok(())
    }

    /// Options whose value can only stand in the same word.
    fn rest_of_word(&mut self, letter: char, rest: &str) {
        match letter {
            'o' if rest == "i" => self.ignore_dots = true,
            'q' => self.mode = Mode::Nothing,
            _ => {}
        }
    }

    fn value(&mut self, letter: char, value: &str) -> Result<(), Failed> {
        let text = Some(value.to_owned());
        match letter {
            'f' | 'r' => self.sender = text,
            'F' => self.full_name = text,
            'N' => self.notify = notify(value)?,
            'V' => self.envid = text,
            'R' => self.ret = Some(ret(value)?),
            // -B: what the body is, is seen in the body.
            _ => {}
        }
        Ok(())
    }

    fn mode(&mut self, letter: &str) -> Result<(), Failed> {
        self.mode = match letter {
            "m" => Mode::Deliver,
            "s" => Mode::Smtp,
            "i" => Mode::Nothing,
            "p" => Mode::Queue,
            "d" | "D" => return Err(Failed::new(code::USAGE, "`repute serve` is the server")),
            other => return Err(Failed::new(code::USAGE, format!("-b{other} is not known here"))),
        };
        Ok(())
    }
}

fn notify(value: &str) -> Result<Notify, Failed> {
    let wrong = || Failed::new(code::USAGE, "-N takes `never`, or some of `success,failure,delay`");
    repute_smtp::command::notify(value).ok_or_else(wrong)
}

fn ret(value: &str) -> Result<Ret, Failed> {
    match value.to_ascii_lowercase().as_str() {
        "full" => Ok(Ret::Full),
        "hdrs" => Ok(Ret::Headers),
        _ => Err(Failed::new(code::USAGE, "-R takes `full` or `hdrs`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Flags {
        Flags::parse(&line.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_usual_callers_are_understood() {
        let php = parse("-t -i");
        assert!(php.from_header && php.ignore_dots);
        let cron = parse("-i -FCronDaemon -B8BITMIME -oem root");
        assert_eq!(cron.full_name.as_deref(), Some("CronDaemon"));
        assert_eq!(cron.recipients, ["root"]);
        let mutt = parse("-oem -oi -f a@b.example -- -x@c.example y@c.example");
        assert!(mutt.ignore_dots);
        assert_eq!(mutt.sender.as_deref(), Some("a@b.example"));
        assert_eq!(mutt.recipients, ["-x@c.example", "y@c.example"]);
        let grouped = parse("-tifa@b.example");
        assert!(grouped.from_header && grouped.ignore_dots);
        assert_eq!(grouped.sender.as_deref(), Some("a@b.example"));
        let dsn = parse("-N success,failure -R hdrs -V id-1 -O DeliveryMode=b x@y.example");
        let notify = Notify::On { success: true, failure: true, delay: false };
        assert_eq!((dsn.notify, dsn.ret), (notify, Some(Ret::Headers)));
        assert_eq!(dsn.recipients, ["x@y.example"]);
        assert_eq!(parse("-bs").mode, Mode::Smtp);
        assert_eq!(parse("-bp").mode, Mode::Queue);
        assert_eq!(parse("-bi").mode, Mode::Nothing);
        assert_eq!(parse("-q30m").mode, Mode::Nothing);
    }

    #[test]
    fn what_is_wrong_is_a_usage_error() {
        for line in ["-f", "-Z", "-bd", "-R some", "-N soon"] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(Flags::parse(&words).unwrap_err().code, code::USAGE, "{line}");
        }
    }
}
