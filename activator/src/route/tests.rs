use super::*;
use proptest::prelude::*;

#[test]
fn hosts_are_normalised() {
    for (authority, host) in [
        ("localhost", Some("localhost")),
        ("Hello.Default.LocalHost:8080", Some("hello.default.localhost")),
        ("hello.default.localhost.", Some("hello.default.localhost")),
        ("hello.default.localhost.:80", Some("hello.default.localhost")),
        ("127.0.0.1:8080", Some("127.0.0.1")),
        ("[::1]:8080", Some("::1")),
        ("[::1]", Some("::1")),
        ("[FE80::1]", Some("fe80::1")),
        ("my_host", Some("my_host")),
        ("", None),
        (".", None),
        (".a", None),
        (":80", None),
        ("a:", Some("a")),
        ("a:b", None),
        ("a:80:80", None),
        ("a:65536", None),
        ("::1", None),
        ("[::1", None),
        ("[::1]x", None),
        ("[a.b]", None),
        ("a b", None),
        ("a/b", None),
        ("a@b", None),
        ("é", None),
    ] {
        assert_eq!(normalise(authority).as_deref(), host, "{authority:?}");
    }
    assert!(matches!(normalise("a.b:80"), Some(Cow::Borrowed(_))), "the usual case copies nothing");
    assert!(normalise(&"a".repeat(253)).is_some() && normalise(&"a".repeat(254)).is_none());
}

#[test]
fn loopback_is_this_machine_only() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["evil.example", "x.localhost", "localhost.evil", "10.0.0.1", "::2", "0.0.0.0", "127.0.0.1.evil"] {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn reserved_paths() {
    let function =
        |rest: &str| Some(Reserved::Function { key: ObjectKey::new("ns", "f"), rest: rest.parse().unwrap() });
    for (target, expected) in [
        ("/-/healthz", Some(Reserved::Health)),
        ("/-/healthz?x", Some(Reserved::Health)),
        ("/-/healthz/x", None),
        ("/-/function/ns/f", function("/")),
        ("/-/function/ns/f?a=b", function("/?a=b")),
        ("/-/function/ns/f/", function("/")),
        ("/-/function/ns/f/a/b%20c?d=/e", function("/a/b%20c?d=/e")),
        ("/-/function/ns/f//a", function("//a")),
        ("/-/function/ns", None),
        ("/-/function//f", None),
        ("/-/function/ns/", None),
        ("/-/broker//f", None),
        ("/-/broker/ns/f", Some(Reserved::Broker { key: ObjectKey::new("ns", "f") })),
        ("/-/broker/ns/f/", Some(Reserved::Broker { key: ObjectKey::new("ns", "f") })),
        ("/-/broker/ns/f/x", None),
        ("/-/broker/ns/", None),
        ("/-/", None),
        ("/-/metrics", None),
        ("/x/-/healthz", None),
    ] {
        assert_eq!(Reserved::parse(&target.parse().unwrap()), expected, "{target}");
    }
}

fn targets(percents: &[u8]) -> Vec<RouteTarget> {
    let target =
        |(n, percent): (usize, &u8)| RouteTarget { revision: ObjectKey::new("ns", format!("r{n}")), percent: *percent };
    percents.iter().enumerate().map(target).collect()
}

#[test]
fn shares_are_kept_at_their_edges() {
    let name = |percents: &[u8], random| choose(&targets(percents), random).map(|target| target.revision.name.clone());
    assert_eq!(name(&[], 0), None);
    assert_eq!(name(&[0], 0), None);
    assert_eq!(name(&[0, 0], u32::MAX), None);
    assert_eq!(name(&[100], u32::MAX).as_deref(), Some("r0"));
    assert_eq!(name(&[50, 50], u32::MAX / 2).as_deref(), Some("r0"));
    assert_eq!(name(&[50, 50], u32::MAX / 2 + 1).as_deref(), Some("r1"));
    assert_eq!(name(&[0, 100], 0).as_deref(), Some("r1"));
    assert_eq!(name(&[99, 0, 1], u32::MAX).as_deref(), Some("r2"));
}

proptest! {
    #[test]
    fn every_share_gets_its_part(first in 0u8..=100) {
        let targets = targets(&[first, 100 - first]);
        let steps = 10_000u32;
        let hits = (0..steps).filter(|n| choose(&targets, n * (u32::MAX / steps)).unwrap().revision.name == "r0").count();
        prop_assert!(hits.abs_diff(usize::from(first) * 100) <= 1);
    }

    #[test]
    fn normalising_never_panics_and_is_stable(authority in "\\PC{0,20}") {
        if let Some(host) = normalise(&authority) && !host.contains(':') {
            let again = normalise(&host);
            prop_assert!(again.as_deref() == Some(&*host) || host.ends_with('.'));
        }
    }
}

fn route(name: &str, hosts: &[&str]) -> Arc<Route> {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    Arc::new(Route { key: ObjectKey::new("ns", name), uid: name.to_owned(), hosts, targets: targets(&[100]) })
}

fn holder(table: &RouteTable, host: &str) -> Option<String> {
    table.by_host(host).map(|entry| entry.route.key.name.clone())
}

#[test]
fn a_route_brings_the_headers_of_requests_that_have_none() {
    let table = RouteTable::default();
    table.insert(&route("f", &["a.b", "c"]));
    table.insert(&route("g", &[]));
    let headers = |name: &str| {
        let entry = table.by_key(&ObjectKey::new("ns", name)).unwrap();
        [&entry.host, &entry.prefix].map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(headers("f"), ["a.b", "/-/function/ns/f"]);
    assert_eq!(headers("g"), ["", "/-/function/ns/g"]);
}

#[test]
fn a_changed_route_gives_up_the_hosts_it_lost() {
    let table = RouteTable::default();
    table.insert(&route("f", &["a", "b"]));
    table.insert(&route("f", &["b", "c"]));
    assert_eq!(["a", "b", "c"].map(|host| holder(&table, host)), [None, Some("f".into()), Some("f".into())]);
    table.remove(&ObjectKey::new("ns", "f"));
    assert_eq!(["a", "b", "c"].map(|host| holder(&table, host)), [None, None, None]);
    assert!(table.by_key(&ObjectKey::new("ns", "f")).is_none());
    assert!(table.hosts.is_empty(), "nothing is left behind");
}

#[test]
fn a_host_claimed_twice_belongs_to_the_smaller_key_in_any_order() {
    for order in [["f", "g"], ["g", "f"]] {
        let table = RouteTable::default();
        for name in order {
            table.insert(&route(name, &["a"]));
        }
        assert_eq!(holder(&table, "a").as_deref(), Some("f"));
        table.remove(&ObjectKey::new("ns", "f"));
        assert_eq!(holder(&table, "a").as_deref(), Some("g"), "the other one gets it when the first is gone");
    }
}
