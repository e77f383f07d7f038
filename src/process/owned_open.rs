//! Opening the files named by `-o` and `-p`.
//!
//! Started as root, this process can write to every file. A user with write access to the directory of the
//! log or of the pid file, `/tmp` for example, could put a symbolic link there, and have any file written to
//! or emptied. So root follows only root's own links, and through them writes only to root's own files.
//! Devices and pipes (`/dev/stdout`) are exempt.

use crate::sys;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens `path` with these options and flags (`O_...`), the links on the way checked if this process is
/// root's.
///
/// # Errors
/// Those of `open`; `a symbolic link leads there that is not root's` and `a symbolic link leads to a
/// file that is not root's`.
pub fn open(options: &mut OpenOptions, flags: i32, path: &Path) -> io::Result<File> {
    open_as(sys::effective_uid(), options, flags, path)
}

/// The same, for a process of the user with this id.
fn open_as(uid: u32, options: &mut OpenOptions, flags: i32, path: &Path) -> io::Result<File> {
    if uid != 0 {
        return options.custom_flags(flags).open(path);
    }
    if links_on(path).any(|link| link.uid() != 0) {
        return Err(io::Error::other(
            "a symbolic link leads there that is not root's",
        ));
    }
    let unfollowed = options.custom_flags(flags | libc::O_NOFOLLOW).open(path);
    match unfollowed {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {}
        other => return other,
    }
    let file = options.custom_flags(flags).open(path)?;
    let target = file.metadata()?;
    // The link may be another one by now.
    let is_changed = links_on(path).any(|link| link.uid() != 0);
    if is_changed || target.is_file() && target.uid() != 0 {
        return Err(io::Error::other(
            "a symbolic link leads to a file that is not root's",
        ));
    }
    Ok(file)
}

/// The symbolic links among a path and the directories above it.
fn links_on(path: &Path) -> impl Iterator<Item = Metadata> {
    let all = path.ancestors().filter(|at| !at.as_os_str().is_empty());
    all.filter_map(|at| fs::symlink_metadata(at).ok())
        .filter(Metadata::is_symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{lchown, symlink};
    use std::path::PathBuf;

    const NOBODY: u32 = 65534;

    /// Opens it as `-o` does; what stands in it is what stood there before.
    fn append(path: &Path) -> io::Result<File> {
        open_as(0, OpenOptions::new().append(true).create(true), 0, path)
    }

    #[test]
    fn root_follows_no_link_of_somebody_else_and_into_no_file_of_somebody_else() {
        if sys::effective_uid() != 0 {
            eprintln!("skipped: only root can give files to somebody else");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| -> PathBuf { dir.path().join(name) };
        fs::write(at("roots"), "root").unwrap();
        fs::write(at("others"), "nobody").unwrap();
        lchown(at("others"), Some(NOBODY), None).unwrap();
        for (link, target, owner, passes) in [
            ("a", "roots", NOBODY, false),
            ("b", "others", NOBODY, false),
            ("c", "others", 0, false),
            ("d", "roots", 0, true),
            ("e", "missing", NOBODY, false),
            ("f", "/dev/null", 0, true),
        ] {
            symlink(target, at(link)).unwrap();
            lchown(at(link), Some(owner), None).unwrap();
            assert_eq!(append(&at(link)).is_ok(), passes, "{link} -> {target}");
        }
        assert!(!at("missing").exists());
        // A file is a file, whoever has it, and so is what is new.
        assert!(append(&at("others")).is_ok() && append(&at("new")).is_ok());
        // A directory that is a link.
        fs::create_dir(at("real")).unwrap();
        symlink("real", at("dir")).unwrap();
        assert!(append(&at("dir/log")).is_ok());
        lchown(at("dir"), Some(NOBODY), None).unwrap();
        assert!(append(&at("dir/log")).is_err());
        // Whoever is not root is stopped by the kernel where it has to be.
        let opened = open_as(NOBODY, OpenOptions::new().append(true), 0, &at("a"));
        assert!(opened.is_ok());
    }
}
