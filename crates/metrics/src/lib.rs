//! What an operator's monitoring reads: counters of what happened, and the page on which they stand beside
//! everything else that can be measured.
//!
//! [`Counters`] is a reader of the stream of events, beside the log and the history: an event costs it a few relaxed
//! additions, no lock and no allocation. [`Page`] is the text of the Prometheus exposition format (0.0.4) or of
//! OpenMetrics (1.0); whoever knows something to be measured is a [`Source`] of it. Every metric is described once, in
//! [`ALL`]: what is not described there cannot be written on the page, and what has no sentence does not compile.
//!
//! Written here, and not taken from a library: the official one writes OpenMetrics alone, which Prometheus's own linter
//! and every older reader refuse, counts a histogram under a lock, and keeps its descriptions where a manual cannot be made of
//! them. The format is a page long.

mod catalogue;
mod counters;
mod histogram;
mod metric;
mod page;
mod reference;

pub use catalogue::*;
pub use counters::{Counters, incident_of};
pub use histogram::Histogram;
pub use metric::{Kind, Label, Metric};
pub use page::{Form, NoSource, Page, Source};
pub use reference::markdown;
