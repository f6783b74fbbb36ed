//! Files and folders that only the service may read.
//!
//! Promise: a file is written whole beside its place and renamed, so that nobody ever sees
//! half of it; files are 0600 and folders 0700 from their first instant.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Group or others may go through a folder.
const OTHERS_ENTER: u32 = 0o011;

/// Writes a file in place of whatever is there, synced. Makes its folder.
pub fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    Beside::of(path, octets)?.put()
}

/// A file that is written whole, and synced, beside its place. It is gone again unless it is put there.
pub struct Beside {
    path: PathBuf,
    beside: PathBuf,
}

impl Beside {
    pub fn of(path: &Path, octets: &[u8]) -> anyhow::Result<Beside> {
        make_folder(folder_of(path))?;
        let beside = path.with_extension(format!("new.{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&beside);
        let written = opened.and_then(|mut file| {
            // From here on it is taken away again, whatever comes.
            let made = Beside { path: path.to_owned(), beside };
            file.write_all(octets)?;
            file.sync_all()?;
            Ok(made)
        });
        written.with_context(|| cannot(path))
    }

    /// With the owner and the mode of another file.
    pub fn like(self, other: &fs::Metadata) -> anyhow::Result<Beside> {
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&self.beside, Some(other.uid()), Some(other.gid()))?;
        }
        set_mode(&self.beside, other.mode() & 0o777)?;
        Ok(self)
    }

    pub fn put(self) -> anyhow::Result<()> {
        let put = fs::rename(&self.beside, &self.path);
        put.and_then(|()| fs::File::open(folder_of(&self.path))?.sync_all()).with_context(|| cannot(&self.path))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Where it was put it is no longer here.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Where a file lies; of a bare name, where one is.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

/// Makes a folder that only its owner may enter, and those above it that are missing.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Gives a file or folder its mode; whether that changed anything.
pub fn set_mode(path: &Path, mode: u32) -> anyhow::Result<bool> {
    let meta = fs::symlink_metadata(path).with_context(|| format!("{}", path.display()))?;
    // A link in a folder of the service's could lead root's hand out of it.
    if meta.is_symlink() || meta.mode() & 0o777 == mode {
        return Ok(false);
    }
    let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set.with_context(|| format!("the mode of {} cannot be set", path.display()))?;
    Ok(true)
}

/// Closes to all but the owner what stands in a folder: files 0600, folders 0700, sockets and links as they are. Gives back
/// what others could read or write until now. Fails where something stays open; what lies in a folder that is closed
/// does not.
pub fn close(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut open = Vec::new();
    let could_come = fs::metadata(folder)?.mode() & OTHERS_ENTER != 0;
    close_in(folder, Others { could_come, can_come: true }, &mut open)?;
    Ok(open)
}

/// The other users of this machine, and what stands in a folder.
#[derive(Clone, Copy)]
struct Others {
    /// Until now they could get at it, as far as the folders above it let them.
    could_come: bool,
    /// They still can.
    can_come: bool,
}

fn close_in(folder: &Path, others: Others, open: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for path in entries.map_while(Result::ok).map(|entry| entry.path()) {
        // What is gone since is no longer open.
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        if !meta.is_dir() && !meta.is_file() {
            continue;
        }
        if meta.mode() & 0o077 != 0 {
            match fs::set_permissions(&path, fs::Permissions::from_mode(mode)) {
                Err(error) if others.can_come && error.kind() != std::io::ErrorKind::NotFound => {
                    let path = path.display();
                    return Err(error).with_context(|| {
                        format!("other users of this machine can read {path}: chown it to the user of the service, or chmod go= {path}")
                    });
                }
                _ if others.could_come => open.push(path.clone()),
                _ => {}
            }
        }
        if meta.is_dir() {
            let could_come = others.could_come && meta.mode() & OTHERS_ENTER != 0;
            let closed = close_in(&path, Others { could_come, can_come: false }, open);
            // A folder that may not be read is another user's, and closed.
            if others.can_come && meta.mode() & 0o077 != 0 {
                closed?;
            }
        }
    }
    Ok(())
}

/// Gives a file or folder, and all that is in it, to a user. Only root can; for others it is
/// theirs already, or they could not have made it.
pub fn give(path: &Path, owner: &nix::unistd::User) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let meta = fs::symlink_metadata(path).with_context(|| format!("{}", path.display()))?;
    if meta.uid() != owner.uid.as_raw() || meta.gid() != owner.gid.as_raw() {
        // A link is given away itself, never what it leads to.
        std::os::unix::fs::lchown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
            .with_context(|| format!("{} cannot be given to {}", path.display(), owner.name))?;
    }
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `repute -c repute.toml setup` wrote the file, said that it cannot be written, and made no keys.
    #[test]
    fn a_bare_name_lies_in_the_folder_that_one_is_in() {
        for (path, folder) in [("repute.toml", "."), ("./repute.toml", "."), ("a/repute.toml", "a"), ("/x", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }

    #[test]
    fn what_others_could_read_is_closed_and_named() {
        let place = tempfile::tempdir().unwrap();
        let (state, at) = (place.path().join("state"), |name: &str| place.path().join("state").join(name));
        let made = |name: &str, mode| {
            fs::write(at(name), "x").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(at("tls")).unwrap();
        fs::create_dir_all(at("keys")).unwrap();
        made("tokens.key", 0o777);
        made("history.sqlite", 0o600);
        made("tls/key.pem", 0o640);
        made("keys/of.pem", 0o644);
        fs::write(place.path().join("outside"), "x").unwrap();
        fs::set_permissions(place.path().join("outside"), fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(place.path().join("outside"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("sendmail.sock")).unwrap();
        fs::set_permissions(at("sendmail.sock"), fs::Permissions::from_mode(0o666)).unwrap();
        for (folder, mode) in [("tls", 0o755), ("keys", 0o700), ("", 0o711)] {
            fs::set_permissions(at(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut open = close(&state).unwrap();
        open.sort();
        // What was behind a closed folder could be read by nobody.
        assert_eq!(open, [at("tls"), at("tls/key.pem"), at("tokens.key")]);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        for file in ["tokens.key", "history.sqlite", "tls/key.pem", "keys/of.pem"] {
            assert_eq!(mode(&at(file)), 0o600, "{file}");
        }
        assert_eq!((mode(&at("tls")), mode(&at("keys"))), (0o700, 0o700));
        assert_eq!((mode(&at("sendmail.sock")), mode(&place.path().join("outside"))), (0o666, 0o644));
        assert_eq!(close(&state).unwrap(), [] as [PathBuf; 0]);
    }
}
