//! What is pushed is what the layout says and comes back as it was; what is in the cache needs no registry.

use std::fs;

use serde_json::Value;

use super::{Printed, Stage, count, refused};
use crate::harness::{
    Scratch,
    registry::{NAME, Proxy, Registry, component},
};

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

#[test]
fn what_is_pushed_is_what_the_layout_says() {
    let stage = Stage::new();
    let pushed = stage.push("", "1.0");
    // By the registry's own disk.
    let manifest = json(&fs::read(stage.registry.blob(&pushed.digest)).unwrap());
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "local");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/wasm");
    assert_eq!(layers[0]["digest"], format!("sha256:{}", pushed.sha256));
    assert_eq!(fs::read(stage.registry.blob(&pushed.sha256)).unwrap(), component(""));
    let config = manifest["config"]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let config = json(&fs::read(stage.registry.blob(config)).unwrap());
    assert_eq!((&config["architecture"], &config["os"]), (&"wasm".into(), &"wasip2".into()));
    assert_eq!(config["layerDigests"][0], format!("sha256:{}", pushed.sha256));
    let has = |list: &str, word: &str| config["component"][list].as_array().unwrap().contains(&word.into());
    assert!(
        has("exports", "culvert:connector/source@0.1.0") && has("imports", "wasi:filesystem/types@0.3.0"),
        "{config}"
    );
    // The same component has the same digest wherever and whenever it's pushed.
    assert_eq!(stage.push("", "again").digest, pushed.digest);
    assert_ne!(stage.push("other", "1.1").digest, pushed.digest);

    let file = stage.scratch.path("pulled.wasm");
    let pull = ["connector", "pull", &stage.place("1.0"), "--output", file.to_str().unwrap()];
    let pulled = Printed::of(stage.scratch.engine(&pull).expect_code(0));
    assert_eq!((pulled.reference, pulled.sha256), (pushed.reference, pushed.sha256));
    assert_eq!(fs::read(&file).unwrap(), component(""));
}

#[test]
fn what_is_no_connector_is_not_pushed() {
    let stage = Stage::new();
    let file = stage.scratch.path("no.wasm");
    fs::write(&file, b"\0asm").unwrap();
    let file = file.to_str().unwrap();
    refused(&stage.scratch.engine(&["connector", "push", file, &stage.place("1")]), 1, &["no.wasm"]);
    let pinned = format!("oci://{}/acme/local@sha256:{}", stage.registry.name(), "0a".repeat(32));
    let good = stage.component("");
    refused(&stage.scratch.engine(&["connector", "push", good.to_str().unwrap(), &pinned]), 1, &["tag"]);
    assert_eq!(count(&stage.scratch.path("registry/data/docker/registry/v2/repositories")), 0);
}

#[test]
fn what_is_in_the_cache_needs_no_registry() {
    let mut stage = Stage::new();
    let pushed = stage.push("", "1.0");
    let pipeline = stage.pipeline(&pushed.reference, "");
    // A digest is pulled by the run itself.
    stage.check(&stage.scratch.run(&pipeline));
    stage.registry.end();
    stage.scratch.forget();
    fs::remove_dir_all(stage.scratch.path("sink")).unwrap();
    stage.check(&stage.scratch.run(&pipeline));
    let inspected = stage.scratch.engine(&["connector", "inspect", &pushed.reference, "--json"]);
    assert_eq!(json(inspected.expect_code(0).output.as_bytes())["sha256"], pushed.sha256);
    // A machine without it can't go on, and says where it asked.
    let missing = stage.run_afresh("elsewhere", &pipeline);
    refused(&missing, 3, &["can't be reached", &stage.registry.name(), "source.connector"]);
    stage.registry.begin();
    fs::remove_dir_all(stage.scratch.path("sink")).unwrap();
    stage.check(&stage.run_afresh("elsewhere", &pipeline));
}

#[test]
fn whoever_tries_a_connector_takes_a_tag_as_it_is() {
    let stage = Stage::new();
    stage.push("", "1.0");
    let file = stage.scratch.path("tables.toml");
    fs::write(&file, format!("[source]\npath = \"{}\"\n", stage.scratch.path("source").display())).unwrap();
    let tested = ["connector", "test", &stage.place("1.0"), file.to_str().unwrap(), "--case", "describe"];
    let tested = stage.scratch.engine(&tested);
    assert!(tested.expect_code(0).output.contains("describe"), "{}", tested.output);
    stage.scratch.engine(&["connector", "inspect", &stage.place("1.0")]).expect_code(0);
    refused(&stage.scratch.engine(&["connector", "inspect", &stage.place("9")]), 1, &["no such connector", "tag"]);
}

#[test]
fn a_newer_build_goes_on_with_the_journal() {
    let stage = Stage::new();
    let [first, second] = [("", "1.0"), ("newer", "1.1")].map(|(mark, tag)| stage.push(mark, tag));
    stage.check(&stage.scratch.run(&stage.pipeline(&first.reference, "")));
    let next = stage.scratch.run(&stage.pipeline(&second.reference, ""));
    stage.check(&next);
    assert_eq!((next.objects("moved"), next.objects("skipped")), (0, 3));
}

#[test]
fn other_machines_are_spoken_to_over_tls() {
    let scratch = Scratch::new();
    let registry = Registry::start_with_tls(&scratch);
    let stage = Stage::of(scratch, registry);
    let proxy = Proxy::to(stage.registry.port()).url();
    let certificate = stage.scratch.path("registry.pem");
    let trusted = [("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let (file, place) = (stage.component(""), format!("oci://{NAME}/acme/local:1"));
    let push = ["connector", "push", file.to_str().unwrap(), &place];
    let pushed = Printed::of(stage.scratch.start_as(&push, &trusted).wait().expect_code(0));
    let pipeline = stage.pipeline(&pushed.reference, "");
    let run = |variables: &[(&str, &str)]| {
        stage.scratch.start_as(&["run", "--json", pipeline.to_str().unwrap()], variables).wait()
    };
    // Nobody vouches for its certificate.
    refused(&run(&[("HTTPS_PROXY", &proxy)]), 3, &["can't be reached", NAME]);
    stage.check(&run(&trusted));
}

#[test]
fn plain_http_to_another_machine_has_to_be_allowed() {
    let stage = Stage::new();
    let pushed = stage.push("", "1.0");
    let proxy = Proxy::to(stage.registry.port()).url();
    let variables = [("HTTP_PROXY", proxy.as_str()), ("HTTPS_PROXY", proxy.as_str())];
    let place = format!("oci://{NAME}:{}/acme/local:1.0", stage.registry.port());
    let pull = |more: &[&str]| {
        let arguments = [&["connector", "pull", &place], more].concat();
        stage.scratch.start_as(&arguments, &variables).wait()
    };
    refused(&pull(&[]), 3, &["can't be reached", NAME]);
    let pulled = Printed::of(pull(&["--insecure"]).expect_code(0));
    assert_eq!(pulled.digest, pushed.digest);
    // From then on it's in the cache.
    stage.check(&stage.scratch.run(&stage.pipeline(&pulled.reference, "")));
}
