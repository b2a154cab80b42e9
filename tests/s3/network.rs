//! The ways to a store: proxies, the address and the interface that connections start from, IPv6, and
//! redirects that lead elsewhere.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::harness::{
    Ended, Scratch,
    gate::Gate,
    seaweed::{ACCESS_KEY, SECRET, Seaweed, end},
    wire::{Canned, Wire},
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A name that nobody has (RFC 6761): only a proxy leads to it.
const NOWHERE: &str = "http://store.invalid:9000";

/// Runs one object into the bucket, with these variables.
fn run(scratch: &Scratch, endpoint: &str, more: &str, variables: &[(&str, &str)]) -> Ended {
    scratch.forget();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let sink = format!("{}\n{more}", end(endpoint, "archive", ACCESS_KEY, SECRET));
    let rules = "[transfer]\noverwrite = \"always\"\nattempts = 1";
    let pipeline = scratch.pipeline_between(&scratch.local("source"), &sink, rules);
    let ended = scratch.start_as(&["run", "--json", pipeline.to_str().unwrap()], variables).wait();
    assert!(!format!("{}{}", ended.output, ended.errors).contains(SECRET));
    ended
}

#[test]
fn a_proxy_is_the_pipelines_or_the_environments() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let gate = Gate::on(HERE, server.port());
    let url = gate.url();
    let key = format!("proxy = \"{url}\"");
    let dead = "proxy = \"http://127.0.0.1:9\"";
    let variable = ("HTTP_PROXY", url.as_str());
    for (more, variables, arrives) in [
        (key.as_str(), &[] as &[_], true),
        ("", &[variable], true),
        ("", &[("http_proxy", url.as_str())], true),
        ("", &[("ALL_PROXY", url.as_str())], true),
        // What the pipeline says counts more.
        (dead, &[variable], false),
        ("proxy = \"\"", &[variable], false),
        ("", &[variable, ("NO_PROXY", "store.invalid")], false),
        ("", &[variable, ("NO_PROXY", "elsewhere.invalid")], true),
        ("", &[], false),
    ] {
        let before = gate.visits().len();
        let ended = run(&scratch, NOWHERE, more, variables);
        let visits = gate.visits();
        assert_eq!(ended.code == Some(0), arrives, "{more} {variables:?}: {}{}", ended.output, ended.errors);
        assert_eq!(visits.len() > before, arrives, "{more} {variables:?}");
        for visit in &visits[before..] {
            assert!(visit.head.contains(NOWHERE), "a proxy is told the whole address: {}", visit.head);
        }
    }
}

#[test]
fn tls_goes_through_a_proxy_end_to_end() {
    let scratch = Scratch::new();
    let server = Seaweed::start_with_tls(&scratch, &["archive"]);
    let endpoint = server.tls_endpoint();
    let port: u16 = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let gate = Gate::on(HERE, port);
    let proxy = format!("http://user:hunter2@{}", gate.address);
    let ca = format!("ca_file = \"{}\"", scratch.path("certificate.pem").display());
    for (more, variables) in
        [(format!("{ca}\nproxy = \"{proxy}\""), &[] as &[_]), (ca.clone(), &[("HTTPS_PROXY", proxy.as_str())])]
    {
        let before = gate.visits().len();
        let ended = run(&scratch, &endpoint, &more, variables);
        ended.expect_code(0);
        assert!(!format!("{}{}", ended.output, ended.errors).contains("hunter2"));
        let visits = gate.visits();
        assert!(visits.len() > before);
        for visit in &visits[before..] {
            assert!(visit.head.starts_with(&format!("CONNECT 127.0.0.1:{port} ")), "{}", visit.head);
            // user:hunter2
            assert!(visit.head.to_ascii_lowercase().contains("proxy-authorization: basic"), "{}", visit.head);
            assert!(visit.head.contains("dXNlcjpodW50ZXIy"), "{}", visit.head);
        }
    }
    assert_eq!(server.json(&["listed", "archive"]), serde_json::json!(["a"]));
}

#[test]
fn connections_start_where_they_are_bound() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let gate = Gate::on(IpAddr::V4(Ipv4Addr::UNSPECIFIED), server.port());
    let endpoint = format!("http://127.0.0.1:{}", gate.address.port());
    for (bind, from) in [("127.0.0.77", [127, 0, 0, 77]), ("lo", [127, 0, 0, 1])] {
        let before = gate.visits().len();
        run(&scratch, &endpoint, &format!("bind = \"{bind}\""), &[]).expect_code(0);
        let visits = gate.visits();
        assert!(visits.len() > before);
        assert!(visits[before..].iter().all(|visit| visit.from == IpAddr::from(from)), "{visits:?}");
    }
    let before = gate.visits().len();
    for bind in ["192.0.2.1", "nosuch0"] {
        let ended = run(&scratch, &endpoint, &format!("bind = \"{bind}\""), &[]);
        assert_ne!(ended.code, Some(0));
        let said = format!("{}{}", ended.output, ended.errors);
        assert!(said.contains(&endpoint), "{bind}: {said}");
    }
    assert_eq!(gate.visits().len(), before, "nothing goes another way");
}

#[test]
fn an_endpoint_may_be_an_address_of_ipv6() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let gate = Gate::on(IpAddr::V6(Ipv6Addr::LOCALHOST), server.port());
    run(&scratch, &gate.url(), "", &[]).expect_code(0);
    assert!(gate.visits().iter().all(|visit| visit.from == Ipv6Addr::LOCALHOST));
    assert_eq!(server.json(&["listed", "archive"]), serde_json::json!(["a"]));
}

/// Where every request is told to go; set before the first one.
static ELSEWHERE: std::sync::OnceLock<String> = std::sync::OnceLock::new();

#[test]
fn a_redirect_is_not_followed() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let gate = Gate::on(HERE, server.port());
    let location = format!("location: {}/archive/a\r\n", gate.url());
    let location = ELSEWHERE.get_or_init(|| location);
    assert!(location.contains(&gate.url()));
    let wire = Wire::answering(server.port(), |_| {
        let redirect = Canned::error(307, "TemporaryRedirect", "Please re-send this request.");
        Some(Canned { headers: ELSEWHERE.get().unwrap(), ..redirect })
    });
    let ended = run(&scratch, &wire.endpoint(), "", &[]);
    assert_ne!(ended.code, Some(0));
    assert!(gate.visits().is_empty(), "{:?}", gate.visits());
    let said = format!("{}{}", ended.output, ended.errors);
    assert!(said.contains(&wire.endpoint()), "{said}");
}
