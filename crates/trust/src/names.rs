//! Names of hosts and addresses as receivers judge them (rules 1 and 2): whether an address
//! is one of the public net, whether its name looks machine-made, whether name and address
//! lead to each other, whether the name in EHLO is one.

pub mod confirm;
mod dynrdns;
pub mod generic;
pub mod helo;
mod hfilter;
pub mod public;
pub mod reverse;
