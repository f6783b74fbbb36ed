//! What a lint says: which check, how bad, what was found, what to do.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing; costs nothing.
    Info,
    /// Could not be found out.
    Unknown,
    Warn,
    /// Receivers refuse mail for it.
    Fail,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The id of the check, `spf.lookups`.
    pub check: &'static str,
    pub level: Level,
    /// What exactly a filter sees, `date.missing`; empty where no filter has a symbol for it.
    pub sign: &'static str,
    pub found: String,
    pub fix: String,
}

impl Remark {
    pub fn new(check: &'static str, level: Level, found: String, fix: impl Into<String>) -> Remark {
        Remark { check, level, sign: "", found, fix: fix.into() }
    }

    #[must_use]
    pub fn sign(mut self, sign: &'static str) -> Remark {
        self.sign = sign;
        self
    }
}
