//! What stands in the state folder, each name once. What each is for, and what its loss means: docs/install.md, "The state
//! folder".

use std::path::{Path, PathBuf};

/// Accepted mail that is not done: a folder.
pub fn spool(state: &Path) -> PathBuf {
    state.join("spool")
}

/// The spool's database, where a server was here before.
pub fn spool_database(state: &Path) -> PathBuf {
    spool(state).join("spool.sqlite")
}

pub fn history(state: &Path) -> PathBuf {
    state.join("history.sqlite")
}

/// Mail that came back.
pub fn returned(state: &Path) -> PathBuf {
    state.join("returned.sqlite")
}

/// DMARC and TLS reports that came in.
pub fn reports(state: &Path) -> PathBuf {
    state.join("reports.sqlite")
}

pub fn suppression(state: &Path) -> PathBuf {
    state.join("suppression.sqlite")
}

/// Permits, incidents, what is known of each check.
pub fn trust(state: &Path) -> PathBuf {
    state.join("trust.sqlite")
}

/// What circuits counted, and which are open.
pub fn circuits(state: &Path) -> PathBuf {
    state.join("circuit.sqlite")
}

pub fn warm_up(state: &Path) -> PathBuf {
    state.join("warm_up.sqlite")
}

/// Requests of programs that are carried out once.
pub fn requests(state: &Path) -> PathBuf {
    state.join("requests.sqlite")
}

/// MTA-STS policies of others.
pub fn policies(state: &Path) -> PathBuf {
    state.join("policies.sqlite")
}

/// Sessions, counted for reports on TLS.
pub fn tls_sessions(state: &Path) -> PathBuf {
    state.join("tls.sqlite")
}

/// What webhooks and streams are still told.
pub fn events(state: &Path) -> PathBuf {
    state.join("events.sqlite")
}

/// What the last `repute check` found.
pub fn last_check(state: &Path) -> PathBuf {
    state.join("check.json")
}

/// DKIM keys, a folder for each domain.
pub fn keys(state: &Path) -> PathBuf {
    state.join("keys")
}

/// What return paths and links to leave by are made with.
pub fn tokens_key(state: &Path) -> PathBuf {
    state.join("tokens.key")
}

/// The certificate that we made ourselves, with its key.
pub fn tls(state: &Path) -> PathBuf {
    state.join("tls")
}

pub fn control_socket(state: &Path) -> PathBuf {
    state.join("control.sock")
}

pub fn sendmail_socket(state: &Path) -> PathBuf {
    state.join("sendmail.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_all_that_stands_in_the_state_folder() {
        let of = [
            spool,
            history,
            returned,
            reports,
            suppression,
            trust,
            circuits,
            warm_up,
            requests,
            policies,
            tls_sessions,
            events,
            last_check,
            keys,
            tokens_key,
            tls,
            control_socket,
            sendmail_socket,
        ];
        let manual = include_str!("../../../docs/install.md");
        let missing: Vec<_> = of
            .iter()
            .map(|of| of(Path::new("")))
            .filter(|file| {
                let name = file.file_name().unwrap().to_str().unwrap();
                !manual.contains(&format!("`{name}"))
            })
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
