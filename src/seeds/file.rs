//! `file_provider`: a list in a file, read again when the file has changed.

use super::Asked;
use crate::cluster::seeds::MAX_LIST;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What tells one version of a file from another: device, inode, size, times of change.
type Version = [i64; 7];

/// One file. Entries are separated by `|` or line ends; lines that begin with `#` are left out.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    /// An unchanged list is returned again this often, for decisions that wait for a later list.
    again: Duration,
    seen: Option<(Version, Instant)>,
}

impl File {
    /// The file at `path`.
    pub fn new(path: PathBuf, again: Duration) -> File {
        File {
            path,
            again,
            seen: None,
        }
    }

    /// Checks the file, and reads it if it has changed.
    pub fn ask(&mut self) -> Asked {
        let read = self.version().and_then(|version| {
            if self
                .seen
                .is_some_and(|(seen, at)| seen == version && at.elapsed() < self.again)
            {
                return Ok(None);
            }
            let text = self.read()?;
            // Written to meanwhile: read again at the next look.
            let settled = self.version()? == version;
            self.seen = settled.then(|| (version, Instant::now()));
            Ok(settled.then_some(text))
        });
        match read {
            Ok(Some(text)) => Asked::List(text),
            Ok(None) => Asked::Same,
            Err(error) => {
                self.seen = None;
                Asked::Failed(format!("{}: {}", self.source(), crate::sys::reason(&error)))
            }
        }
    }

    fn version(&self) -> io::Result<Version> {
        let about = std::fs::metadata(&self.path)?;
        if !about.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok([
            about.dev() as i64,
            about.ino() as i64,
            about.size() as i64,
            about.mtime(),
            about.mtime_nsec(),
            about.ctime(),
            about.ctime_nsec(),
        ])
    }

    fn read(&self) -> io::Result<String> {
        let mut text = String::new();
        // One more than a list may have, which is enough to refuse it.
        std::fs::File::open(&self.path)?
            .take(MAX_LIST as u64 + 1)
            .read_to_string(&mut text)?;
        if text.len() > MAX_LIST {
            return Err(io::Error::other(format!("more than {MAX_LIST} bytes")));
        }
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// The source of the list, for messages.
    pub fn source(&self) -> String {
        format!("file_provider at {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seeds");
        let mut file = File::new(path.clone(), Duration::from_secs(3600));
        let list = |text: &str| Asked::List(text.to_owned());
        assert!(
            matches!(file.ask(), Asked::Failed(why) if why.ends_with("No such file or directory"))
        );
        std::fs::write(&path, "# ours\na:1\n  # theirs\nb:2\n").unwrap();
        assert_eq!(file.ask(), list("a:1\nb:2"));
        assert_eq!(file.ask(), Asked::Same);
        // Replaced by one of the same size.
        std::fs::write(dir.path().join("new"), "# ours\na:1\n  # theirs\nb:3\n").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        assert_eq!(file.ask(), list("a:1\nb:3"));
        assert_eq!(file.ask(), Asked::Same);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.ask(), Asked::Failed(_)));
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(file.ask(), Asked::Failed(why) if why.contains("not a regular file")));
        std::fs::remove_dir(&path).unwrap();
        // As mounted volumes do it.
        std::fs::write(dir.path().join("one"), "c:1").unwrap();
        std::fs::write(dir.path().join("two"), "c:2").unwrap();
        std::os::unix::fs::symlink("one", &path).unwrap();
        assert_eq!(file.ask(), list("c:1"));
        std::os::unix::fs::symlink("two", dir.path().join("link")).unwrap();
        std::fs::rename(dir.path().join("link"), &path).unwrap();
        assert_eq!(file.ask(), list("c:2"));
    }
}
