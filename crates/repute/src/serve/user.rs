//! From root to the service's own user, for good.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::unistd::{User, geteuid, initgroups, setgid, setuid};

use crate::config::Config;
use crate::{out, private};

/// Files that a warning names.
const NAMED: usize = 5;

/// Who the server is going to run as: `None` where it stays who it is.
pub fn choose(config: &Config) -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() || config.user.as_deref() == Some("root") {
        return Ok(None);
    }
    crate::commands::domain::service_user(config)
}

/// Makes the state folder what it has to be: the user's own, its files nobody else's. Others
/// may pass through it (0711) to the socket of the sendmail command, and see nothing.
pub fn prepare_state(config: &Config, user: Option<&User>) -> anyhow::Result<()> {
    private::make_folder(&config.state)?;
    if let Some(user) = user {
        private::give(&config.state, user)?;
    }
    // Before others may pass.
    if let Some(warning) = warning(&config.state, &private::close(&config.state)?) {
        out::error(&warning);
    }
    private::set_mode(&config.state, 0o711).map(drop).map_err(|error| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        error.context(match kind {
            Some(std::io::ErrorKind::ReadOnlyFilesystem) => {
                "the state folder is on a file system that cannot be written: mount it for writing (mount -o remount,rw), or, where \
                 it was an error of the disk that made it so (dmesg says that), look at the disk first"
            }
            _ => "the state folder belongs to another user: chown it to the user of the service",
        })
    })
}

/// One line about what others could read.
fn warning(state: &Path, open: &[PathBuf]) -> Option<String> {
    let names = open.iter().map(|path| path.strip_prefix(state).unwrap_or(path).display().to_string());
    let mut some = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if open.len() > NAMED {
        some += &format!(" and {} more", open.len() - NAMED);
    }
    (!open.is_empty()).then(|| {
        format!(
            "repute: WARNING: other users of this machine could get at {some} in {}: now they cannot. Who has read a key \
             has it still: exchange those\n",
            state.display()
        )
    })
}

/// Becomes the user. Whatever it fails at, the process must not go on.
pub fn become_user(user: &User) -> anyhow::Result<()> {
    let name = CString::new(user.name.as_str()).context("the user's name")?;
    initgroups(&name, user.gid).context("the user's groups cannot be taken on")?;
    setgid(user.gid).context("the user's group cannot be taken on")?;
    setuid(user.uid).context("the user cannot be taken on")?;
    if setuid(nix::unistd::Uid::from_raw(0)).is_ok() {
        bail!("the process could become root again: it does not serve like that");
    }
    Ok(())
}
