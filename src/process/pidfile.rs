//! The pid file (`-p`).
//!
//! It holds the pid in decimal without a line end, mode 0644 less the umask, like the C original's.
//! Unlike there, an advisory lock (`flock`) on it is held as long as the process lives, so that a
//! second instance pointed at the same file is refused instead of overwriting it and, failing to
//! bind, removing it. A file left by a crash, or written by the C original, carries no lock and is
//! taken over.
//!
//! The file is written in place, not replaced: the directory often belongs to root and only the
//! file to us.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::owned_open;
use crate::sys::{self, reason};

/// How often the lock is tried again because the file behind the path changed meanwhile.
const ATTEMPTS: usize = 8;

/// A pid file that names this process; removed when dropped, if it still does.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Holds the lock.
    file: File,
    pid: u32,
}

impl PidFile {
    /// Creates the file, or takes over a stale one, and writes our pid.
    ///
    /// # Errors
    /// `opening pid file '<path>' failed: <strerror>` (the original's words),
    /// `writing pid file '<path>' failed: ...`, and `pid file '<path>' belongs to running process
    /// <pid>` when a live process holds it.
    pub fn create(path: &Path) -> Result<PidFile, String> {
        // Daemon mode keeps the working directory, but a later change of it must not make us
        // remove some other file.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut file = open_locked(&path)?;
        let pid = std::process::id();
        let regular = file.metadata().is_ok_and(|m| m.is_file());
        let written =
            if regular { file.set_len(0) } else { Ok(()) }.and_then(|()| write!(file, "{pid}"));
        match written {
            Ok(()) => Ok(PidFile { path, file, pid }),
            Err(e) => Err(format!(
                "writing pid file '{}' failed: {}",
                path.display(),
                reason(&e)
            )),
        }
    }
}

impl Drop for PidFile {
    /// Removes the file if it is still the one we locked and still names us. Nothing can be done
    /// about a failure.
    fn drop(&mut self) {
        let ours = is_at(&self.file, &self.path)
            && self.file.metadata().is_ok_and(|m| m.is_file())
            && read_pid(&self.path) == Some(self.pid);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open_locked(path: &Path) -> Result<File, String> {
    for _ in 0..ATTEMPTS {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o644);
        // A named pipe must not make the start wait for its reader.
        let file = owned_open::open(&mut options, libc::O_NONBLOCK, path).map_err(|e| {
            format!(
                "opening pid file '{}' failed: {}",
                path.display(),
                reason(&e)
            )
        })?;
        // `-p /dev/null` is legal and must not lock a device that all processes share.
        let special = file.metadata().is_ok_and(|m| {
            let kind = m.file_type();
            kind.is_char_device() || kind.is_block_device() || kind.is_fifo()
        });
        if special {
            return Ok(file);
        }
        match file.try_lock() {
            // The holder before us removes the file and then releases the lock: the locked file
            // may no longer be the one at the path.
            Ok(()) if !is_at(&file, path) => {}
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => return Err(held(path)),
            // A file system without locks: as good as the original.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(format!(
        "opening pid file '{}' failed: it keeps being replaced",
        path.display()
    ))
}

fn held(path: &Path) -> String {
    match read_pid(path) {
        Some(pid) if sys::process_exists(pid) => {
            format!(
                "pid file '{}' belongs to running process {pid}",
                path.display()
            )
        }
        _ => format!(
            "pid file '{}' is locked by a running process",
            path.display()
        ),
    }
}

/// Returns true if `path` still names the open `file`.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The pid in the file, if it holds nothing else (blanks around it aside).
fn read_pid(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(32)
        .read_to_string(&mut text)
        .ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dynomite.pid");
        (dir, path)
    }

    #[test]
    fn holds_the_pid_without_line_end_and_goes_at_exit() {
        let (_dir, path) = scratch();
        let pid_file = PidFile::create(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            std::process::id().to_string()
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o644, 0, "{mode:o}");
        assert_ne!(mode & 0o600, 0);
        drop(pid_file);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_holder_is_not_overwritten() {
        let (_dir, path) = scratch();
        let first = PidFile::create(&path).unwrap();
        let error = PidFile::create(&path).unwrap_err();
        assert_eq!(
            error,
            format!(
                "pid file '{}' belongs to running process {}",
                path.display(),
                std::process::id()
            )
        );
        assert!(path.exists(), "the refused instance removed the file");
        drop(first);
        PidFile::create(&path).unwrap();
    }

    #[test]
    fn what_a_dead_or_unlocked_process_left_is_taken_over() {
        let (_dir, path) = scratch();
        // Longer than any pid, and a live process that holds no lock.
        for left in ["99999999999999", "1", "", "rubbish\n"] {
            fs::write(&path, left).unwrap();
            let pid_file = PidFile::create(&path).unwrap();
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                std::process::id().to_string()
            );
            drop(pid_file);
        }
    }

    #[test]
    fn a_file_that_names_somebody_else_stays() {
        let (_dir, path) = scratch();
        let pid_file = PidFile::create(&path).unwrap();
        fs::write(&path, "1").unwrap();
        drop(pid_file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1");
        let pid_file = PidFile::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, std::process::id().to_string()).unwrap();
        drop(pid_file);
        assert!(
            path.exists(),
            "a file that is not the locked one was removed"
        );
    }

    #[test]
    fn failures_are_told_in_the_originals_words() {
        let (dir, _) = scratch();
        let missing = dir.path().join("no/such/dir/pid");
        assert_eq!(
            PidFile::create(&missing).unwrap_err(),
            format!(
                "opening pid file '{}' failed: No such file or directory",
                missing.display()
            )
        );
    }

    #[test]
    fn a_device_is_written_and_left_alone() {
        drop(PidFile::create(Path::new("/dev/null")).unwrap());
        assert!(Path::new("/dev/null").exists());
    }
}
