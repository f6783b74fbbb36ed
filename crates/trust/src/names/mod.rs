//! Names of hosts and addresses as receivers judge them (rules 1 and 2).

pub mod reverse;
