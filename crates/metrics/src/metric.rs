//! What is known of a metric before anything is measured, and the one way to describe one.

/// A metric as it is described: its sentence, its kind, the labels that tell its series apart.
#[derive(Debug)]
pub struct Metric {
    /// The heading under which the manual has it.
    pub group: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    help: &'static str,
    pub labels: &'static [Label],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and begins at nought when the server starts.
    Counter,
    Gauge,
    Histogram,
}

/// A label and the values that it takes.
#[derive(Debug)]
pub struct Label {
    pub name: &'static str,
    /// For people: the values, or what they are.
    pub values: &'static str,
}

impl Metric {
    pub(crate) const fn new(
        group: &'static str,
        name: &'static str,
        kind: Kind,
        help: &'static str,
        labels: &'static [Label],
    ) -> Metric {
        Metric { group, name, kind, help, labels }
    }

    /// One sentence: what it measures, and what to make of it.
    pub fn help(&self) -> &'static str {
        // A comment begins with a blank.
        self.help.trim_start()
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Describes metrics, and lists all of them in `ALL`. The comment above a metric is its sentence: without one it does
/// not compile.
macro_rules! metrics {
    ($($group:literal {
        $($(#[doc = $help:literal])+ $kind:ident $id:ident = $name:literal
            $([$($label:literal: $values:literal),+])?;)+
    })+) => {
        $($(
            $(#[doc = $help])+
            pub static $id: Metric = Metric::new(
                $group,
                $name,
                Kind::$kind,
                concat!($($help),+),
                &[$($(Label { name: $label, values: $values }),+)?],
            );
        )+)+

        /// Every metric there is, in the order of the manual.
        pub static ALL: &[&Metric] = &[$($(&$id),+),+];
    };
}

pub(crate) use metrics;
