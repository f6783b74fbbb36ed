//! The page of the manual that says what is measured, made from the descriptions.

use std::fmt::Write as _;

use crate::catalogue::ALL;

const ABOUT: &str = r#"<!-- Made by `cargo run -p xtask -- generate`; change crates/metrics. -->
# Metrics

`GET /metrics` of the HTTP API answers what Prometheus and everything that reads its format collects: what happened since the
server started, counted from the same events that the log and the history are written from, and how things stand. The
text is the Prometheus format 0.0.4, or OpenMetrics 1.0 for who asks for it.

Who reads it shows a token that may do that and nothing else:

```sh
sudo repute token add prometheus --allow metrics --write && sudo systemctl reload repute     # prints the token, once
```

```yaml
scrape_configs:
  - job_name: repute
    scheme: https                       # http where [web] listens on loopback
    static_configs: [{ targets: ["mail.example.com:443"] }]
    authorization: { credentials_file: /etc/prometheus/repute.token }
```

A collector on the same machine needs none where the configuration says `metrics = "loopback"` under `[web]`: then every program
of this machine that asks `localhost` or a loopback address may read them. A request that says that it came through a proxy is not
taken for one of this machine; a proxy here that says nothing is.

Counting costs an event a few additions, and the page is made when it is asked for. What cannot be asked within 5 seconds
is left out and named by `repute_metrics_unread`. No label holds an address of a recipient or an id; sites and pairs are bounded.

[alerts.yml](alerts.yml) has rules to begin with: mail that waits, a permit that is lost, a black list, a bad list, a disk that
fills, a certificate that ends.
"#;

/// All of it.
pub fn markdown() -> String {
    let mut text = ABOUT.to_owned();
    let mut group = "";
    for metric in ALL {
        if metric.group != group {
            group = metric.group;
            // Writing into memory cannot fail.
            let _ = write!(text, "\n## {group}\n\n| metric | kind | labels | |\n|---|---|---|---|\n");
        }
        let labels = metric.labels.iter().map(|label| format!("`{}`: {}", label.name, label.values));
        let labels = labels.collect::<Vec<_>>().join("<br>");
        let _ = writeln!(text, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind.as_str(), metric.help());
    }
    text
}
