//! What was read, written down anew as a template of the kept engine. Every name becomes a call of a function with
//! constant texts, so that nothing of what a template says is ever run.

use super::TemplateFault;
use super::read::{Kind, Piece, Tag, fault, pieces};

/// How deep blocks may stand in each other.
const DEPTH: usize = 20;
/// Begin with a character that no text has.
pub(super) const BLOCK: (&str, &str) = ("\u{1}[", "]\u{1}");
pub(super) const PLACE: (&str, &str) = ("\u{1}{", "}\u{1}");
pub(super) const COMMENT: (&str, &str) = ("\u{1}#", "#\u{1}");

/// The template that says the same.
pub(super) fn translated(text: &str) -> Result<String, TemplateFault> {
    if let Some(at) = text.find(['\u{0}', '\u{1}']) {
        return fault(text[..at].matches('\n').count() + 1, "a control character stands in it: take it out");
    }
    let mut writer =
        Writer { out: String::with_capacity(text.len()), blocks: Vec::new(), contexts: vec!["data".into()], made: 0 };
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => writer.out.push_str(text),
            Piece::Tag(tag) => writer.tag(&tag)?,
        }
    }
    match writer.blocks.last() {
        Some(block) => fault(block.line, format!("{{{{#{}}}}} is not closed", block.name)),
        None => Ok(writer.out),
    }
}

struct Writer {
    out: String,
    blocks: Vec<Block>,
    /// What names are looked up in, as the engine calls it; the innermost last.
    contexts: Vec<String>,
    /// Contexts that were named so far.
    made: usize,
}

struct Block {
    /// As it is closed.
    name: String,
    what: What,
    line: usize,
    /// Names are looked up in a context of its own.
    is_inside: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    If,
    Each,
    With,
}

impl Writer {
    fn tag(&mut self, tag: &Tag<'_>) -> Result<(), TemplateFault> {
        match tag.kind {
            Kind::Comment => Ok(()),
            Kind::Itself => {
                self.out += tag.words;
                Ok(())
            }
            Kind::Partial => fault(tag.line, "partials are not known here: write what they hold in their place"),
            Kind::Place => {
                let shown = self.looked_up("shown", tag.words, tag.line)?;
                self.out += &format!("{} {shown} {}", PLACE.0, PLACE.1);
                Ok(())
            }
            Kind::Open => self.open(tag),
            Kind::Inverse if tag.words.is_empty() => self.otherwise(tag),
            Kind::Inverse => self.begin(tag.words, "unless", tag.words, tag.line),
            Kind::Else => self.otherwise(tag),
            Kind::Close => self.close(tag),
        }
    }

    fn open(&mut self, tag: &Tag<'_>) -> Result<(), TemplateFault> {
        let (helper, argument) = tag.words.split_once(char::is_whitespace).unwrap_or((tag.words, ""));
        self.begin(helper, helper, argument.trim(), tag.line)
    }

    fn begin(&mut self, name: &str, helper: &str, argument: &str, line: usize) -> Result<(), TemplateFault> {
        if self.blocks.len() == DEPTH {
            return fault(line, format!("blocks stand more than {DEPTH} deep"));
        }
        let what = match helper {
            "if" | "unless" => {
                let not = if helper == "if" { "" } else { "not " };
                let holds = self.looked_up("holds", argument, line)?;
                self.block(&format!("if {not}{holds}"));
                What::If
            }
            "each" => {
                let entries = self.looked_up("entries", argument, line)?;
                self.made += 1;
                let own = format!("c{}", self.made);
                self.block(&format!("for {own} in {entries}"));
                self.contexts.push(format!("{own}[\"value\"]"));
                What::Each
            }
            "with" => {
                let (holds, at) = (self.looked_up("holds", argument, line)?, self.looked_up("at", argument, line)?);
                self.made += 1;
                let own = format!("c{}", self.made);
                self.block(&format!("if {holds}"));
                self.block(&format!("with {own} = {at}"));
                self.contexts.push(own);
                What::With
            }
            _ if helper.starts_with('*') => {
                return fault(line, "partials are not known here: write what they hold in their place");
            }
            _ => {
                let cure = format!("write {{{{#if {helper}}}}}, {{{{#each {helper}}}}} or {{{{#with {helper}}}}}");
                return fault(line, format!("{{{{#{helper}}}}} is not known here: {cure}"));
            }
        };
        self.blocks.push(Block { name: name.to_owned(), what, line, is_inside: what != What::If });
        Ok(())
    }

    fn otherwise(&mut self, tag: &Tag<'_>) -> Result<(), TemplateFault> {
        let Some(block) = self.blocks.last_mut() else { return fault(tag.line, "{{else}} stands in no block") };
        let what = block.what;
        if std::mem::take(&mut block.is_inside) {
            self.contexts.pop();
            if what == What::With {
                self.block("endwith");
            }
        }
        if tag.words.is_empty() {
            self.block("else");
            return Ok(());
        }
        match tag.words.split_once(char::is_whitespace) {
            Some(("if", argument)) if what != What::Each => {
                let holds = self.looked_up("holds", argument.trim(), tag.line)?;
                self.block(&format!("elif {holds}"));
                Ok(())
            }
            _ => fault(
                tag.line,
                format!("{{{{else {}}}}} is not known here: write {{{{else}}}}, and a block in it", tag.words),
            ),
        }
    }

    fn close(&mut self, tag: &Tag<'_>) -> Result<(), TemplateFault> {
        let Some(block) = self.blocks.pop() else {
            return fault(tag.line, format!("{{{{/{}}}}} closes nothing", tag.words));
        };
        if block.name != tag.words {
            let awaited = format!("{{{{/{}}}}} stands where {{{{/{}}}}} is awaited", tag.words, block.name);
            return fault(tag.line, awaited);
        }
        if block.is_inside {
            self.contexts.pop();
        }
        match block.what {
            What::If => self.block("endif"),
            What::Each => self.block("endfor"),
            What::With if block.is_inside => {
                self.block("endwith");
                self.block("endif");
            }
            What::With => self.block("endif"),
        }
        Ok(())
    }

    fn block(&mut self, words: &str) {
        self.out += &format!("{} {words} {}", BLOCK.0, BLOCK.1);
    }

    /// A call of `function` for a name of the data.
    fn looked_up(&self, function: &str, name: &str, line: usize) -> Result<String, TemplateFault> {
        if let Some(of_loop) = name.strip_prefix('@').filter(|name| !name.starts_with("root")) {
            return self.of_loop(function, of_loop, line);
        }
        if function == "shown"
            && let Some((helper, _)) = name.split_once(char::is_whitespace)
            && is_name(helper)
            && !name.contains('|')
        {
            return fault(line, format!("the helper {helper:?} is not known here: if, unless, each and with are"));
        }
        let no_name =
            || TemplateFault::Syntax { line, text: format!("{name:?} is no name: write one name of the data") };
        let mut rest = name;
        let mut up = 0;
        while let Some(outer) = rest.strip_prefix("../").or_else(|| rest.strip_prefix("..").filter(|r| r.is_empty())) {
            (rest, up) = (outer, up + 1);
        }
        let context = match rest.strip_prefix("@root") {
            Some(inner) => {
                rest = inner.trim_start_matches(['.', '/']);
                self.contexts.first()
            }
            None => self.contexts.iter().rev().nth(up),
        };
        let Some(context) = context else { return fault(line, format!("{name:?} leads out of the data")) };
        let rest = rest
            .strip_prefix("./")
            .or_else(|| rest.strip_prefix("this."))
            .or_else(|| rest.strip_prefix("this/"))
            .unwrap_or(rest);
        let mut call = format!("{function}({context}");
        if !(matches!(rest, "this" | ".") || (rest.is_empty() && name != rest)) {
            for segment in segments(rest).ok_or_else(no_name)? {
                call += &format!(", \"{segment}\"");
            }
        }
        Ok(call + ")")
    }

    fn of_loop(&self, function: &str, name: &str, line: usize) -> Result<String, TemplateFault> {
        let inner = self.contexts.iter().rev().find_map(|context| context.strip_suffix("[\"value\"]"));
        let Some(inner) = inner else { return fault(line, format!("\"@{name}\" stands in no {{{{#each}}}}")) };
        let value = match name {
            "index" => "loop.index0".to_owned(),
            "first" | "last" => format!("loop.{name}"),
            "key" => format!("{inner}[\"key\"]"),
            _ => {
                return fault(
                    line,
                    format!("\"@{name}\" is not known here: @index, @key, @first, @last and @root are"),
                );
            }
        };
        Ok(format!("{function}({value})"))
    }
}

/// The names of a path: `a.b`, `a/b`, `a.[c d]`. `None` where it is none.
fn segments(path: &str) -> Option<Vec<&str>> {
    let mut segments = Vec::new();
    let mut rest = path;
    loop {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']').filter(|(name, _)| !name.contains(['"', '\\']))?,
            None => {
                let end = rest.find(['.', '/']).unwrap_or(rest.len());
                (&rest[..end], &rest[end..])
            }
        };
        if !rest.starts_with('[') && !is_name(segment) {
            return None;
        }
        segments.push(segment);
        if after.is_empty() {
            return Some(segments);
        }
        rest = after.strip_prefix(['.', '/'])?;
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "!\"#%&'()*+,./;<=>@[\\]^`{|}~".contains(c))
}
