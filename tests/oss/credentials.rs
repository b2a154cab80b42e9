//! Where the engine finds a key when the pipeline has none: the environment, and a profile of the
//! Alibaba Cloud CLI. The metadata service is tested beside the code that asks it.

use std::fs;

use crate::harness::{
    Scratch,
    oss::{ACCESS_KEY, Oss, SECRET, STS_KEY, STS_TOKEN, end, end_without_key},
    store::Store,
};

/// Moves one object with these variables, and no others of Alibaba Cloud's; says how it ended.
fn run_with(scratch: &Scratch, sink: &str, variables: &[(&str, &str)]) -> crate::harness::Ended {
    scratch.forget();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let pipeline = scratch.pipeline_between(&scratch.local("source"), sink, "[transfer]\noverwrite = \"always\"");
    let home = scratch.path("home");
    let home = [("HOME", home.to_str().unwrap()), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    let variables: Vec<_> = home.iter().chain(variables).copied().collect();
    scratch.start_as(&["run", "--json", pipeline.to_str().unwrap()], &variables).wait()
}

#[test]
fn a_temporary_key_comes_from_the_pipeline_or_from_the_environment() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    let given = format!("{}\nsecurity_token = \"{STS_TOKEN}\"", end(&server.url(), "archive", STS_KEY, SECRET));
    run_with(&scratch, &given, &[]).expect_code(0);
    // V1 sends the token in another place.
    run_with(&scratch, &format!("{given}\nsignature_version = \"v1\""), &[]).expect_code(0);
    let none = end_without_key(&server.url(), "archive");
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", STS_KEY),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", STS_TOKEN),
    ];
    run_with(&scratch, &none, &variables).expect_code(0);
    let ended = run_with(&scratch, &none, &variables[..2]);
    assert!(ended.code != Some(0) && ended.output.contains("InvalidSecurityToken"), "{}", ended.output);
    let ended = run_with(&scratch, &none, &[]);
    assert!(ended.code != Some(0) && ended.output.contains("ALIBABA_CLOUD_ACCESS_KEY_ID"), "{}", ended.output);
}

#[test]
fn a_profile_of_the_cli_is_found_by_name() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    fs::create_dir_all(scratch.path("home/.aliyun")).unwrap();
    let profiles = format!(
        r#"{{"current": "main", "profiles": [
            {{"name": "main", "mode": "AK", "access_key_id": "{ACCESS_KEY}", "access_key_secret": "{SECRET}"}},
            {{"name": "bad", "mode": "AK", "access_key_id": "{ACCESS_KEY}", "access_key_secret": "wrong-secret"}}]}}"#
    );
    fs::write(scratch.path("home/.aliyun/config.json"), profiles).unwrap();
    let none = end_without_key(&server.url(), "archive");
    run_with(&scratch, &none, &[]).expect_code(0);
    let ended = run_with(&scratch, &format!("{none}\nprofile = \"bad\""), &[]);
    assert!(ended.code != Some(0) && ended.output.contains("SignatureDoesNotMatch"), "{}", ended.output);
    assert!(!ended.output.contains("wrong-secret") && !ended.errors.contains("wrong-secret"));
}
