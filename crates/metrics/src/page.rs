//! The page that is answered: samples of metrics, written as text in one of two forms.
//!
//! Promise: each metric stands once, with its sentence and its kind before its samples, however many sources it has;
//! a value of a label cannot end its line or its quotes. Metrics stand in the order of their names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::histogram::Histogram;
use crate::metric::{Kind, Metric};

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Prometheus exposition format, 0.0.4.
    Text,
    /// OpenMetrics, 1.0.0.
    OpenMetrics,
}

impl Form {
    /// By the field Accept of a request: OpenMetrics for who names it, else the text that everybody reads.
    pub fn accepted(accept: &str) -> Form {
        let named = accept.split(',').any(|range| {
            let mut words = range.split(';').map(str::trim);
            let refused = |word: &str| word.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            words.next() == Some("application/openmetrics-text") && !words.any(refused)
        });
        if named { Form::OpenMetrics } else { Form::Text }
    }

    /// For the field Content-Type.
    pub fn media(self) -> &'static str {
        match self {
            Form::Text => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Whoever knows something that is measured. It may wait for a disk: it is asked where that holds up nobody.
pub trait Source: Send + Sync + 'static {
    fn read(&self, page: &mut Page);
}

/// Knows nothing; where nothing more is measured.
pub struct NoSource;

impl Source for NoSource {
    fn read(&self, _: &mut Page) {}
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Page {
    metrics: BTreeMap<&'static str, (&'static Metric, Vec<Sample>)>,
}

#[derive(Debug)]
struct Sample {
    /// `_bucket`, `_sum`, `_count` of a histogram.
    suffix: &'static str,
    labels: Vec<String>,
    /// The bound of a bucket.
    le: Option<f64>,
    value: f64,
}

impl Page {
    /// One value of a metric without labels.
    pub fn set(&mut self, metric: &'static Metric, value: f64) {
        self.add(metric, &[], value);
    }

    /// One value of a metric, with the values of its labels in their order. Whoever leaves a label out has written a
    /// fault: the sample is not shown, so that the others can still be read.
    pub fn add(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
        if labels.len() == metric.labels.len() {
            let labels = labels.iter().map(|value| (*value).to_owned()).collect();
            self.push(metric, Sample { suffix: "", labels, le: None, value });
        }
    }

    pub fn histogram<const N: usize>(&mut self, metric: &'static Metric, histogram: &Histogram<N>) {
        debug_assert_eq!(metric.kind, Kind::Histogram);
        let sample = |suffix, le, value| Sample { suffix, labels: Vec::new(), le, value };
        let mut all = 0;
        for (bound, below) in histogram.cumulated() {
            all = below;
            self.push(metric, sample("_bucket", Some(bound), below as f64));
        }
        all += histogram.beyond();
        self.push(metric, sample("_bucket", Some(f64::INFINITY), all as f64));
        self.push(metric, sample("_sum", None, histogram.sum()));
        self.push(metric, sample("_count", None, all as f64));
    }

    fn push(&mut self, metric: &'static Metric, sample: Sample) {
        self.metrics.entry(metric.name).or_insert_with(|| (metric, Vec::new())).1.push(sample);
    }

    /// Takes over what stands on another page.
    pub fn join(&mut self, other: Page) {
        for (name, (metric, samples)) in other.metrics {
            self.metrics.entry(name).or_insert_with(|| (metric, Vec::new())).1.extend(samples);
        }
    }

    /// The text.
    pub fn write(&self, form: Form) -> String {
        let mut text = String::new();
        for (metric, samples) in self.metrics.values() {
            let family = match (form, metric.kind) {
                (Form::OpenMetrics, Kind::Counter) => metric.name.strip_suffix("_total").unwrap_or(metric.name),
                _ => metric.name,
            };
            // Writing into memory cannot fail.
            let _ = writeln!(text, "# HELP {family} {}", help(metric.help(), form));
            let _ = writeln!(text, "# TYPE {family} {}", metric.kind.as_str());
            for sample in samples {
                line(&mut text, metric, sample, form);
            }
        }
        if form == Form::OpenMetrics {
            text += "# EOF\n";
        }
        text
    }
}

fn help(text: &str, form: Form) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if form == Form::OpenMetrics { text.replace('"', "\\\"") } else { text }
}

fn line(text: &mut String, metric: &Metric, sample: &Sample, form: Form) {
    *text += metric.name;
    *text += sample.suffix;
    let names = metric.labels.iter().map(|label| label.name);
    let bound = sample.le.map(|le| ("le", number(le, form)));
    let pairs = names.zip(sample.labels.iter().cloned()).chain(bound);
    for (n, (name, value)) in pairs.enumerate() {
        *text += if n == 0 { "{" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    if !sample.labels.is_empty() || sample.le.is_some() {
        *text += "}";
    }
    let _ = writeln!(text, " {}", number(sample.value, Form::Text));
}

/// A bound of OpenMetrics always shows that it is no whole number.
fn number(value: f64, form: Form) -> String {
    match (value, form) {
        (f64::INFINITY, _) => "+Inf".to_owned(),
        (f64::NEG_INFINITY, _) => "-Inf".to_owned(),
        (_, Form::Text) => value.to_string(),
        (_, Form::OpenMetrics) => format!("{value:?}"),
    }
}
