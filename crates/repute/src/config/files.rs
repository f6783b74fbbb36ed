//! Files that a configuration names: present, readable, and secret where they have to be.

use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::fault::Fault;

/// Largest file that a key or certificate may be; a mistaken path to a large one is not read.
const LARGEST: u64 = 1 << 20;

/// Reads a file that anybody may read.
pub fn read_open(path: &Path, span: Range<usize>) -> Result<String, Fault> {
    read(path).map_err(|e| unreadable(path, span, &e))
}

/// Reads a file that must not be readable by everybody.
pub fn read_secret(path: &Path, span: Range<usize>) -> Result<String, Fault> {
    secret_mode(path, span.clone())?;
    read_open(path, span)
}

/// The first line of a secret file: a password or its hash.
pub fn first_line_of_secret(path: &Path, span: Range<usize>) -> Result<String, Fault> {
    let text = read_secret(path, span.clone())?;
    match text.lines().next().map(str::trim_end).filter(|l| !l.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => {
            let what = format!("{} has no first line", path.display());
            Err(Fault::at(span, what, "write the password into its first line"))
        }
    }
}

/// Whether everybody on the machine can read the file.
pub fn secret_mode(path: &Path, span: Range<usize>) -> Result<(), Fault> {
    let meta = std::fs::metadata(path).map_err(|e| unreadable(path, span.clone(), &e))?;
    if meta.mode() & 0o007 != 0 {
        let what = format!("everybody on this machine can read {}", path.display());
        return Err(Fault::at(span, what, format!("chmod o= {}", path.display())));
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    std::fs::read_to_string(path)
}

fn unreadable(path: &Path, span: Range<usize>, error: &io::Error) -> Fault {
    let (what, cure) = match error.kind() {
        io::ErrorKind::NotFound => {
            (format!("there is no file {}", path.display()), "correct the path, or make the file")
        }
        io::ErrorKind::PermissionDenied => (
            format!("{} may not be read by this user", path.display()),
            "run this as root, or give the file to the user of the service",
        ),
        _ => (format!("{} cannot be read: {error}", path.display()), "see that it is a text file"),
    };
    Fault::at(span, what, cure)
}
