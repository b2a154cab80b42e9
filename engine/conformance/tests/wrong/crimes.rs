//! Every crime, the case that's meant for it, and those that it can't but fail too.

pub(crate) struct Crime {
    pub(crate) name: &'static str,
    pub(crate) case: &'static str,
    pub(crate) also: &'static [&'static str],
}

const fn crime(name: &'static str, case: &'static str) -> Crime {
    Crime { name, case, also: &[] }
}

const fn crime_and(name: &'static str, case: &'static str, also: &'static [&'static str]) -> Crime {
    Crime { name, case, also }
}

pub(crate) const CRIMES: &[Crime] = &[
    crime("bad-name", "describe-identity"),
    crime("open-schema", "describe-schemas"),
    crime("parts-without-parts", "describe-capabilities"),
    crime("fails-check", "describe-starts"),
    // Of listings.
    crime("loses-an-entry", "listing-complete"),
    crime("doubles-an-entry", "listing-complete"),
    crime("dropped-listing-breaks-the-store", "listing-restartable"),
    crime("swaps-two-entries", "listing-ordered"),
    crime("ignores-after", "listing-after"),
    crime("includes-after", "listing-after"),
    crime("stat-tells-another-size", "listing-agrees-with-stat"),
    crime("one-listing-at-a-time", "listing-beside-listing"),
    crime("folder-leaks", "listing-of-a-folder"),
    crime("nothing-is-an-error", "listing-of-nothing"),
    // Of readings.
    crime_and("announces-another-size", "read-whole", &["read-ranges"]),
    crime_and("flips-a-byte", "read-whole", &["read-beside-read", "read-ranges"]),
    crime_and(
        "empty-is-missing",
        "read-empty-object",
        &["batch-put", "batch-put-never", "batch-put-wrong-checksum", "put-empty", "replace-always"],
    ),
    crime("sends-more-than-asked", "read-in-pieces"),
    crime("range-to-the-end", "read-ranges"),
    crime("range-off-by-one", "read-ranges"),
    crime("wraps-past-the-end", "read-past-the-end"),
    crime("empty-range-traps", "read-empty-range"),
    crime("no-version-fits", "read-version"),
    crime_and(
        "stat-tells-another-version",
        "read-version",
        &["batch-read", "listing-agrees-with-stat", "read-stale-version"],
    ),
    crime("ignores-versions", "read-stale-version"),
    crime("missing-is-empty", "read-missing"),
    crime("missing-is-io", "stat-missing"),
    crime("lists-wrong-checksums", "read-checksums"),
    crime("stat-tells-wrong-checksums", "read-checksums"),
    crime("a-miss-spoils-the-next", "read-beside-read"),
    // Of puts.
    crime("refuses-empty", "put-empty"),
    crime("drops-a-single-byte", "put-one-byte"),
    crime("cuts-at-a-chunk", "put-around-a-chunk"),
    crime("cuts-at-8-mib", "put-large"),
    crime("loses-some-chunks", "put-in-slow-pieces"),
    crime("halves-the-unknown", "put-without-size"),
    crime("shows-early", "put-waits-for-whole"),
    crime_and("leaves-the-broken", "put-broken", &["put-broken-keeps-the-old"]),
    crime_and("leaves-the-abandoned", "put-abandoned", &["put-broken-keeps-the-old"]),
    crime("broken-removes-the-old", "put-broken-keeps-the-old"),
    crime("echoes-checksums", "put-wrong-checksum"),
    crime("returns-wrong-checksums", "put-checksums"),
    crime("answers-another-version", "put-answer"),
    // Of what is there.
    crime("keeps-the-tail", "replace-always"),
    crime("replaces-anyway", "replace-never"),
    crime("refuses-a-new-folder", "replace-never-where-nothing-is"),
    crime_and("deletes-nothing", "delete", &["leaves-nothing"]),
    crime("missing-isn't-deleted", "delete-missing"),
    crime("deletes-by-prefix", "delete-beside"),
    // Of uploads.
    crime("shows-parts", "upload-whole"),
    crime("loses-a-single-part", "upload-one-part"),
    crime("appends-parts", "upload-out-of-order"),
    crime("keeps-the-first-of-a-part", "upload-part-again"),
    crime("knows-its-own-uploads", "upload-resumed"),
    crime("takes-short-parts", "upload-short-part"),
    crime("takes-long-parts", "upload-long-part"),
    crime("commits-unchecked", "upload-wrong-checksum"),
    crime("commits-with-wrong-checksums", "upload-checksums"),
    crime("commits-anyway", "upload-never-replaces"),
    crime("commits-nothing-over-the-old", "upload-replaces"),
    crime("aborts-nothing", "upload-aborted"),
    crime("aborts-once", "upload-aborted"),
    crime("tells-of-another-part", "upload-parts-told"),
    crime("sweeps-objects", "sweep-nothing"),
    crime_and("sweeps-and-says-nothing", "sweep-removes-own", &["sweep-keeps", "sweep-leaves-others"]),
    crime("sweeps-what-is-kept", "sweep-keeps"),
    crime("sweeps-everybody", "sweep-leaves-others"),
    // Of keys.
    crime("trims-blanks", "keys-blanks"),
    crime("strips-dashes", "keys-dashes-and-dots"),
    crime_and("replaces-brackets", "keys-punctuation", &["keys-control", "keys-escapes"]),
    crime("turns-backslashes", "keys-backslash"),
    crime("decodes-percent", "keys-escapes"),
    crime("normalises", "keys-utf8"),
    crime("replaces-control", "keys-control"),
    crime("cuts-long-names", "keys-long"),
    crime("refuses-depth", "keys-deep"),
    crime_and("lowers-case", "keys-case", &["keys-control", "keys-escapes"]),
    // Of kinds and attributes.
    crime("makes-files-of-directories", "directories"),
    crime("deletes-full-directories", "directories-full"),
    crime("loses-targets", "symlinks"),
    crime("forgets-times", "modified"),
    crime_and("turns-attributes", "attributes", &["symlinks"]),
    // Of batches.
    crime("batch-reads-out-of-order", "batch-read"),
    crime("batch-ignores-versions", "batch-read-changed"),
    crime("batch-fills-the-missing", "batch-read-missing"),
    crime("batch-loses-one", "batch-put"),
    crime("batch-replaces-anyway", "batch-put-never"),
    crime("batch-echoes-checksums", "batch-put-wrong-checksum"),
    // Of calls that are dropped.
    crime_and("shows-large-ones-early", "dropped-put", &["dropped-put-keeps-the-old"]),
    crime("removes-the-old-early", "dropped-put-keeps-the-old"),
    crime("a-dropped-part-sticks", "dropped-part"),
    crime("dropped-reading-blocks", "dropped-reading"),
    crime_and("dropped-listing-blocks", "dropped-listing", &["listing-restartable"]),
    crime("is-done-early", "one-chunk-at-a-time"),
    crime("denied-is-fine", "denied"),
    crime("denied-is-io", "denied"),
    crime("keeps-large-ones", "leaves-nothing"),
];
