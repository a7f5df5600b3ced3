use super::{Reach, Verdict, reach, verdict};
use fnctl_config::snapshot::Grants;

#[test]
fn addresses_are_a_table() {
    for (addresses, expected) in [
        (
            &["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2606:4700::1", "2a00::1"][..],
            Reach::Public,
        ),
        (
            &["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1"],
            Reach::Private,
        ),
        (&["fc00::1", "fd12::1", "fec0::1", "2001:db8::1", "192.0.2.1", "198.18.0.1", "203.0.113.9"], Reach::Private),
        (
            &["169.254.169.254", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "100.100.100.200", "::"],
            Reach::Never,
        ),
        (
            &[
                "fe80::1",
                "ff02::1",
                "fd00:ec2::254",
                "::ffff:127.0.0.1",
                "::ffff:8.8.8.8",
                "64:ff9b::a9fe:a9fe",
                "2002:7f00:1::",
            ],
            Reach::Never,
        ),
    ] {
        for address in addresses {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }
}

#[test]
fn grants_are_a_table() {
    for (granted, uri, expected) in [
        (&[][..], "http://example.com/", Verdict::Denied),
        (&["*"], "http://example.com/", Verdict::Public),
        (&["http://example.com"], "http://example.com:80/x?y", Verdict::Named),
        (&["http://example.com"], "http://EXAMPLE.com./", Verdict::Named),
        (&["http://example.com"], "http://example.com:81/", Verdict::Denied),
        (&["http://example.com"], "https://example.com/", Verdict::Denied),
        (&["http://example.com"], "http://example.com.evil.org/", Verdict::Denied),
        (&["http://10.0.0.5:8080", "*"], "http://10.0.0.5:8080/", Verdict::Named),
        (&["http://10.0.0.5:8080", "*"], "http://10.0.0.6:8080/", Verdict::Public),
        (&["*"], "/no/host", Verdict::Denied),
    ] {
        let outbound = granted.iter().map(|grant| (*grant).to_owned()).collect();
        let grants = Grants { outbound, ..Grants::default() };
        assert_eq!(verdict(&grants, &uri.parse().unwrap()), expected, "{granted:?} {uri}");
    }
}
