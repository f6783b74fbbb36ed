//! BIND's `named` on loopback, for what only a real name server shows (package bind9).
//!
//! Promise: it answers once [`Bind::start`] returns, and does not outlive the test. Its configuration and its log are in
//! the folder.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Debug)]
pub struct Bind {
    child: Child,
    pub address: SocketAddr,
}

impl Bind {
    /// Serves the zones, of whose files the folder is, from a free port of this address. `options` stand beside the usual ones.
    ///
    /// # Panics
    /// Where it cannot be started, or does not listen; shows what it said.
    pub fn start(folder: &Path, ip: IpAddr, options: &str, zones: &str) -> Bind {
        let free = TcpListener::bind((ip, 0)).expect("an address of loopback");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let config = format!(
            "options {{ directory \"{}\"; listen-on port {} {{ {ip}; }}; listen-on-v6 {{ none; }};
             pid-file none; recursion no; dnssec-validation no; {options} }};\ncontrols {{ }};\n{zones}",
            folder.display(),
            address.port()
        );
        fs::write(folder.join("named.conf"), config).expect("the folder can be written");
        let log = File::create(folder.join("named.log")).expect("the folder can be written");
        let mut named = Command::new("named");
        named.args(["-g", "-c", "named.conf", "-n", "1"]).current_dir(folder).stdout(Stdio::null()).stderr(log);
        let bind = Bind { child: named.spawn().expect("named, of package bind9"), address };
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return bind;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("named does not listen:\n{}", fs::read_to_string(folder.join("named.log")).unwrap_or_default());
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
