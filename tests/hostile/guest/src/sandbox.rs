//! Ways out of the granted folder, and ways to change one that is only granted for reading. Each
//! crime succeeds if any way does: its error says that none did.

use std::path::Path;

use culvert_sdk::{
    error,
    instance::Configured,
    posix::{self, Changes, Writing},
    stream,
    types::Error,
    wasi::filesystem::{
        preopens,
        types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags},
    },
};

use crate::CONFIG;

const FLAGS: [PathFlags; 2] = [PathFlags::empty(), PathFlags::SYMLINK_FOLLOW];

/// The granted folder.
pub(crate) fn root() -> Descriptor {
    preopens::get_directories().remove(0).0
}

/// Reads what is beside the granted folder, in which `link` leads to `..`.
pub(crate) async fn leave_source() -> Result<(), Error> {
    let root = root();
    let outside = outside()?;
    let mut open = Vec::new();
    for path in ["../secret", "/etc/passwd", "link/secret", "./../secret", "link", "..", &outside] {
        for flags in FLAGS {
            if root.open_at(flags, path.to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await.is_ok() {
                open.push(format!("open {path}"));
            }
            if posix::read_file(&root, path, flags == PathFlags::SYMLINK_FOLLOW, 0).is_ok() && path != "link" {
                open.push(format!("read {path}"));
            }
            if root.stat_at(flags, path.to_owned()).await.is_ok() && path != "link" {
                open.push(format!("stat {path}"));
            }
        }
        if path != "link" && (posix::status_at(&root, path).is_ok() || posix::read_link_at(&root, path).is_ok()) {
            open.push(format!("status {path}"));
        }
        let (names, outcome) = posix::list_directory(&root, path);
        drop(names);
        if outcome.await.is_ok() {
            open.push(format!("list {path}"));
        }
    }
    for path in ["/etc/passwd", "../secret", &outside] {
        if std::fs::read(path).is_ok() {
            open.push(format!("std {path}"));
        }
    }
    verdict(&open)
}

/// Changes the granted folder, in which there is `file`.
pub(crate) async fn change_source() -> Result<(), Error> {
    let root = root();
    let mut open = Vec::new();
    let mut tried = |what: &'static str, succeeded: bool| {
        if succeeded {
            open.push(what.to_owned());
        }
    };
    let (none, file) = (PathFlags::empty(), || "file".to_owned());
    let write = DescriptorFlags::WRITE;
    tried("create", root.open_at(none, "new".to_owned(), OpenFlags::CREATE, write).await.is_ok());
    tried(
        "create to read",
        root.open_at(none, "new".to_owned(), OpenFlags::CREATE, DescriptorFlags::READ).await.is_ok(),
    );
    tried("write", root.open_at(none, file(), OpenFlags::empty(), write).await.is_ok());
    tried("truncate", root.open_at(none, file(), OpenFlags::TRUNCATE, DescriptorFlags::READ).await.is_ok());
    tried("make a folder", root.create_directory_at("new".to_owned()).await.is_ok());
    tried("remove", root.unlink_file_at(file()).await.is_ok());
    tried("rename", root.rename_at(file(), &root, "new".to_owned()).await.is_ok());
    tried("link", root.link_at(none, file(), &root, "new".to_owned()).await.is_ok());
    tried("symlink", root.symlink_at("file".to_owned(), "new".to_owned()).await.is_ok());
    tried("posix rename", posix::rename_at(&root, "file", "new", true).is_ok());
    tried("posix symlink", posix::symlink_at(&root, "file", "new").is_ok());
    tried("posix change", posix::change_at(&root, "file", mode()).is_ok());
    tried("posix write", write_whole("new").await);
    tried("std", std::fs::write("/new", "x").is_ok());
    if let Ok(file) = root.open_at(none, file(), OpenFlags::empty(), DescriptorFlags::READ).await {
        tried("resize", file.set_size(0).await.is_ok());
        tried("change", posix::change(&file, mode()).is_ok());
        let (data, _) = culvert_sdk::stream::produce(async |data| data.write(b"x".to_vec()).await);
        tried("write what is open to be read", file.write_via_stream(data, 0).await.is_ok());
    }
    verdict(&open)
}

/// Changes what is beside the granted folder, where there is `victim`.
pub(crate) async fn leave_sink() -> Result<(), Error> {
    let root = root();
    let outside = outside()?;
    let _ = std::fs::write("/own", "x");
    // A link is only a name; it's following it that must be refused.
    for (name, target) in [("up", ".."), ("out", outside.as_str()), ("slash", "/")] {
        posix::symlink_at(&root, target, name).map_err(|_| error::internal("a link in the own folder is refused"))?;
    }
    let mut open = Vec::new();
    let slash = format!("slash{outside}");
    for folder in ["..", "up", "up/granted/up", "out", &slash, &outside] {
        let (planted, victim) = (format!("{folder}/planted"), format!("{folder}/victim"));
        for flags in FLAGS {
            let (create, write) = (OpenFlags::CREATE, DescriptorFlags::WRITE);
            if root.open_at(flags, planted.clone(), create, write).await.is_ok() {
                open.push(format!("create {planted}"));
            }
            if root.open_at(flags, victim.clone(), OpenFlags::TRUNCATE, write).await.is_ok() {
                open.push(format!("truncate {victim}"));
            }
        }
        let ways = [
            root.create_directory_at(planted.clone()).await.is_ok(),
            root.unlink_file_at(victim.clone()).await.is_ok(),
            root.remove_directory_at(folder.to_owned()).await.is_ok(),
            root.rename_at("own".to_owned(), &root, planted.clone()).await.is_ok(),
            root.link_at(PathFlags::empty(), "own".to_owned(), &root, planted.clone()).await.is_ok(),
            root.link_at(PathFlags::SYMLINK_FOLLOW, victim.clone(), &root, "stolen".to_owned()).await.is_ok(),
            root.symlink_at("own".to_owned(), planted.clone()).await.is_ok(),
            posix::symlink_at(&root, "own", &planted).is_ok(),
            posix::rename_at(&root, "own", &planted, true).is_ok(),
            posix::rename_at(&root, &victim, "stolen", true).is_ok(),
            posix::change_at(&root, &victim, mode()).is_ok(),
            std::fs::write(&planted, "x").is_ok(),
            write_whole(&planted).await,
            write_whole(&victim).await,
        ];
        open.extend(ways.iter().enumerate().filter(|(_, way)| **way).map(|(way, _)| format!("way {way} to {folder}")));
    }
    verdict(&open)
}

/// Whether the host writes a whole file there.
async fn write_whole(path: &str) -> bool {
    let (data, _) = stream::produce(async |data| data.write(b"x".to_vec()).await);
    let writing = Writing {
        temporary: format!("{path}.new"),
        path: path.to_owned(),
        size: None,
        changes: Changes { mode: None, uid: None, gid: None, modified: None },
        checksum: None,
        sync: false,
        replace: true,
    };
    posix::write_file(&root(), writing, data, stream::whole(Ok(Vec::new()))).await.is_ok()
}

fn mode() -> Changes {
    Changes { mode: Some(0o7777), uid: Some(1), gid: None, modified: None }
}

/// The folder around the granted one, as the host calls it.
fn outside() -> Result<String, Error> {
    let config = CONFIG.with(Configured::get)?;
    let parent = Path::new(&config.path).parent().and_then(Path::to_str);
    parent.map(str::to_owned).ok_or_else(|| error::internal("the table has no folder"))
}

fn verdict(open: &[String]) -> Result<(), Error> {
    match open {
        [] => Err(error::permission_denied("every way is closed")),
        // A code of its own: that a test fails shows which way it was.
        ways => Err(error::new("way-out", ways.join(", "))),
    }
}
