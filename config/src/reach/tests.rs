use super::{Policy, Private, Refusal, judge};
use std::net::SocketAddr;

type Verdict = Result<(), Refusal>;

const fn never(refusal: Refusal) -> (Verdict, Verdict) {
    (Err(refusal), Err(refusal))
}

/// Verdict where private addresses are allowed, where they are not, and addresses of that kind.
const TABLE: &[((Verdict, Verdict), &[&str])] = &[
    (
        (Ok(()), Ok(())),
        &[
            "1.1.1.1:80",
            "93.184.216.34:443",
            "172.15.255.255:80",
            "172.32.0.1:80",
            "192.169.0.1:80",
            "100.63.255.255:80",
            "100.128.0.1:80",
            "[2606:2800:220:1::1]:80",
            "[2a00::1]:80",
            "[::ffff:8.8.8.8]:80",
            "[64:ff9b::808:808]:443",
            "[2002:808:808::]:80",
        ],
    ),
    (
        (Ok(()), Err(Refusal::Private)),
        &[
            "127.0.0.1:8080",
            "127.9.9.9:8080",
            "10.1.2.3:80",
            "172.16.0.1:80",
            "172.31.255.255:80",
            "192.168.1.1:80",
            "100.64.0.1:80",
            "192.0.2.1:80",
            "198.18.0.1:80",
            "203.0.113.9:80",
            "[::1]:8080",
            "[fc00::1]:80",
            "[fd12::1]:80",
            "[fec0::1]:80",
            "[2001:db8::1]:80",
            "[::ffff:10.0.0.1]:80",
            "[::10.0.0.1]:80",
            "[::ffff:0:a00:1]:80",
            "[2002:a00:1::]:80",
            "[64:ff9b::a00:1]:80",
            "10.0.0.7:6443",
        ],
    ),
    (
        never(Refusal::Metadata),
        &[
            "169.254.169.254:80",
            "169.254.170.2:80",
            "100.100.100.200:80",
            "192.0.0.192:80",
            "168.63.129.16:80",
            "[fd00:ec2::254]:80",
            "[fd00:ec2::23]:80",
            "[fe80::1]:80",
            "[::ffff:169.254.169.254]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "[2002:a9fe:a9fe::]:80",
        ],
    ),
    (
        never(Refusal::NoHost),
        &[
            "0.0.0.0:80",
            "0.1.2.3:80",
            "224.0.0.1:80",
            "240.0.0.1:80",
            "255.255.255.255:80",
            "[::]:80",
            "[::2]:80",
            "[ff02::1]:80",
            "[2001:0:1::1]:80",
            "[64:ff9b:1::a00:1]:80",
        ],
    ),
    (
        never(Refusal::Closed),
        &[
            "127.0.0.1:6443",
            "127.0.0.2:6443",
            "[::1]:6443",
            "[::ffff:127.0.0.1]:6443",
            "127.0.0.1:9000",
            "10.0.0.7:9000",
            "[fd12::1]:9000",
        ],
    ),
];

#[test]
fn addresses_that_may_be_reached() {
    let closed = vec!["127.0.0.1:6443".parse().unwrap(), "0.0.0.0:9000".parse().unwrap()];
    let open = Policy { private: Private::Allowed, closed };
    let tight = Policy { private: Private::Refused, ..open.clone() };
    for ((where_allowed, where_refused), addresses) in TABLE {
        for address in *addresses {
            let parsed: SocketAddr = address.parse().unwrap();
            assert_eq!(judge(parsed, &open), *where_allowed, "{address}");
            assert_eq!(judge(parsed, &tight), *where_refused, "{address}");
        }
    }
}
