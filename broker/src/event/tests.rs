use super::check::{Mode, check};
use super::http::{self as binding, Message};
use super::{Event, Invalid, TTL, Value, attribute, json, stored};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use cloudevents::AttributesReader as _;
use fnctl_config::limits::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, EVENT_BYTES_MAX};
use proptest::prelude::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = header(line);
        headers.append(name, value);
    }
    headers
}

fn binary(lines: &[(&str, &str)], body: &'static str) -> Result<Event, Invalid> {
    let mut all = vec![("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    all.extend_from_slice(lines);
    match binding::decode(&headers(&all), &Bytes::from_static(body.as_bytes()))? {
        Message::One(event) => Ok(event),
        Message::Batch(_) => panic!("a batch"),
    }
}

fn structured(rest: &str) -> Result<Event, Invalid> {
    json::decode(&Bytes::from(format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{rest}}}"#)))
}

#[test]
fn structured_events_that_are_refused_name_the_attribute() {
    let table = [
        (r#"{"id":"1","source":"/s","type":"t"}"#, "specversion"),
        (r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#, "specversion"),
        (r#"{"specversion":"1.0","source":"/s","type":"t"}"#, "id"),
        (r#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#, "id"),
        (r#"{"specversion":"1.0","id":null,"source":"/s","type":"t"}"#, "id"),
        (r#"{"specversion":"1.0","id":7,"source":"/s","type":"t"}"#, "id"),
        (r#"{"specversion":"1.0","id":"1","type":"t"}"#, "source"),
        (r#"{"specversion":"1.0","id":"1","source":"a b","type":"t"}"#, "source"),
        (r#"{"specversion":"1.0","id":"1","source":"/s"}"#, "type"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":""}"#, "type"),
        (r#"{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}"#, "id"),
    ];
    for (text, attribute) in table {
        let error = json::decode(&Bytes::from_static(text.as_bytes())).unwrap_err();
        assert_eq!(error.attribute_at_fault(), Some(attribute), "{text}: {error}");
    }
    let rest = [
        (r#","Upper":"x""#, "Upper"),
        (r#","with-dash":"x""#, "with-dash"),
        (r#","with_line":"x""#, "with_line"),
        (r#","":"x""#, ""),
        (r#","a":1.5"#, "a"),
        (r#","a":2147483648"#, "a"),
        (r#","a":{}"#, "a"),
        (r#","a":[1]"#, "a"),
        (r#","a":"x","a":"x""#, "a"),
        (r#","a":"\u0000""#, "a"),
        (r#","a":"line\nbreak""#, "a"),
        (r#","time":"yesterday""#, "time"),
        (r#","time":"2024-02-30T00:00:00Z""#, "time"),
        (r#","time":"2024-02-03 00:00:00Z""#, "time"),
        (r#","time":"2024-02-03T00:00:00""#, "time"),
        (r#","subject":"""#, "subject"),
        (r#","dataschema":"no-scheme""#, "dataschema"),
        (r#","datacontenttype":"json""#, "datacontenttype"),
        (r#","data":1,"data_base64":"eA==""#, "data_base64"),
        (r#","data":1,"data":2"#, "data"),
        (r#","data_base64":"%""#, "data_base64"),
    ];
    for (rest, attribute) in rest {
        let error = structured(rest).unwrap_err();
        assert_eq!(error.attribute_at_fault(), Some(attribute), "{rest}: {error}");
    }
}

#[test]
fn malformed_documents_are_refused() {
    for text in ["", "{", "[]", "null", "1", "{}x", r#"{"specversion"}"#] {
        assert!(json::decode(&Bytes::from_static(text.as_bytes())).is_err(), "{text}");
    }
    let number = json::decode(&Bytes::from_static(b"1")).unwrap_err().to_string();
    assert!(number.contains("expected an object with the event's attributes"), "{number}");
    let deep = |depth: usize| format!(r#","data":{}1{}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(structured(&deep(63)).is_ok());
    assert!(matches!(structured(&deep(64)), Err(Invalid::TooLarge { limit: 64, .. })));
    for text in ["[".repeat(500), "{".repeat(500), format!("\\\"{}", "[".repeat(500))] {
        assert!(structured(&format!(r#","data":"{text}""#)).is_ok(), "brackets in text are no nesting: {text}");
    }
    let closed = format!(r#","data":["{}",{}1{}]"#, "]".repeat(9), "[".repeat(63), "]".repeat(63));
    assert!(matches!(structured(&closed), Err(Invalid::TooLarge { .. })), "brackets in text close nothing");
}

#[test]
fn structured_events_keep_types_and_the_bytes_of_json_data() {
    let event =
        structured(r#","flag":true,"count":-5,"absent":null,"text":"5","data": { "a" : 1.0e1,  "a":2 } "#).unwrap();
    assert_eq!(event.optional("flag"), Some(&Value::Boolean(true)));
    assert_eq!(event.optional("count"), Some(&Value::Integer(-5)));
    assert_eq!(event.optional("text"), Some(&Value::from("5")));
    assert_eq!(event.optional("absent"), None);
    assert_eq!(event.data(), r#"{ "a" : 1.0e1,  "a":2 }"#);
    let again = json::decode(&json::encode(&event).into()).unwrap();
    assert_eq!(again, event);
}

#[test]
fn data_follows_its_content_type() {
    let table: [(&str, &str, &[u8]); 7] = [
        (r#""data":"plain""#, "text/plain", b"plain"),
        (r#""data":"esc\"aped\u00e9""#, "text/plain", "esc\"aped\u{e9}".as_bytes()),
        (r#""data":"quoted""#, "application/json", b"\"quoted\""),
        (r#""data":"quoted""#, "application/vnd.x+json; charset=utf-8", b"\"quoted\""),
        (r#""data":{"a":1}"#, "text/plain", b"{\"a\":1}"),
        (r#""data_base64":"AAH/""#, "application/octet-stream", &[0, 1, 255]),
        (r#""data":null"#, "application/json", b"null"),
    ];
    for (data, content_type, expected) in table {
        let event = structured(&format!(r#","datacontenttype":"{content_type}",{data}"#)).unwrap();
        assert_eq!(event.data(), expected, "{data}");
        assert_eq!(json::decode(&json::encode(&event).into()).unwrap().data(), expected, "{data} written and read");
    }
    let broken = structured("").unwrap().with_data("application/json", "{not json").unwrap();
    assert_eq!(json::decode(&json::encode(&broken).into()).unwrap(), broken, "data that only claims to be JSON");
}

#[test]
fn text_is_written_as_text_and_other_data_as_base64() {
    let written = |content_type: &str| {
        let event = structured("").unwrap().with_data(content_type, "<a>").unwrap();
        let written: serde_json::Value = serde_json::from_slice(&json::encode(&event)).unwrap();
        ["data", "data_base64"].map(|member| written.get(member).and_then(|text| text.as_str()).map(str::to_owned))
    };
    for textual in ["text/csv", "Text/HTML; charset=utf-8", "application/xml", "image/svg+xml"] {
        assert_eq!(written(textual), [Some("<a>".to_owned()), None], "{textual}");
    }
    for other in ["image/png", "application/xml-dtd", "application/text"] {
        assert_eq!(written(other), [None, Some("PGE+".to_owned())], "{other}");
    }
}

#[test]
fn binary_headers_are_read_encoded_plain_and_quoted() {
    let table = [
        ("a%20b", "a b"),
        ("a b", "a b"),
        ("\"a \\\"b\"", "a \"b"),
        ("100%", "100%"),
        ("%E2%82%AC", "€"),
        ("€", "€"),
        ("%zz", "%zz"),
    ];
    for (sent, read) in table {
        let event = binary(&[("ce-subject", sent)], "").unwrap();
        assert_eq!(event.attribute("subject").unwrap(), read, "{sent}");
        let written = binding::encode_binary(&event);
        assert!(written["ce-subject"].as_bytes().iter().all(|byte| (0x21..0x7f).contains(byte)), "{sent}");
        assert_eq!(binding::decode(&written, &Bytes::new()), Ok(Message::One(event)), "{sent}");
    }
}

#[test]
fn binary_events_that_are_refused_name_the_attribute() {
    let table: [(&[(&str, &str)], &str); 6] = [
        (&[("ce-my-name", "x")], "my-name"),
        (&[("ce-data", "x")], "data"),
        (&[("ce-datacontenttype", "text/plain")], "datacontenttype"),
        (&[("ce-a", "1"), ("ce-a", "2")], "a"),
        (&[("ce-a", "%0d%0aset-cookie:x")], "a"),
        (&[("ce-a", "%ff")], "a"),
    ];
    for (lines, attribute) in table {
        let error = binary(lines, "").unwrap_err();
        assert_eq!(error.attribute_at_fault(), Some(attribute), "{lines:?}: {error}");
    }
    let none = binding::decode(&headers(&[("content-type", "text/html")]), &Bytes::new());
    assert!(matches!(none, Err(Invalid::ContentType(_))));
    let unknown = binding::decode(&headers(&[("content-type", "application/cloudevents+avro")]), &Bytes::new());
    assert!(matches!(unknown, Err(Invalid::ContentType(_))));
    let coded = binary(&[("content-encoding", "gzip")], "").unwrap_err();
    assert_eq!(coded, Invalid::ContentCoding("gzip".to_owned()));
    assert!(binary(&[("content-encoding", "identity")], "").is_ok());
}

#[test]
fn as_many_attributes_are_taken_as_the_limit_says_required_ones_among_them() {
    let names: Vec<_> = (0..=ATTRIBUTES_MAX - 4).map(|index| format!("ce-a{index}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let members: Vec<_> = names.iter().map(|name| format!(r#","{}":"x""#, &name[3..])).collect();
    let (all, more) = (ATTRIBUTES_MAX - 4, ATTRIBUTES_MAX - 3);
    assert!(binary(&lines[..all], "").is_ok() && structured(&members[..all].concat()).is_ok());
    for refused in [binary(&lines[..more], ""), structured(&members[..more].concat())] {
        assert!(matches!(refused, Err(Invalid::TooLarge { limit: ATTRIBUTES_MAX, .. })), "{refused:?}");
    }
}

#[test]
fn the_content_type_says_whether_it_is_an_event_and_in_which_form() {
    let one = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let (event, batch) = (structured("").unwrap(), format!("[{one}]"));
    let read = |content_type: &str, body: &str| {
        let headers = headers(&[("content-type", content_type)]);
        assert!(binding::is_event(&headers), "{content_type}");
        binding::decode(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    };
    for content_type in ["application/cloudevents+json", "Application/CloudEvents+JSON ; charset=utf-8"] {
        assert_eq!(read(content_type, one), Ok(Message::One(event.clone())), "{content_type}");
    }
    assert_eq!(read("application/cloudevents-batch+json", &batch), Ok(Message::Batch(vec![event])));
    assert!(binding::is_event(&headers(&[("ce-specversion", "1.0"), ("content-type", "text/plain")])));
    for none in [&[][..], &[("content-type", "application/json")], &[("ce-id", "1")]] {
        assert!(!binding::is_event(&headers(none)), "an ordinary answer: {none:?}");
    }
}

#[test]
fn data_without_a_content_type_is_labelled_where_it_is_json() {
    let labelled = |data: &str| {
        let mut event = Event::new("1", "/s", "t").unwrap().with_data("a/b", data.to_owned()).unwrap();
        event.remove("datacontenttype");
        binding::encode_binary(&event).get("content-type").cloned()
    };
    assert_eq!(labelled(r#"{"a":1}"#), Some(HeaderValue::from_static("application/json")));
    assert_eq!((labelled("plain"), labelled("")), (None, None));
}

#[test]
fn batches_are_read_and_name_the_event_at_fault() {
    let good = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let read = |text: String| json::decode_batch(&Bytes::from(text));
    assert_eq!(read("[]".to_owned()), Ok(Vec::new()));
    let events = read(format!("[{good},{good}]")).unwrap();
    assert_eq!(json::decode_batch(&json::encode_batch(&events).into()), Ok(events));
    let error = read(format!(r#"[{good},{{"specversion":"1.0","id":"2","source":"/s"}}]"#)).unwrap_err();
    assert_eq!(
        (error.attribute_at_fault(), error.to_string()),
        (Some("type"), "event 1 of the batch: attribute \"type\" is required and missing".to_owned())
    );
    let many = |count| read(format!("[{}]", vec![good; count].join(",")));
    assert_eq!(many(1000).map(|events| events.len()), Ok(1000));
    assert!(matches!(many(1001), Err(Invalid::TooLarge { limit: 1000, .. })));
}

#[test]
fn check_reads_a_raw_http_message() {
    let message = "POST / HTTP/1.1\r\nHost: x\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\ncontent-type: text/plain\r\nContent-Length: 2\r\n\r\nhi\n";
    let events = check(Mode::Http, &Bytes::from_static(message.as_bytes())).unwrap();
    assert_eq!((events[0].data().as_ref(), events[0].content_type()), (&b"hi"[..], Some("text/plain")));
    let missing = message.replace("ce-type: t\r\n", "");
    assert_eq!(check(Mode::Http, &Bytes::from(missing)).unwrap_err().attribute_at_fault(), Some("type"));
    assert!(check(Mode::Http, &Bytes::from_static(b"no colon here\n\n")).is_err());
    let bare = message.replace("POST / HTTP/1.1\r\nHost: x\r\n", "");
    assert_eq!(check(Mode::Http, &Bytes::from(bare)), Ok(events), "the first line may be a header");
    let blank = |length| check(Mode::Structured, &vec![b' '; length].into());
    assert!(matches!(blank(EVENT_BYTES_MAX), Err(Invalid::Malformed(_))));
    assert!(matches!(blank(EVENT_BYTES_MAX + 1), Err(Invalid::TooLarge { limit: EVENT_BYTES_MAX, .. })));
}

#[test]
fn values_have_the_form_of_their_attribute() {
    let table: [(&'static str, &[&'static str], &[&'static str]); 4] = [
        ("dataschema", &["https://a/b", "a+b-c.1:x"], &["/a", "none", ":x", "1a:x", "a_b:x", "a:b c"]),
        (
            "datacontenttype",
            &["text/plain", "text/plain; charset=utf-8", "a!#$%&'*+-.^_`|~/b"],
            &["text", "text/", "/plain", "te xt/plain", "text/pl\u{e4}n", "text/plain; a=\u{e4}"],
        ),
        (
            "time",
            &["2024-02-03T00:00:00Z", "2024-02-03t00:00:00.1234567890123z", "2024-02-03T00:00:00.5-08:30"],
            &["2024-02-03T00:00:00+0830", "2024-02-03T00:00:00+08:3x", "2024-02-03T00:00:00.Z"],
        ),
        (
            "a",
            &["x", "\u{fdcf}\u{fdf0}\u{fffd}\u{1fffd}"],
            &["\u{fdd0}", "\u{fdef}", "\u{fffe}", "\u{1ffff}", "\u{7f}"],
        ),
    ];
    let with = |name: &'static str, value: &'static str| Event::new("1", "/s", "t").unwrap().with(name, value);
    for (name, good, bad) in table {
        for value in good {
            assert!(with(name, value).is_ok(), "{name} {value:?}");
        }
        for value in bad {
            assert_eq!(with(name, value).unwrap_err().attribute_at_fault(), Some(name), "{value:?}");
        }
    }
}

#[test]
fn what_an_event_takes_is_counted_and_bounded() {
    let event = Event::new("12", "/345", "67890").unwrap().with("subject", "abc").unwrap();
    assert_eq!(event.size(), 2 + 4 + 5 + 7 + 3);
    assert_eq!(event.with_data("a/b", "hello").unwrap().size(), 21 + 15 + 3 + 5);
    assert_eq!(attribute::check_amount(ATTRIBUTES_MAX, ATTRIBUTES_BYTES_MAX), Ok(()));
    assert!(attribute::check_amount(ATTRIBUTES_MAX + 1, 0).is_err());
    assert!(attribute::check_amount(0, ATTRIBUTES_BYTES_MAX + 1).is_err());
}

#[test]
fn a_mark_of_the_platform_is_there_once() {
    let mut event = Event::new("1", "/s", "t").unwrap().with("subject", "kept").unwrap();
    event.mark(TTL, Value::Integer(3));
    event.mark(TTL, Value::Integer(2));
    let all: Vec<_> = event.optionals().map(|(name, value)| format!("{name}={}", value.text())).collect();
    assert_eq!(all, ["subject=kept", "knativebrokerttl=2"]);
    assert_eq!((event.remove(TTL), event.remove(TTL)), (Some(Value::Integer(2)), None));
    assert_eq!(event.optional("subject"), Some(&Value::from("kept")));
}

#[test]
fn data_is_not_printed_for_debugging() {
    let event = Event::new("1", "/s", "t").unwrap().with_data("text/plain", "a secret").unwrap();
    let printed = format!("{event:?}");
    assert!(printed.contains("datacontenttype: \"text/plain\"") && printed.contains("8 bytes"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn the_own_builder_keeps_the_rules() {
    assert!(Event::new("", "/s", "t").is_err());
    let event = Event::new("1", "/s", "t").unwrap();
    assert!(event.clone().with("type", "x").is_err(), "required attributes are set once");
    assert!(event.clone().with("Bad", "x").is_err());
    assert!(event.with("subject", "a\u{7}").is_err());
}

#[test]
fn stored_records_that_are_cut_or_foreign_are_told() {
    let event = structured(r#","flag":true,"n":7,"subject":"x","data":[1]"#).unwrap();
    let record = stored::encode(&event);
    assert_eq!(stored::decode(&record), Ok(event.clone()));
    for length in 0..record.len() - event.data().len() {
        assert!(stored::decode(&record.slice(..length)).is_err(), "cut at {length}");
    }
    let mut newer = record.to_vec();
    newer[0] = 9;
    assert_eq!(stored::decode(&newer.into()), Err(stored::Unreadable::Version(9)));
}

#[test]
fn the_sdk_reads_what_we_write_and_we_read_what_it_writes() {
    let ours =
        structured(r#","subject":"s","flag":true,"n":7,"datacontenttype":"application/json","data":{"a":[1,2]}"#)
            .unwrap();
    let theirs: cloudevents::Event = serde_json::from_slice(&json::encode(&ours)).unwrap();
    assert_eq!((theirs.id(), theirs.ty(), theirs.subject()), ("1", "t", Some("s")));
    let back = json::decode(&serde_json::to_vec(&theirs).unwrap().into()).unwrap();
    assert_eq!((back.optional("flag"), back.optional("n")), (ours.optional("flag"), ours.optional("n")));
    assert_eq!(back.data(), ours.data());
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~¡-ʯ€]{0,12}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Boolean),
        any::<i32>().prop_map(Value::Integer)
    ]
}

prop_compose! {
    fn event()(
        id in "[!-~]{1,9}",
        extensions in proptest::collection::btree_map("[a-z][a-z0-9]{0,9}", value(), 0..6),
        data in proptest::collection::vec(any::<u8>(), 0..40),
        content_type in proptest::option::of(proptest::sample::select(vec!["text/plain", "application/json", "image/png"])),
    ) -> Event {
        let mut event = Event::new(id, "/s", "t").unwrap();
        for (name, value) in extensions {
            // Names with rules of their own are refused now and then, which is as well.
            let _ = event.set(name.into(), value);
        }
        match content_type {
            Some(content_type) => event.with_data(content_type, data).unwrap(),
            None => event,
        }
    }
}

proptest! {
    #[test]
    fn what_is_stored_reads_back(event in event()) {
        prop_assert_eq!(stored::decode(&stored::encode(&event)).unwrap(), event);
    }

    #[test]
    fn what_is_written_as_json_reads_back(event in event()) {
        let again = json::decode(&json::encode(&event).into()).unwrap();
        let is_json = json::is_json(event.content_type());
        if is_json { prop_assert_eq!(again.data().trim_ascii(), event.data().trim_ascii()) } else { prop_assert_eq!(&again, &event) }
    }

    #[test]
    fn what_is_written_as_headers_reads_back_as_text(event in event()) {
        let Ok(Message::One(again)) = binding::decode(&binding::encode_binary(&event), event.data()) else { panic!("no event") };
        prop_assert_eq!(again.data(), event.data());
        for (name, value) in event.optionals() {
            prop_assert_eq!(again.attribute(name).unwrap(), value.text());
        }
    }

    #[test]
    fn no_bytes_bring_the_readers_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        for mode in [Mode::Structured, Mode::Batch, Mode::Http] {
            // Whatever it answers.
            let _ = check(mode, &bytes);
        }
        let _ = stored::decode(&bytes);
    }

    #[test]
    fn no_damage_brings_the_readers_down(
        event in event(),
        cut in any::<proptest::sample::Index>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let whole = [json::encode(&event), json::encode_batch([&event, &event]), stored::encode(&event).to_vec()];
        for mut bytes in whole {
            for (place, byte) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            for bytes in [Bytes::copy_from_slice(&bytes[..cut.index(bytes.len())]), Bytes::from(bytes)] {
                let _ = (json::decode(&bytes), json::decode_batch(&bytes), stored::decode(&bytes));
            }
        }
    }

    #[test]
    fn no_headers_bring_the_reader_down(
        lines in proptest::collection::vec(("(ce-)?[a-z0-9_-]{1,8}|content-type|content-type|ce-id", header_value()), 0..8),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let body = Bytes::from(body);
        // What is read can be stored and written again.
        for event in binding::decode(&headers, &body).map(Message::into_events).unwrap_or_default() {
            prop_assert_eq!(stored::decode(&stored::encode(&event)).unwrap(), event.clone());
            let _ = (json::encode(&event), binding::encode_binary(&event));
        }
    }
}

/// Any bytes that a header may hold, and among them what the reader looks for.
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let known = [
        "1.0",
        "1",
        "/s",
        "%",
        "%F",
        "%ff",
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(HeaderValue::from_static),
        proptest::collection::vec(0x20..=0x7e_u8, 0..20).prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap()),
        proptest::collection::vec(0x80..=0xff_u8, 0..40).prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap()),
    ]
}
