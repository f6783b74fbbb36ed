//! From the configuration to what the works take.

use std::net::IpAddr;
use std::sync::Arc;

use repute_delivery::sts::Policies;
use repute_delivery::{DeliverySettings, Egress, HostMemory, Login, Relay, Routes, Tally, TlsNeed};
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, AddressRange, DomainIndex, Limits, SendingDomain, Settings};
use repute_engine::door::{Account, ScramSecret};
use repute_engine::permit::PermitSettings;
use repute_queue::Retry;

use super::Config;
use super::meant::{self, ListenerKind, RouteTls};

/// What is known of the hosts of others; it outlives a reload.
pub struct Known {
    pub memory: HostMemory,
    pub policies: Arc<Policies>,
    pub tally: Arc<Tally>,
}

pub fn of(config: &Config, known: &Known) -> Settings {
    Settings {
        hostname: config.hostname.clone(),
        accounts: config.accounts.iter().map(account).collect(),
        domains: config.domains.iter().map(domain).collect(),
        by_name: DomainIndex::default(),
        egresses: config.egresses.iter().map(|e| Arc::new(egress(e, config))).collect(),
        warm_up: (0..).zip(&config.egresses).filter(|(_, e)| e.warm_up).map(|(place, _)| place).collect(),
        routes: Arc::new(routes(&config.routes)),
        sites: config.sites.clone(),
        delivery: Arc::new(delivery(config, known)),
        retry: Retry {
            first: config.retry.first,
            max_interval: config.retry.max_interval,
            expire: config.retry.expire,
            delay_notice: config.retry.delay_notice,
        },
        suppression: config.suppression,
        returned: config.returned.clone(),
        circuit: config.circuit.clone(),
        bulk: BulkSettings { url: config.web.url.clone(), list_unsubscribe: config.list_unsubscribe },
        limits: limits(config),
        tls_reports: config.tls_reports.clone(),
        permit: PermitSettings {
            enforce: config.permit.enforce,
            assume: config.permit.assume.clone(),
            watch: config.permit.watch,
            connect: config.permit.connect,
            hosts: config.check.hosts.clone(),
            mx_port: config.mx_port,
            mail_to: config.permit.mail_to.clone(),
            chosen: if config.egresses.is_empty() { chosen_by_system() } else { Vec::new() },
            table: Arc::new(config.lists.table.clone()),
            keys: Arc::new(config.lists.keys.clone()),
            keep: config.permit.keep,
        },
    }
}

/// The addresses that the operating system takes where the configuration names none: those of
/// its ways to a root name server. Nothing is sent.
pub fn chosen_by_system() -> Vec<IpAddr> {
    let way = |from: &str, to: &str| {
        let socket = std::net::UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    [way("0.0.0.0:0", "198.41.0.4:53"), way("[::]:0", "[2001:503:ba3e::2:30]:53")].into_iter().flatten().collect()
}

/// Who a client of this account is, however it came in.
pub fn who(a: &meant::Account) -> Arc<Account> {
    Arc::new(Account { name: a.name.as_str().into(), domains: a.domains.clone(), stream: a.stream, private: a.private })
}

fn account(a: &meant::Account) -> AccountSettings {
    AccountSettings {
        account: who(a),
        password: a.password.clone(),
        scram: a.scram.as_ref().map(|s| ScramSecret {
            iterations: s.iterations,
            salt: s.salt.clone(),
            stored_key: s.stored_key,
            server_key: s.server_key,
        }),
        rate: a.rate,
        replies: a.replies.clone(),
        addresses: a.addresses.iter().map(|n| AddressRange { address: n.address, prefix: n.prefix }).collect(),
    }
}

fn domain(d: &meant::SendingDomain) -> SendingDomain {
    SendingDomain {
        name: d.name.clone(),
        keys: d.keys.clone(),
        danger_unsigned: d.danger_unsigned,
        return_path: d.return_path.clone(),
        pool: d.pool.clone(),
    }
}

fn egress(e: &meant::Egress, config: &Config) -> Egress {
    let addresses = [e.v4.map(IpAddr::V4), e.v6.map(IpAddr::V6)];
    let names: Vec<String> = addresses.iter().flatten().map(ToString::to_string).collect();
    let ehlo = e.ehlo.clone().unwrap_or_else(|| config.hostname.clone());
    Egress { name: names.join(","), ehlo, v4: e.v4, v6: e.v6, narrowed: false }
}

fn routes(written: &[meant::Route]) -> Routes {
    let mut routes = Routes::default();
    for route in written {
        let tls = match route.tls {
            RouteTls::None => TlsNeed::Never,
            RouteTls::Opportunistic => TlsNeed::Opportunistic,
            RouteTls::Required => TlsNeed::Require,
            RouteTls::Verified | RouteTls::Implicit => TlsNeed::Verify,
        };
        let relay = Relay {
            hosts: vec![route.host.clone()],
            port: route.port,
            tls,
            implicit_tls: route.tls == RouteTls::Implicit,
            login: route.login.as_ref().map(|l| Login {
                user: l.user.clone(),
                password: l.password.clone(),
                danger_without_tls: route.is_local(),
            }),
        };
        routes.add(&route.domains, relay);
    }
    routes
}

fn delivery(config: &Config, known: &Known) -> DeliverySettings {
    let mut own_names = vec![config.hostname.clone()];
    own_names.extend(config.egresses.iter().filter_map(|e| e.ehlo.clone()));
    let listening = config.listeners.iter().filter(|l| l.kind == ListenerKind::Return).map(|l| l.address.ip());
    DeliverySettings {
        danger_allow_loopback: config.danger_allow_loopback,
        mx_port: config.mx_port,
        own_names,
        own_addresses: listening.filter(|ip| !ip.is_unspecified()).collect(),
        memory: known.memory.clone(),
        dane: config.dane,
        policies: config.mta_sts.then(|| known.policies.clone()),
        tally: config.tls_reports.enabled.then(|| known.tally.clone()),
        ..DeliverySettings::default()
    }
}

fn limits(config: &Config) -> Limits {
    let l = &config.limits;
    Limits {
        sessions_per_site: l.sessions_per_site,
        sessions: l.sessions,
        messages_per_session: l.messages_per_session,
        first_pause: config.retry.pause,
        max_pause: config.retry.max_pause,
        fresh_content: l.fresh(),
        outgoing_content: l.outgoing(),
        session_idle: l.session_idle.0,
        hops: l.hops,
    }
}
