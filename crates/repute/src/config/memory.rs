//! How much memory contents may take where the configuration does not say it: less where the machine has little.
//!
//! Promise: by default contents on their way in, kept and on their way out take at most nine sixteenths of the memory beyond 32 MiB that
//! the machine, or the control group that the server was started in, has; a value that is written stands as it is.
//! What cannot be read of the kernel's files sets no limit.

use std::path::{Path, PathBuf};

use super::typed::{Limits, SizeOrOctets};

const MIB: u64 = 1 << 20;

/// What the server takes beside contents; of less than half of it no message could be taken.
const ITSELF: u64 = 32 * MIB;

impl Limits {
    /// Contents on their way in.
    pub fn incoming(&self) -> usize {
        bound(self.incoming_memory, 512 * MIB, 4)
    }

    /// Contents of fresh messages.
    pub fn fresh(&self) -> usize {
        bound(self.memory, 64 * MIB, 16)
    }

    /// Contents on their way out.
    pub fn outgoing(&self) -> usize {
        bound(self.outgoing_memory, 256 * MIB, 4)
    }

    /// The largest message: one for which there never is memory is refused for good, so that nobody tries again for days.
    pub fn message(&self) -> usize {
        self.size.get_ref().in_memory().min(self.incoming())
    }
}

fn bound(written: Option<SizeOrOctets>, most: u64, share: u64) -> usize {
    match written {
        Some(size) => size.in_memory(),
        None => usize::try_from(most.min(left_for_contents(there_is(Path::new("/"))) / share)).unwrap_or(usize::MAX),
    }
}

fn left_for_contents(there_is: u64) -> u64 {
    there_is.saturating_sub(ITSELF).max(ITSELF / 2)
}

/// Octets of memory that this process may have.
fn there_is(root: &Path) -> u64 {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let machine = of_machine(&read(root.join("proc/meminfo"))).unwrap_or(u64::MAX);
    let groups = read(root.join("proc/self/cgroup"));
    let limits = groups.lines().filter_map(folder).flat_map(|(top, group, files)| {
        // A group has at most what those above it have. In a container those may be out of sight.
        let above = Path::new(group).ancestors().map(|a| a.strip_prefix("/").unwrap_or(a).to_owned());
        above.flat_map(move |group| files.iter().map(move |file| root.join(top).join(&group).join(file)))
    });
    limits.filter_map(|path| read(path).trim().parse().ok()).fold(machine, u64::min)
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Of a line of /proc/self/cgroup: where groups of its kind stand, the group, and the files with its limits. One without a limit
/// says `max`, or a number beyond all memory.
fn folder(line: &str) -> Option<(&'static str, &str, &'static [&'static str])> {
    let mut fields = line.splitn(3, ':');
    let (_, kinds, group) = (fields.next()?, fields.next()?, fields.next()?);
    if kinds.is_empty() {
        return Some(("sys/fs/cgroup", group, &["memory.max", "memory.high"]));
    }
    let counts_memory = kinds.split(',').any(|kind| kind == "memory");
    counts_memory.then_some(("sys/fs/cgroup/memory", group, &["memory.limit_in_bytes"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> u64 {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        there_is(root.path())
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        2048000 kB\nMemFree:          100 kB\n");

    /// In a group of 64 MiB the bounds were those of a large machine, and the kernel killed the server.
    #[test]
    fn a_control_group_has_less_than_its_machine() {
        assert_eq!(machine(&[MEMINFO]), 2_048_000 * 1024);
        assert_eq!(machine(&[]), u64::MAX);
        let two = ("proc/self/cgroup", "0::/system.slice/repute.service\n");
        let max = |path, text| machine(&[MEMINFO, two, (path, text)]);
        assert_eq!(max("sys/fs/cgroup/system.slice/repute.service/memory.max", "67108864\n"), 64 * MIB);
        assert_eq!(max("sys/fs/cgroup/system.slice/repute.service/memory.high", "33554432\n"), 32 * MIB);
        assert_eq!(max("sys/fs/cgroup/system.slice/memory.max", "100000000\n"), 100_000_000, "that of a group above");
        assert_eq!(max("sys/fs/cgroup/system.slice/repute.service/memory.max", "max\n"), 2_048_000 * 1024);
        let one = ("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n1:name=systemd:/b\n");
        let limit = |path, text| machine(&[MEMINFO, one, (path, text)]);
        assert_eq!(limit("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "104857600\n"), 100 * MIB);
        // In a container the group's own folder is the top one.
        assert_eq!(limit("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n"), 100 * MIB);
        let none = limit("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(none, 2_048_000 * 1024);
    }

    #[test]
    fn what_is_written_stands() {
        assert_eq!(bound(Some(SizeOrOctets::Number(4096)), 512 * MIB, 4), 4096);
        assert!(bound(None, 512 * MIB, 4) <= 512 << 20);
        assert_eq!(left_for_contents(64 * MIB), 32 * MIB);
        assert_eq!(left_for_contents(8 * MIB), 16 * MIB);
    }
}
