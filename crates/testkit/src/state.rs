//! A temporary state folder. It goes with the value, except where `REPUTE_KEEP` is set or
//! the test fails: then it stays and its path is printed.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

#[derive(Debug)]
pub struct State {
    folder: Option<TempDir>,
}

impl State {
    /// # Panics
    /// Where the machine's temporary folder cannot be written.
    pub fn new() -> State {
        let folder = tempfile::Builder::new().prefix("repute-test-").tempdir();
        State { folder: Some(folder.expect("a test needs a temporary folder")) }
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("taken only on drop").path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let above = path.parent().expect("a joined path has a parent");
        std::fs::create_dir_all(above).unwrap_or_else(|e| panic!("{}: {e}", above.display()));
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && (std::thread::panicking() || std::env::var_os("REPUTE_KEEP").is_some())
        {
            eprintln!("the state is kept in {}", folder.keep().display());
        }
    }
}
