//! The real service, where `tests/run --live-oss` says which bucket: objects go up and come down below a
//! random prefix, which is empty again at the end. Nothing of this runs without being asked for.

use std::{
    env, fs,
    hash::{BuildHasher, RandomState},
};

use crate::{
    conformance::{NO_DENIED, assert_conforms, oss::NOT, suite, tables},
    harness::{Scratch, oss::live_client, tree::Random},
    s3::identity::assert_same,
};

/// What is left below the prefix goes, however the test ends.
struct Below {
    region: String,
    bucket: String,
    prefix: String,
}

impl Below {
    fn random() -> Self {
        let set = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} isn't set; see tests/run --live-oss"));
        let number = RandomState::new().hash_one(std::process::id());
        let prefix = format!("culvert-test-{number:016x}/");
        Self { region: set("CULVERT_LIVE_OSS_REGION"), bucket: set("CULVERT_LIVE_OSS_BUCKET"), prefix }
    }

    /// The keys of the end come from the environment.
    fn end(&self) -> String {
        let Self { region, bucket, prefix } = self;
        format!("connector = \"oss\"\nregion = \"{region}\"\nbucket = \"{bucket}\"\nprefix = \"{prefix}\"")
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        live_client(&self.region, &["clean", &self.bucket, &self.prefix]);
    }
}

/// Runs only where `tests/run` was asked to: nextest's settings leave it out by its name otherwise.
#[test]
fn live_a_tree_goes_into_the_bucket_and_comes_back() {
    let scratch = Scratch::new();
    let below = Below::random();
    let source = scratch.path("source");
    Random::seeded().fill(&source, [0, 1, 70_000, 12 << 20]);
    fs::write(source.join("ü +% &x"), "odd").unwrap();
    let end = below.end();
    let more = "[transfer]\npart_size = \"5 MiB\"\nworkers = 4";
    let up = scratch.pipeline_between(&scratch.local("source"), &end, more);
    let ended = scratch.run(&up);
    ended.expect_code(0);
    for moved in ended.events_named("moved") {
        assert_eq!(moved["verified"], "crc64-xz", "{moved}");
    }
    scratch.forget();
    let down = scratch.pipeline_between(&end, &scratch.local("sink"), more);
    scratch.run(&down).expect_code(0);
    assert_same(&source, &scratch.path("sink"));
}

/// The conformance suite, below a random prefix. Its keys come from the environment, so nothing wrong
/// is tried.
#[test]
fn live_the_bucket_conforms() {
    let scratch = Scratch::new();
    let below = Below::random();
    let end = below.end();
    let both = tables(&scratch, "both.toml", Some(&end), Some(&end));
    assert_conforms(&suite(&scratch, "oss", &both, &[]), &[NOT, NO_DENIED]);
}
