//! Facts, one file a rule: asked, then handed to the judge of the same name.

pub(crate) mod around;
pub(crate) mod dkim;
pub(crate) mod dmarc;
pub(crate) mod leftovers;
pub(crate) mod lists;
pub(crate) mod machine;
pub(crate) mod mailboxes;
pub(crate) mod names;
pub(crate) mod outward;
pub(crate) mod sender;
pub(crate) mod servers;
pub(crate) mod spf;
