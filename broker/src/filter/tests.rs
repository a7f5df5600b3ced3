use super::{explain, lookup, matches};
use crate::event::{Event, Value};
use fnctl_config::snapshot::Filter;

fn exact(attribute: &str, value: &str) -> Filter {
    Filter::Exact { attribute: attribute.to_owned(), value: value.to_owned() }
}

fn prefix(attribute: &str, value: &str) -> Filter {
    Filter::Prefix { attribute: attribute.to_owned(), value: value.to_owned() }
}

fn suffix(attribute: &str, value: &str) -> Filter {
    Filter::Suffix { attribute: attribute.to_owned(), value: value.to_owned() }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn present(attribute: &str) -> Filter {
    Filter::Present { attribute: attribute.to_owned() }
}

#[test]
fn verdicts_and_their_reasons() {
    let event = Event::new("1", "/orders/eu", "order.created").unwrap();
    let event = event.with("flag", Value::Boolean(true)).unwrap().with("n", Value::Integer(5)).unwrap();
    let event = event.with("empty", "").unwrap().with_data("text/plain; charset=utf-8", "x").unwrap();
    let table = [
        (Filter::All(vec![]), true, "there is no filter: every event matches"),
        (Filter::Any(vec![]), false, "there is no alternative to match"),
        (exact("type", "order.created"), true, r#"type is "order.created""#),
        (exact("type", "order"), false, r#"type is "order.created", not "order""#),
        (exact("specversion", "1.0"), true, r#"specversion is "1.0""#),
        (exact("subject", "x"), false, "subject is absent"),
        (not(exact("subject", "x")), true, "not (subject is absent)"),
        (prefix("source", "/orders"), true, r#"source "/orders/eu" begins with "/orders""#),
        (prefix("source", "orders"), false, r#"source "/orders/eu" does not begin with "orders""#),
        (suffix("source", "/eu"), true, r#"source "/orders/eu" ends with "/eu""#),
        (suffix("missing", "x"), false, "missing is absent"),
        (exact("flag", "true"), true, r#"flag is "true""#),
        (exact("n", "5"), true, r#"n is "5""#),
        (present("n"), true, "n is present"),
        (present("empty"), false, "empty is empty"),
        (present("subject"), false, "subject is absent"),
        (exact("datamediatype", "text/plain"), true, r#"datamediatype is "text/plain""#),
        (Filter::All(vec![exact("type", "order.created"), exact("n", "6")]), false, r#"n is "5", not "6""#),
        (
            Filter::Any(vec![exact("n", "6"), exact("n", "7")]),
            false,
            r#"none of the alternatives matches: n is "5", not "6"; n is "5", not "7""#,
        ),
        (Filter::Any(vec![exact("n", "6"), exact("n", "5")]), true, r#"n is "5""#),
    ];
    for (filter, matched, reason) in table {
        let explained = explain(&filter, &event);
        assert_eq!((explained.matched, explained.reason.as_str()), (matched, reason), "{filter:?}");
        assert_eq!(matches(&filter, &event), matched, "{filter:?}");
    }
}

#[test]
fn older_names_mean_the_newer_attribute_where_they_are_not_there_themselves() {
    let plain = Event::new("1", "/s", "t").unwrap();
    let newer = plain.clone().with("dataschema", "http://new").unwrap();
    let newer = newer.with_data("Text/HTML ; charset=utf-8", "x").unwrap();
    let own = newer.clone().with("schemaurl", "http://old").unwrap().with("datamediatype", "own").unwrap();
    for (event, schema, media) in
        [(&plain, None, None), (&newer, Some("http://new"), Some("Text/HTML")), (&own, Some("http://old"), Some("own"))]
    {
        assert_eq!(lookup(event, "schemaurl").as_deref(), schema);
        assert_eq!(lookup(event, "datamediatype").as_deref(), media);
        assert_eq!(lookup(event, "dataschema").is_some(), schema.is_some());
    }
}
