//! Odd keys: stored, listed and read under exactly that name, or refused with `invalid-key`.

use culvert_flow::{
    error::Code,
    sink::{Replace, Sink},
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, put},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure},
    subject::Subject,
};

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::Sink;
    vec![
        case!("keys-blanks", "blanks inside, in front, behind and in a row are kept, or refused", [Sink], blanks),
        case!("keys-dashes-and-dots", "leading dashes, dots and hidden names are kept, or refused", [Sink], dashes),
        case!("keys-punctuation", "brackets, stars, quotes and their like are kept, or refused", [Sink], punctuation),
        case!("keys-backslash", "a backslash is kept, or refused", [Sink], backslash),
        case!("keys-escapes", "%, +, &, #, ? and what looks like an escape are kept, or refused", [Sink], escapes),
        case!("keys-utf8", "names beyond ASCII are kept byte by byte, or refused", [Sink], utf8),
        case!("keys-control", "line breaks, tabs and other control characters are kept, or refused", [Sink], control),
        case!("keys-long", "names of 200 bytes are kept, or refused", [Sink], long),
        case!("keys-deep", "20 folders one in the other are kept, or refused", [Sink], deep),
        case!("keys-case", "names that differ in case alone are two, or refused", [Sink], letters),
    ]
}

/// Each is put, looked up, listed and read by its name.
async fn kept<S: Subject>(bench: &Bench<'_, S>, case: &str, names: &[&str]) -> Outcome {
    let mut sink = bench.sink().await?;
    let (mut refused, mut taken) = (Vec::new(), Vec::new());
    for name in names {
        let key = bench.key(case, name);
        let body = Body::whole(name.as_bytes());
        match put(&mut sink, &file(&key, name.len()), body, Replace::Never).await {
            Ok(_) => taken.push((key, *name)),
            Err(error) if error.code == Code::INVALID_KEY => refused.push(format!("{name:?}")),
            Err(error) => return Err(Fault::Failed(format!("expected success or invalid-key of put, got: {error}"))),
        }
    }
    for (key, name) in &taken {
        let told = sink.stat(key).await?;
        let size = told.size;
        ensure!(
            size.is_none_or(|size| size == name.len() as u64),
            "expected {} bytes of {key:?}, got {size:?}",
            name.len()
        );
        if bench.proof().is_some() {
            let held = bench.held(key).await?;
            ensure!(held == name.as_bytes(), "expected the bytes of {key:?}, got {} others", held.len());
        }
    }
    if bench.writes_what_it_reads() {
        let seen = bench.seen(&mut bench.reader().await?).await?;
        for (key, _) in &taken {
            let there = seen.objects.contains_key(key.as_str());
            let alike = seen.objects.keys().find(|it| it.contains(&format!("/{case}/")));
            ensure!(there, "expected {key:?} in the listing, got none; {alike:?} is there, for instance");
        }
    }
    for (key, _) in &taken {
        sink.delete(key).await?;
        bench.is_absent(key, "after delete").await?;
    }
    Ok(if refused.is_empty() { String::new() } else { format!("refused: {}", refused.join(", ")) })
}

async fn blanks<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    kept(bench, "keys-blanks", &["with space", " leading", "trailing ", "  two", "in side/ both "]).await
}

async fn dashes<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    kept(bench, "keys-dashes-and-dots", &["-dash", "--help", "-rf/-x", ".hidden", "...", "a.", ".d/.e", "a..b"]).await
}

async fn punctuation<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let names = ["[brackets]", "st*r", "que?tion", "\"quoted\"", "it's", "{a,b}", "(c)", "<d>", "a|b", "a;b", "a:b"];
    let more = ["$(reboot)", "`id`", "~tilde", "a -> b", "a,b", "!x", "^y", "=z", "@w"];
    kept(bench, "keys-punctuation", &[&names[..], &more[..]].concat()).await
}

async fn backslash<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    kept(bench, "keys-backslash", &["a\\b", "a\\", "folder\\x/y"]).await
}

async fn escapes<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let names = ["100%", "a%20b", "%2F", "%41", "a+b", "a%2Bb", "a&b=c", "a#b", "a?b", "&amp;", "%", "a%zz"];
    kept(bench, "keys-escapes", &names).await
}

async fn utf8<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    // The same letter in one character and in two: both are kept apart.
    let names = ["ü", "u\u{308}", "日本語", "🚰", "ß", "a\u{a0}b", "\u{200b}x", "ﬁ", "Ω", "\u{fffd}"];
    kept(bench, "keys-utf8", &names).await
}

async fn control<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    kept(bench, "keys-control", &["a\nb", "a\rb", "a\r\nDELE b", "a\tb", "a\u{1b}[31mb", "a\u{7f}b", "a\u{1}b"]).await
}

async fn long<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let (letters, umlauts) = ("n".repeat(200), "ü".repeat(100));
    let folder = format!("{}/{}", "f".repeat(200), "g".repeat(200));
    kept(bench, "keys-long", &[&letters, &umlauts, &folder]).await
}

async fn deep<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let path = vec!["d"; 20].join("/");
    kept(bench, "keys-deep", &[&format!("{path}/file"), &format!("{path}-file")]).await
}

async fn letters<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    kept(bench, "keys-case", &["name", "Name", "NAME", "folder/x", "Folder/x"]).await
}
