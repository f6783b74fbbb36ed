//! Black lists (rule 3): what to ask them, and what an answer means (RFC 5782).
//!
//! The lists are data (`data/lists.toml`), which a user can extend. Promise: an answer is a
//! listing only by a code that is known for that list. An error code, an answer from outside
//! 127/8, a code that nobody knows, a list that fails its own test points: none of these is
//! ever taken for a listing, and none for clean.

mod code;
mod health;
mod list;
mod table;
mod verdict;

pub use code::CodePattern;
pub use health::{Health, TestPoints};
pub use list::{Bit, Code, Holds, List, Meaning, Subject, Tier};
pub use table::{Dead, Keys, Table};
pub use verdict::{Hit, Verdict};
