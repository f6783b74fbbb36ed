//! Large contents, each in a file of its own beside journal and database.
//!
//! The database costs a large content a page of its log and one of its own for each 4 KiB, and all other mail waits
//! meanwhile. Here it is written once, in one piece, and not by the writer's thread.
//!
//! Promise: a content is whole and synced, and so is its name, before its message is handed to the writer. It goes when its
//! message has gone, or was refused. What a process that was killed in between left goes at the next start.
//! Fails with the error of the disk, and then nothing of the content is kept.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repute_types::{Content, MessageId};

/// Octets that are read at a time.
const PIECE: u64 = 1 << 20;

/// The folder of the large contents.
#[derive(Clone, Debug)]
pub(super) struct Beside(Arc<Path>);

/// What a content has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub len: u32,
    /// CRC-32.
    pub crc: u32,
}

/// A content on the disk whose message is not: it goes with this, unless its message came.
#[derive(Debug)]
pub(super) struct Written {
    path: Option<PathBuf>,
    pub seal: Seal,
}

impl Beside {
    /// Makes the folder where there is none.
    pub fn open(dir: &Path) -> io::Result<Beside> {
        let folder = dir.join("large");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Beside(folder.into()))
    }

    /// Writes a content, and syncs it.
    pub fn write(&self, id: MessageId, content: &Content) -> io::Result<Written> {
        let path = self.path(id);
        // One that is there is another message's of this id.
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut written = Written { path: Some(path), seal: Seal { len: content.len() as u32, crc: 0 } };
        let mut sum = crc32fast::Hasher::new();
        for chunk in content.chunks() {
            sum.update(chunk);
            file.write_all(chunk)?;
        }
        written.seal.crc = sum.finalize();
        file.sync_all()?;
        File::open(&self.0)?.sync_all()?;
        Ok(written)
    }

    /// A content; `None` where it is not what it has to be, or is not there.
    pub fn read(&self, id: MessageId, seal: Seal) -> io::Result<Option<Content>> {
        let mut file = match File::open(self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let (mut left, mut sum, mut content) = (u64::from(seal.len), crc32fast::Hasher::new(), Content::new());
        if file.metadata()?.len() != left {
            return Ok(None);
        }
        while left > 0 {
            let mut piece = vec![0; left.min(PIECE) as usize];
            file.read_exact(&mut piece)?;
            left -= piece.len() as u64;
            sum.update(&piece);
            content.push(piece);
        }
        Ok((sum.finalize() == seal.crc).then_some(content))
    }

    /// The message has gone, and that is on the disk.
    pub fn remove(&self, id: MessageId) {
        // What stays takes room until the next start.
        let _ = fs::remove_file(self.path(id));
    }

    /// Removes what is no message's.
    pub fn sweep(&self, is_wanted: impl Fn(MessageId) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let id: Option<MessageId> = name.to_str().and_then(|name| name.parse().ok());
            // What has another name is not ours.
            if let Some(id) = id.filter(|id| *name == *id.to_string() && !is_wanted(*id)) {
                self.remove(id);
            }
        }
        Ok(())
    }

    fn path(&self, id: MessageId) -> PathBuf {
        self.0.join(id.to_string())
    }
}

impl Written {
    /// The message is on the disk: its content stays.
    pub fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }
}
