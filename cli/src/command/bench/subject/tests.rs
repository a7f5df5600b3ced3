use super::{address_of, gets, request, sum};
use bytes::Bytes;
use http::header;

#[test]
fn urls_become_addresses() {
    let address = |url: &str| address_of(url).map(|address| address.to_string()).ok();
    assert_eq!(address("http://hello.default.localhost:8080/a").as_deref(), Some("127.0.0.1:8080"));
    assert_eq!(address("http://[::1]:8080").as_deref(), Some("[::1]:8080"));
    assert_eq!(address("http://10.0.0.1").as_deref(), Some("10.0.0.1:80"));
    for url in ["https://127.0.0.1:1", "http://example.com/", "127.0.0.1:80", ""] {
        assert_eq!(address(url), None, "{url}");
    }
}

#[test]
fn requests_name_the_host_and_the_path() {
    let request = request("GET", "http://a.default.localhost:81/b?c", Bytes::new()).unwrap();
    assert_eq!(
        (request.uri().to_string().as_str(), &request.headers()[header::HOST]),
        ("/b?c", &"a.default.localhost:81".parse().unwrap())
    );
    let requests = gets(&["http://a/".to_owned(), "http://b/".to_owned()]).unwrap();
    let hosts: Vec<_> = (0..3).map(|number| requests(number)).collect();
    let [a, b] = ["a", "b"].map(|host| format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    assert_eq!(hosts, [&a, &b, &a]);
}

#[test]
fn counters_are_summed_over_their_labels() {
    let text = "# TYPE n counter\nn_total{a=\"x y\"} 3\nn_total{a=\"b\"} 4\nn_total_more 9\n# EOF\n";
    assert_eq!((sum(text, "n_total"), sum(text, "absent")), (7.0, 0.0));
}
