//! Listings: complete, each entry once, in the order that's promised, and fit to be begun again by
//! another instance.

use std::collections::BTreeSet;

use culvert_flow::{
    error::Code,
    object::{Key, Kind},
    sink::Replace,
    source::{Listing, Source},
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, put},
        file, parsed,
        walk::{Seen, is_below, level},
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

/// More than a batch of the SDK's, so that a listing takes several.
const MANY: usize = 150;
/// Sorts before every key of the suite.
const BEFORE: &str = "culvert-conformance-";

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Reader, Reads};
    vec![
        case!("listing-complete", "every object is listed once, with its kind and its size", [Reader], complete),
        case!(
            "listing-restartable",
            "a second instance lists the same, while a first one stopped half-way",
            [Reader],
            restartable
        ),
        case!("listing-ordered", "the keys of a level ascend by bytes", [Reader, Reads("ordered-listing")], ordered),
        case!(
            "listing-after",
            "a listing goes on behind any key: the first, one in the middle, one that isn't there, the last",
            [Both, Reads("ordered-listing")],
            after
        ),
        case!("listing-agrees-with-stat", "stat says the same of an object as the listing", [Reader], agrees),
        case!(
            "listing-beside-listing",
            "two listings and a stat of one instance go on beside each other",
            [Reader],
            beside
        ),
        case!("listing-of-a-folder", "a folder's listing has what is below it, and nothing else", [Both], of_a_folder),
        case!("listing-of-nothing", "a folder that isn't there has no entries, or is not-found", [Reader], of_nothing),
    ]
}

/// Fills a folder of the case's own with [`MANY`] files and some in folders below it, all small.
async fn fill<S: Subject>(bench: &Bench<'_, S>, case: &str) -> Result<BTreeSet<String>, Fault> {
    let mut sink = bench.sink().await?;
    let names = (0..MANY).map(|number| format!("file-{number:03}"));
    let deep = ["folder/a", "folder/b", "folder/deeper/c", "folder.d/e", "folder-f"].map(str::to_owned);
    let mut keys = BTreeSet::new();
    for name in names.chain(deep) {
        let key = bench.key(case, &name);
        put(&mut sink, &file(&key, name.len()), Body::whole(name.as_bytes()), Replace::Always).await?;
        keys.insert(key.as_str().to_owned());
    }
    Ok(keys)
}

async fn complete<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let case = "listing-complete";
    let wanted = if bench.writes_what_it_reads() { fill(bench, case).await? } else { BTreeSet::new() };
    let mut reader = bench.reader().await?;
    let seen = bench.seen(&mut reader).await?;
    whole(&seen)?;
    let files = |folder: &str| -> BTreeSet<String> {
        let files = seen.objects.values().filter(|object| object.kind == Kind::File);
        files.map(|object| object.key.as_str().to_owned()).filter(|key| is_below(key, folder)).collect()
    };
    if !bench.writes_what_it_reads() {
        return Ok(format!("{} objects that were there", seen.objects.len()));
    }
    let listed = files(bench.folder(case).as_str());
    let (missing, extra) = (wanted.difference(&listed).next(), listed.difference(&wanted).next());
    ensure!(missing.is_none(), "expected {} files, got {}; {missing:?} is missing", wanted.len(), listed.len());
    ensure!(extra.is_none(), "expected {} files, got {}; nobody put {extra:?}", wanted.len(), listed.len());
    for key in &wanted {
        let name = key.strip_prefix(bench.folder(case).as_str()).unwrap_or_default().trim_start_matches('/');
        let size = seen.objects.get(key).and_then(|object| object.size);
        ensure!(
            size.is_none_or(|size| size == name.len() as u64),
            "expected {key:?} with {} bytes, got {size:?}",
            name.len()
        );
    }
    passed()
}

/// Nothing twice, nothing outside of where it was listed.
fn whole(seen: &Seen) -> Result<(), Fault> {
    ensure!(seen.twice.is_empty(), "expected each entry once, got {:?} again", seen.twice.first());
    ensure!(seen.astray.is_empty(), "expected keys below the listed folder, got {:?}", seen.astray.first());
    let broken = seen.unreadable.iter().find(|(_, error)| error.code == Code::PROTOCOL || error.code == Code::INTERNAL);
    ensure!(broken.is_none(), "expected entries that can be taken, got {broken:?}");
    let odd = seen.folders.iter().find(|key| seen.objects.get(*key).is_some_and(|it| it.kind != Kind::Directory));
    ensure!(odd.is_none(), "expected folders of the kind directory, got another for {odd:?}");
    Ok(())
}

async fn restartable<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.writes_what_it_reads() {
        fill(bench, "listing-restartable").await?;
    }
    let mut first = bench.reader().await?;
    let before = bench.seen(&mut first).await?;
    let mut left = first.list(None, None).await?;
    left.next().await?;
    drop(left);
    let mut second = bench.reader().await?;
    for (reader, who) in [(&mut second, "a second instance"), (&mut first, "the instance whose listing was dropped")] {
        let again = bench.seen(reader).await?;
        let (before, again): (Vec<_>, Vec<_>) = (before.objects.keys().collect(), again.objects.keys().collect());
        ensure!(before == again, "expected {} entries of {who}, as before, got {}", before.len(), again.len());
    }
    passed()
}

async fn ordered<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.writes_what_it_reads() {
        fill(bench, "listing-ordered").await?;
    }
    let seen = bench.seen(&mut bench.reader().await?).await?;
    ensure!(seen.disordered.is_empty(), "expected ascending keys, got {:?} behind a larger one", seen.disordered[0]);
    // What isn't flat has its levels in order, too.
    let mut reader = bench.reader().await?;
    let folder = bench.folder("listing-ordered");
    if bench.writes_what_it_reads() && !is_unsupported(&level(&mut reader, Some(&folder), None).await) {
        let keys: Vec<_> = level(&mut reader, Some(&folder), None).await?.into_iter().map(|it| it.key).collect();
        let disordered = keys.windows(2).find(|pair| pair[0] >= pair[1]);
        ensure!(disordered.is_none(), "expected the folder's keys to ascend, got {disordered:?}");
    }
    passed()
}

fn is_unsupported<T>(result: &Result<T, culvert_flow::error::Error>) -> bool {
    result.as_ref().is_err_and(|error| error.code == Code::UNSUPPORTED)
}

async fn after<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let case = "listing-after";
    if !bench.writes_what_it_reads() {
        return Err(Fault::NotApplicable("the source has other objects than those that the suite writes".to_owned()));
    }
    let wanted = fill(bench, case).await?;
    let mut reader = bench.reader().await?;
    let folder = bench.folder(case);
    let below = |keys: Vec<Key>| -> Vec<String> {
        keys.iter().map(|key| key.as_str().to_owned()).filter(|key| is_below(key, folder.as_str())).collect()
    };
    let (first, last) = (wanted.first().cloned().unwrap_or_default(), wanted.last().cloned().unwrap_or_default());
    let middle = bench.key(case, "file-075");
    let absent = bench.key(case, "file-075-and-more");
    let starts = [BEFORE, &first, middle.as_str(), absent.as_str(), &last];
    for start in starts {
        let listed = flat_behind(&mut reader, &parsed(start), folder.as_str()).await?;
        let listed = below(listed);
        let expected: Vec<_> = wanted.iter().filter(|key| key.as_str() > start).cloned().collect();
        ensure!(
            listed == expected,
            "expected {} keys behind {start:?}, got {}, the first of them {:?}",
            expected.len(),
            listed.len(),
            listed.first()
        );
    }
    if is_unsupported(&level(&mut reader, Some(&folder), None).await) {
        return Ok("flat only: a folder isn't listed by itself".to_owned());
    }
    let all = level(&mut reader, Some(&folder), None).await?;
    let behind = level(&mut reader, Some(&folder), Some(&middle)).await?;
    let expected: Vec<_> = all.iter().map(|it| it.key.clone()).filter(|key| *key > middle).collect();
    let got: Vec<_> = behind.iter().map(|it| it.key.clone()).collect();
    ensure!(
        got == expected,
        "expected {} entries of the folder behind {middle:?}, got {}, the first of them {:?}",
        expected.len(),
        got.len(),
        got.first()
    );
    passed()
}

/// What the root's listing has behind a key, as far as the end of a folder; the levels in it one by one
/// where it isn't flat.
async fn flat_behind<R: Source>(reader: &mut R, after: &Key, folder: &str) -> Result<Vec<Key>, Fault> {
    use culvert_flow::object::Entry;

    let mut listing = reader.list(None, Some(after)).await?;
    let mut keys = Vec::new();
    while let Some(entry) = listing.next().await? {
        match entry {
            Entry::Object(object) => {
                let is_behind = object.key.as_str() > folder && !is_below(object.key.as_str(), folder);
                ensure!(object.key > *after, "expected keys behind {after:?}, got {:?}", object.key);
                if is_behind {
                    break;
                }
                keys.push(object.key);
            }
            Entry::Folder(_) => {
                return Err(Fault::NotApplicable(
                    "the root's listing has folders: `after` is within a level".to_owned(),
                ));
            }
            Entry::Unreadable { .. } => {}
        }
    }
    Ok(keys)
}

async fn agrees<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.writes_what_it_reads() {
        bench.sample("listing-agrees-with-stat", "small", 5).await?;
        bench.sample("listing-agrees-with-stat", "larger", 70_000).await?;
    }
    let mut reader = bench.reader().await?;
    let seen = bench.seen(&mut reader).await?;
    let files: Vec<_> = seen.objects.values().filter(|object| object.kind == Kind::File).take(10).collect();
    if files.is_empty() {
        return Err(Fault::NotApplicable("the store has no file".to_owned()));
    }
    for listed in files {
        let told = reader.stat(&listed.key).await?;
        let key = &listed.key;
        ensure!(told.kind == listed.kind, "expected {key:?} to be a {:?}, got {:?} of stat", listed.kind, told.kind);
        if let (Some(listed), Some(told)) = (listed.size, told.size) {
            ensure!(listed == told, "expected {key:?} with {listed} bytes, got {told} of stat");
        }
        if let (Some(listed), Some(told)) = (&listed.version, &told.version) {
            ensure!(listed == told, "expected the version {listed:?} of {key:?}, got {told:?} of stat");
        }
    }
    passed()
}

async fn beside<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.writes_what_it_reads() {
        fill(bench, "listing-beside-listing").await?;
    }
    let sample = bench.something("listing-beside-listing", 10).await?;
    let mut reader = bench.reader().await?;
    let alone: Vec<Key> = level(&mut reader, None, None).await?.into_iter().map(|it| it.key).collect();
    let mut one = reader.list(None, None).await?;
    let first = one.next().await?;
    let mut two = reader.list(None, None).await?;
    reader.stat(&sample.object.key).await?;
    let mut counts = [usize::from(first.is_some()), 0];
    loop {
        let (a, b) = (one.next().await?, two.next().await?);
        counts[0] += usize::from(a.is_some());
        counts[1] += usize::from(b.is_some());
        if a.is_none() && b.is_none() {
            break;
        }
    }
    let least = alone.len();
    ensure!(counts[0] >= least && counts[1] >= least, "expected {least} entries of both listings, got {counts:?}");
    passed()
}

async fn of_a_folder<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let case = "listing-of-a-folder";
    let mut sink = bench.sink().await?;
    for name in ["in/a", "in/b", "in/deep/c", "in-between", "into/d"] {
        put(&mut sink, &file(&bench.key(case, name), 1), Body::whole(b"x"), Replace::Always).await?;
    }
    let folder = parsed(&format!("{}/in", bench.folder(case).as_str()));
    let mut reader = bench.proof_reader().await?;
    let listed = level(&mut reader, Some(&folder), None).await;
    if is_unsupported(&listed) {
        return Err(Fault::NotApplicable("the store is listed flat: it says that a folder isn't supported".to_owned()));
    }
    let mut names: Vec<_> = listed?.into_iter().map(|object| object.key.as_str().to_owned()).collect();
    names.sort();
    let below = |name: &str| format!("{}/{name}", folder.as_str());
    let by_level = vec![below("a"), below("b"), below("deep")];
    let flat = vec![below("a"), below("b"), below("deep/c")];
    ensure!(names == by_level || names == flat, "expected {by_level:?}, or all below it, got {names:?}");
    passed()
}

async fn of_nothing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut reader = bench.reader().await?;
    let folder = parsed(&format!("{}/nothing/is/here", bench.root));
    match level(&mut reader, Some(&folder), None).await {
        Ok(objects) => {
            ensure!(objects.is_empty(), "expected no entries, got {:?}", objects[0].key);
            passed()
        }
        Err(error) if error.code == Code::NOT_FOUND => passed(),
        Err(error) if error.code == Code::UNSUPPORTED => {
            Err(Fault::NotApplicable("the store is listed flat: it says that a folder isn't supported".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
