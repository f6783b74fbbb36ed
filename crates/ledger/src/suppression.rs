//! The suppression list: to whom nothing is sent, why, and by what evidence.
//!
//! An [`Entry`] stands for one address, in a [`Scope`], for one [`Why`]: several may stand for
//! the same address, and a release takes them away by name. Only the recipient's own permanent
//! fault, a complaint, a wish to leave and a person's word make one; whoever adds decides that.
//!
//! Promise of [`Suppressions`]: what was added is synced before the answer; a question about an
//! address that is not listed reads memory only (some 16 octets an entry). Expired entries are as good as
//! gone. Two spellings of an address are one where [`spelling`] says so.

mod entry;
mod rows;
mod store;

pub use entry::{Entry, NoSuchWhy, Scope, Why, spelling};
pub use store::{Query, Released, Selection, Suppressions};
