//! One level of a bucket, as a sink is asked for it: what lies right below a folder, and which folders do.
//! Goes into no folder.

use super::{Listed, decoded, from_bucket, not_text};
use crate::{
    stream::Entries,
    types::{Entry, Error, Object},
};

/// A page of one level.
#[derive(Debug)]
pub struct Level<T> {
    /// Keys of the bucket as [`decoded`] gives them.
    pub items: Vec<(Result<String, String>, T)>,
    /// Common prefixes, escaped as the listing has them.
    pub folders: Vec<String>,
    /// Where the next one begins; none if this is the last.
    pub next: Option<String>,
}

/// Shows one level, in order within each page: to the store a folder has a slash more, which may put it
/// elsewhere. `prefix` is the bucket's, `folder` is the key of the folder in the bucket, without its slash.
///
/// # Errors
/// What the store said instead of a page.
pub async fn list_folder<B: Listed>(
    bucket: &B,
    prefix: &str,
    folder: &str,
    after: Option<&str>,
    entries: &mut Entries,
) -> Result<(), Error> {
    let below = format!("{folder}/");
    let mut token = None;
    loop {
        let page = bucket.level(&below, token.take()).await?;
        let mut level = Vec::new();
        for (full, item) in page.items {
            level.push(match full {
                Err(lossy) => not_text(lossy),
                Ok(full) => match from_bucket(prefix, &full) {
                    // The folder's own marker.
                    (_, true) => continue,
                    (key, false) => bucket.entry(key.to_owned(), &full, item).await,
                },
            });
        }
        level.extend(page.folders.iter().map(|encoded| match decoded(encoded) {
            Err(lossy) => not_text(lossy),
            Ok(full) => Entry::Folder(folder_object(from_bucket(prefix, &full).0)),
        }));
        level.sort_by(|one, other| name(one).cmp(name(other)));
        for entry in level.into_iter().filter(|entry| after.is_none_or(|after| name(entry) > after)) {
            entries.push(entry).await?;
        }
        entries.flush().await?;
        token = page.next;
        if token.is_none() {
            return Ok(());
        }
    }
}

/// A folder, of which a store knows its name at most.
pub fn folder_object(key: &str) -> Object {
    let (size, modified, version, checksums, attributes) = (None, None, None, vec![], vec![]);
    Object { key: key.to_owned(), kind: "directory".to_owned(), size, modified, version, checksums, attributes }
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Object(object) | Entry::Folder(object) => &object.key,
        Entry::Unreadable(unreadable) => &unreadable.key,
    }
}
