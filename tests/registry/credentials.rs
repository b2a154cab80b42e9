//! A registry that asks who one is: what docker wrote down, its helpers, the variables; and who has none.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Printed, Stage, refused};
use crate::harness::{
    Ended, Scratch,
    registry::{PASSWORD, Registry, USER},
};

fn stage() -> Stage {
    let scratch = Scratch::new();
    let registry = Registry::start_with_password(&scratch);
    Stage::of(scratch, registry)
}

/// Docker's folder with this configuration.
fn docker(stage: &Stage, config: &Value) -> PathBuf {
    let folder = stage.scratch.path("docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    folder
}

fn basic(user: &str, password: &str) -> Value {
    json!({ "auth": STANDARD.encode(format!("{user}:{password}")) })
}

fn push(stage: &Stage, variables: &[(&str, &str)]) -> Ended {
    let file = stage.component("");
    // Nobody's but the test's own.
    let empty = stage.scratch.path("nobody");
    let variables = [&[("HOME", empty.to_str().unwrap())], variables].concat();
    let push = ["connector", "push", file.to_str().unwrap(), &stage.place("1")];
    let ended = stage.scratch.start_as(&push, &variables).wait();
    let encoded = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for secret in [PASSWORD, &encoded] {
        assert!(!ended.output.contains(secret) && !ended.errors.contains(secret), "a secret was printed");
    }
    ended
}

#[test]
fn docker_config_says_who_one_is() {
    let stage = stage();
    let name = stage.registry.name();
    refused(&push(&stage, &[]), 1, &["docker login", &name]);
    let folder = docker(&stage, &json!({ "auths": { &name: basic(USER, PASSWORD) } }));
    let variables = [("DOCKER_CONFIG", folder.to_str().unwrap())];
    let pushed = Printed::of(push(&stage, &variables).expect_code(0));
    let pipeline = stage.pipeline(&pushed.reference, "");
    let run = ["run", "--json", pipeline.to_str().unwrap()];
    refused(&stage.scratch.start_on("nobody", &run, &[("DOCKER_CONFIG", "/nonexistent")]).wait(), 1, &["docker login"]);
    stage.check(&stage.scratch.start_on("somebody", &run, &variables).wait());
    // As older tools write the registry's name, and below HOME.
    let below = stage.scratch.path("home");
    fs::create_dir_all(&below).unwrap();
    docker(&stage, &json!({ "auths": { format!("https://{name}/v1/"): basic(USER, PASSWORD) } }));
    fs::rename(&folder, below.join(".docker")).unwrap();
    push(&stage, &[("HOME", below.to_str().unwrap())]).expect_code(0);
}

#[test]
fn wrong_ones_are_refused_and_not_shown() {
    let stage = stage();
    let name = stage.registry.name();
    for (config, word) in [
        (json!({ "auths": { &name: basic(USER, "registry-secret-wrong") } }), "refuses these credentials"),
        (json!({ "auths": { &name: { "auth": "registry-secret-4f1b!" } } }), "isn't base64"),
        (json!({ "auths": { &name: { "identitytoken": PASSWORD } } }), "identity token"),
        (json!({ "auths": { "other.example": basic(USER, PASSWORD) } }), "docker login"),
        (json!([PASSWORD]), "not what docker writes"),
    ] {
        let folder = docker(&stage, &config);
        refused(&push(&stage, &[("DOCKER_CONFIG", folder.to_str().unwrap())]), 1, &[word]);
    }
}

#[test]
fn variables_are_for_the_registry_that_they_name() {
    let stage = stage();
    let name = stage.registry.name();
    let secret = [("CULVERT_REGISTRY_USER", USER), ("CULVERT_REGISTRY_PASSWORD", PASSWORD)];
    push(&stage, &[&secret[..], &[("CULVERT_REGISTRY", &name)]].concat()).expect_code(0);
    let elsewhere = [&secret[..], &[("CULVERT_REGISTRY", "registry.example.com")]].concat();
    refused(&push(&stage, &elsewhere), 1, &["docker login", &name]);
    refused(&push(&stage, &secret), 1, &["CULVERT_REGISTRY"]);
}

#[test]
fn a_helper_of_docker_is_asked() {
    let stage = stage();
    let name = stage.registry.name();
    let programs = stage.scratch.path("programs");
    fs::create_dir_all(&programs).unwrap();
    let helper = programs.join("docker-credential-test");
    let answer = json!({ "ServerURL": name, "Username": USER, "Secret": PASSWORD });
    fs::write(&helper, format!("#!/bin/sh\ntest \"$1\" = get && test \"$(cat)\" = '{name}' && echo '{answer}'\n"))
        .unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for config in [json!({ "credHelpers": { &name: "test" } }), json!({ "credsStore": "test", "auths": { &name: {} } })]
    {
        let folder = docker(&stage, &config);
        push(&stage, &[("DOCKER_CONFIG", folder.to_str().unwrap()), ("PATH", &path)]).expect_code(0);
    }
    let folder = docker(&stage, &json!({ "credHelpers": { &name: "missing" } }));
    let missing = push(&stage, &[("DOCKER_CONFIG", folder.to_str().unwrap()), ("PATH", &path)]);
    refused(&missing, 1, &["docker-credential-missing"]);
}
