//! Lists that are taken, and lists that are refused with their lines.

use proptest::prelude::*;

use super::*;

fn set(keys: &[&str]) -> KeySet {
    keys.iter().map(|key| Key::parse(key).expect("a key")).collect()
}

fn lines_of(text: impl AsRef<[u8]>) -> Result<KeySet, InvalidList> {
    parse(text.as_ref(), &OnlyFormat::Lines)
}

fn csv_of(text: impl AsRef<[u8]>, column: &str, url_encoded: bool) -> Result<KeySet, InvalidList> {
    let column = column.parse().expect("a column");
    parse(text.as_ref(), &OnlyFormat::Csv(CsvFormat { column, url_encoded }))
}

fn bad(result: Result<KeySet, InvalidList>) -> Vec<(u64, BadKey)> {
    match result {
        Err(InvalidList::Keys(bad)) => bad.told.iter().map(|bad| (bad.line, bad.reason)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_is_a_key() {
    assert_eq!(lines_of("").expect("a list"), set(&[]));
    assert_eq!(
        lines_of("a/b c.tif\n\n  x \"\n\u{e9},+%41").expect("a list"),
        set(&["a/b c.tif", "  x \"", "\u{e9},+%41"])
    );
    assert_eq!(lines_of("\u{feff}a\na\n").expect("a list"), set(&["a"]));
    let longest = "x".repeat(MAX_KEY_BYTES);
    assert_eq!(lines_of(format!("\u{feff}{longest}\na\n")).expect("a list"), set(&[&longest, "a"]));
}

#[test]
fn a_line_that_is_no_key_is_told_with_its_number() {
    let long = "x".repeat(100_000);
    let text = [b"/a\nb/../c\nok\n\nd/\ne\r\n\xff\n".as_slice(), long.as_bytes(), b"\nf\0"].concat();
    let expected = [
        (1, InvalidKey::EmptySegment.into()),
        (2, InvalidKey::DotSegment.into()),
        (5, InvalidKey::EmptySegment.into()),
        (6, BadKey::CarriageReturn),
        (7, BadKey::NotUtf8),
        (8, InvalidKey::TooLong.into()),
        (9, InvalidKey::Nul.into()),
    ];
    assert_eq!(bad(lines_of(text)), expected);
}

#[test]
fn many_bad_lines_are_counted() {
    let error = lines_of("/\n".repeat(1_000)).expect_err("bad lines");
    let text = error.to_string();
    assert_eq!(text.lines().count(), MAX_TOLD + 1);
    assert!(text.starts_with("line 1: the key starts or ends with a slash") && text.ends_with("and 980 more lines"));
}

#[test]
fn a_column_is_mapped_by_name_or_number() {
    let named = "\u{feff}code,key,attempts\nio,\"a, \"\"b\"\"\",3\nio,c/d\n";
    assert_eq!(csv_of(named, "key", false).expect("a list"), set(&["a, \"b\"", "c/d"]));
    // As S3 writes it: bucket, key, size, no names.
    let inventory = "\"bucket\",\"a/b+c%2Bd%C3%A9.tif\",\"12\"\r\n\"bucket\",\"folder/\",\"0\"\r\n";
    assert_eq!(csv_of(inventory, "2", true).expect("a list"), set(&["a/b c+d\u{e9}.tif", "folder"]));
    assert_eq!(csv_of(inventory, "2", false).expect("a list"), set(&["a/b+c%2Bd%C3%A9.tif", "folder"]));
    assert_eq!("0".parse::<Column>(), Err(InvalidColumn));
    assert_eq!("".parse::<Column>(), Err(InvalidColumn));
}

#[test]
fn a_row_without_a_key_is_told_with_its_line() {
    let text = "n,key\n1,a\n2\n3,\n4,%4\n5,%zz\n6,%ff\n\"7\n\",/b\n8,/c\n";
    let expected = [
        (3, BadKey::NoColumn),
        (4, InvalidKey::Empty.into()),
        (5, BadKey::Escape),
        (6, BadKey::Escape),
        (7, BadKey::NotUtf8),
        (8, InvalidKey::EmptySegment.into()),
        (10, InvalidKey::EmptySegment.into()),
    ];
    assert_eq!(bad(csv_of(text, "key", true)), expected);
    let error = csv_of(text, "Key", true).expect_err("no column");
    assert_eq!(error.to_string(), "the first row names no column \"Key\"; name one of \"n\", \"key\"");
    assert!(matches!(csv_of("", "key", true), Err(InvalidList::NoColumn { .. })));
}

#[test]
fn an_open_quote_ends_in_an_error_and_not_in_the_memory() {
    let endless = b"a\nb\n\"".as_slice().chain(io::repeat(b'x'));
    let format = OnlyFormat::Csv(CsvFormat { column: "1".parse().expect("a column"), url_encoded: false });
    let error = parse(endless, &format).expect_err("a row without end");
    assert!(matches!(error, InvalidList::LongRow { line: 3 }), "{error:?}");
}

#[test]
fn a_large_csv_is_no_long_row() {
    let text: String = (0..300_000).map(|number| format!("bucket,folder/{number}\n")).collect();
    assert_eq!(csv_of(text, "2", false).expect("a list").len(), 300_000);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let csv = OnlyFormat::Csv(CsvFormat { column: "1".parse().expect("a column"), url_encoded: false });
    for format in [OnlyFormat::Lines, csv] {
        assert!(matches!(parse(Broken, &format), Err(InvalidList::Read(_))), "{format:?}");
    }
}

proptest! {
    #[test]
    fn keys_survive_the_round_trip(names in prop::collection::vec("[a-z %+\",\u{e9}]{1,8}(/[a-z]{1,4})?", 0..20)) {
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        prop_assert_eq!(lines_of(keys.join("\n")).expect("a list"), set(&keys));
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for key in &keys {
            let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
            writer.write_record(["bucket", key, &encoded]).expect("a row");
        }
        let text = writer.into_inner().expect("a text");
        prop_assert_eq!(csv_of(&text, "2", false).expect("a list"), set(&keys));
        prop_assert_eq!(csv_of(&text, "3", true).expect("a list"), set(&keys));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, url_encoded: bool) {
        let _ = (lines_of(&bytes), csv_of(&bytes, "1", url_encoded), csv_of(&bytes, "key", url_encoded));
    }
}
