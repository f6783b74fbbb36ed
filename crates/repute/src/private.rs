//! Files and folders that only the service may read.
//!
//! Promise: a file is written whole beside its place and renamed, so that nobody ever sees
//! half of it; files are 0600 and folders 0700 from their first instant.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;

/// Writes a file in place of whatever is there, synced. Makes its folder.
pub fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let beside = path.with_extension(format!("new.{}", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))
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
