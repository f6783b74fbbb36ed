//! The resolver of the configuration, for the server and for the commands.

use repute_dns::DnsSettings;

use crate::config::Config;

pub fn settings(config: &Config) -> DnsSettings {
    let resolver = &config.resolver;
    DnsSettings {
        servers: resolver.servers.iter().map(|server| server.with_port(53)).collect(),
        own: resolver.own,
        roots: resolver.roots.clone(),
        dnssec: resolver.dnssec,
        trust_anchor: resolver.trust_anchor.clone(),
        timeout: resolver.timeout,
        ..DnsSettings::default()
    }
}
