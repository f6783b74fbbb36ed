//! That this process, or machine, can open no more files, and so no more sockets: what it is known by, and the cure.

use std::io;

/// What to do about it, for the end of a sentence.
pub const LET_OPEN_MORE: &str = "let the process open more files (LimitNOFILE= of its unit, or ulimit -n), or lower \
                                 `connections` in [limits]";

/// Whether an attempt to open something failed for that.
pub fn are_used_up(error: &io::Error) -> bool {
    // EMFILE and ENFILE, which `io::ErrorKind` has no names for; every Unix has these numbers.
    const NO_MORE: [i32; 2] = [24, 23];
    error.raw_os_error().is_some_and(|number| NO_MORE.contains(&number))
}
