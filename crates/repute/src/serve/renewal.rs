//! A certificate that was renewed on disk is served without a reload: whoever renews it (certbot, acme.sh) often tells no
//! server, which goes on with the old one until clients refuse it.
//!
//! Both files are looked at each minute. Where they changed, fit each other and hold another certificate, the next client
//! sees that. What cannot be used is told once, when it is still so a minute later: the two files are not replaced at the same
//! instant. The one before stays in use. A key that only root may read, as the server was when it started, is told so too,
//! long before it is renewed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_engine::permit::OwnChecks;
use repute_trust::checks::sent;
use repute_types::event::Level;
use repute_types::{Domain, EventKind};
use rustls::sign::CertifiedKey;

use crate::config::files;
use crate::config::meant::TlsFiles;
use crate::tls::{self, Certificate};

pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// By which a file is another one, or may be read now: its number, and when anything of it changed.
type Mark = Option<(u64, i64, i64)>;

#[derive(Default)]
pub struct Renewal {
    /// Of both files, when they were last read.
    seen: Option<[Mark; 2]>,
    /// They could not be used then, which has not been told yet.
    doubted: bool,
}

impl Renewal {
    /// What is to be told, if anything is.
    pub fn look(&mut self, files: &TlsFiles, served: &Certificate, hostname: &Domain) -> Option<EventKind> {
        let marks = Some([mark(&files.certificate), mark(&files.key)]);
        let changed = marks != self.seen;
        if !changed && !self.doubted {
            return None;
        }
        self.seen = marks;
        match read(files) {
            Ok(key) => {
                self.doubted = false;
                (key.cert != served.current().cert).then(|| {
                    let told = taken_on(&key, hostname);
                    served.exchange(key);
                    told
                })
            }
            Err(why) => {
                let tell = !changed;
                self.doubted = changed;
                tell.then(|| {
                    let text = format!(
                        "the certificate on disk cannot be served, so clients go on seeing the one of before: {why}"
                    );
                    EventKind::Note { level: Level::Warning, what: "certificate", text }
                })
            }
        }
    }
}

fn mark(file: &Path) -> Mark {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

fn read(tls: &TlsFiles) -> Result<Arc<CertifiedKey>, String> {
    let chain = files::read_open(&tls.certificate, 0..0).map_err(|fault| said(&fault.what, &fault.cure))?;
    let key = files::read_secret(&tls.key, 0..0).map_err(|fault| said(&fault.what, &fault.cure))?;
    tls::certified_key(&chain, &key).map_err(|wrong| {
        let file = if wrong.in_key { &tls.key } else { &tls.certificate };
        format!("{}: {}", file.display(), said(&wrong.what, wrong.cure))
    })
}

fn said(what: &str, cure: &str) -> String {
    format!("{what}; {cure}")
}

fn taken_on(key: &CertifiedKey, hostname: &Domain) -> EventKind {
    let until = tls::own(&key.cert, hostname).map_or(String::new(), |own| format!(", good until {}", own.until));
    let text = format!("the certificate was renewed on disk, and clients see the new one{until}");
    EventKind::Note { level: Level::Info, what: "certificate", text }
}

/// What the watch is told of the certificate that clients see.
pub fn checks(served: Arc<Certificate>, hostname: Domain) -> OwnChecks {
    Arc::new(move |now| vec![sent::certificate(hostname.as_str(), &tls::own(&served.current().cert, &hostname), now)])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn files(&self) -> TlsFiles {
            let at = |name| self.0.path().join(name);
            TlsFiles { certificate: at("chain.pem"), key: at("key.pem"), loaded: None }
        }

        fn write(&self, name: &str, text: &str) {
            let (file, new) = (self.0.path().join(name), self.0.path().join("new"));
            std::fs::write(&new, text).unwrap();
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::fs::rename(new, file).unwrap();
        }
    }

    fn made() -> (String, String) {
        let pair = rcgen::KeyPair::generate().unwrap();
        let wanted = rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        (wanted.self_signed(&pair).unwrap().pem(), pair.serialize_pem())
    }

    fn text(told: Option<EventKind>) -> Option<String> {
        told.map(|kind| match kind {
            EventKind::Note { text, .. } => text,
            other => panic!("{other:?}"),
        })
    }

    /// The old one was served until somebody reloaded the server, or until clients refused it.
    #[test]
    fn a_certificate_that_is_renewed_on_disk_is_served() {
        let (folder, host) = (Folder(tempfile::tempdir().unwrap()), Domain::parse("mail.example.com").unwrap());
        let [(chain, key), (new_chain, new_key)] = [made(), made()];
        folder.write("chain.pem", &chain);
        folder.write("key.pem", &key);
        let first = read(&folder.files()).unwrap();
        let served = Certificate::new(first.clone());
        let mut renewal = Renewal::default();
        let mut look = || text(renewal.look(&folder.files(), &served, &host));
        assert_eq!([look(), look()], [None, None]);
        // Between the two files nothing fits, and nothing is told.
        folder.write("chain.pem", &new_chain);
        assert_eq!(look(), None);
        assert_eq!(served.current().cert, first.cert);
        folder.write("key.pem", &new_key);
        assert!(
            look().unwrap().starts_with("the certificate was renewed on disk, and clients see the new one, good until")
        );
        assert_ne!(served.current().cert, first.cert);
        assert_eq!(look(), None);
        // What stays wrong is told once, with the cure.
        folder.write("key.pem", &key);
        assert_eq!(look(), None);
        let why = look().unwrap();
        assert!(why.contains("key.pem: this key is not that of the certificate; name the key"), "{why}");
        assert_eq!([look(), look()], [None, None]);
    }
}
