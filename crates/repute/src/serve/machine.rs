//! What is measured of this program and of the machine it runs on, for the page of metrics: processor, memory,
//! descriptors, disk, the certificate, the last reload.
//!
//! Read when it is asked for, from what the kernel says of the process (Linux's /proc; elsewhere those lines are left out).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use repute_metrics::{self as metric, Page, Source};
use repute_types::{Clock as _, SystemClock};

use crate::state;
use crate::tls::Certificate;

pub struct Machine {
    state: PathBuf,
    certificate: Arc<Certificate>,
    /// In milliseconds since 1970, as the next.
    started: i64,
    reloaded: AtomicI64,
    reload_failed: AtomicBool,
}

impl Machine {
    pub fn new(state: PathBuf, certificate: Arc<Certificate>) -> Machine {
        let now = SystemClock.now().millis();
        Machine {
            state,
            certificate,
            started: now,
            reloaded: AtomicI64::new(now),
            reload_failed: AtomicBool::new(false),
        }
    }

    /// The configuration was read again, and taken on or not.
    pub fn reloaded(&self, taken: bool) {
        self.reload_failed.store(!taken, Ordering::Relaxed);
        if taken {
            self.reloaded.store(SystemClock.now().millis(), Ordering::Relaxed);
        }
    }
}

impl Source for Machine {
    fn read(&self, page: &mut Page) {
        page.add(&metric::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        page.set(&metric::PROCESS_START, seconds(self.started));
        let failed = self.reload_failed.load(Ordering::Relaxed);
        page.set(&metric::RELOAD_SUCCESSFUL, f64::from(u8::from(!failed)));
        page.set(&metric::RELOAD_TIME, seconds(self.reloaded.load(Ordering::Relaxed)));
        if let Some(expiry) = self.certificate.not_after() {
            page.set(&metric::CERTIFICATE_EXPIRY, expiry as f64);
        }
        self.read_disk(page);
        read_process(page);
    }
}

impl Machine {
    fn read_disk(&self, page: &mut Page) {
        let files = std::fs::read_dir(state::spool(&self.state)).into_iter().flatten().flatten();
        let octets =
            files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len());
        page.set(&metric::SPOOL_BYTES, octets.sum::<u64>() as f64);
        if let Ok(disk) = nix::sys::statvfs::statvfs(&self.state) {
            page.set(&metric::STATE_AVAILABLE, disk.blocks_available() as f64 * disk.fragment_size() as f64);
        }
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn read_process(page: &mut Page) {
    use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
    use nix::sys::time::TimeValLike as _;
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        page.set(&metric::PROCESS_CPU, micros as f64 / 1e6);
    }
    if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        page.set(&metric::PROCESS_MAX_FDS, most as f64);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // The one that reads the folder is not counted.
        page.set(&metric::PROCESS_OPEN_FDS, open.count().saturating_sub(1) as f64);
    }
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let told = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().split(' ').next()?.parse::<f64>().ok()
    };
    for (metric, name, unit) in [
        (&metric::PROCESS_RESIDENT, "VmRSS", 1024.0),
        (&metric::PROCESS_VIRTUAL, "VmSize", 1024.0),
        (&metric::PROCESS_THREADS, "Threads", 1.0),
    ] {
        if let Some(value) = told(name) {
            page.set(metric, value * unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_metrics::Form;

    #[test]
    fn the_process_and_its_certificate_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(state::spool(folder.path())).unwrap();
        std::fs::write(state::spool_database(folder.path()), [0; 5000]).unwrap();
        let files = crate::tls::SelfSigned::of(folder.path());
        files.make(&"mail.example.com".parse().unwrap()).unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        let key = crate::tls::certified_key(&read(&files.certificate), &read(&files.key)).unwrap();
        let machine = Machine::new(folder.path().to_owned(), Certificate::new(key));
        let value = |name: &str| -> f64 {
            let mut page = Page::default();
            machine.read(&mut page);
            let text = page.write(Form::Text);
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
        };
        assert_eq!(value("repute_spool_bytes"), 5000.0);
        assert!(value("repute_state_available_bytes") > 0.0);
        assert!(value("repute_certificate_expiry_timestamp_seconds") > value("process_start_time_seconds"));
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_threads") >= 1.0);
        assert_eq!(value("repute_config_last_reload_successful"), 1.0);
        machine.reloaded(false);
        assert_eq!(value("repute_config_last_reload_successful"), 0.0);
        machine.reloaded(true);
        assert_eq!(value("repute_config_last_reload_successful"), 1.0);
        assert!(value("repute_config_last_reload_success_timestamp_seconds") >= value("process_start_time_seconds"));
    }
}
