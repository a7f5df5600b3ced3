use super::Index;
use crate::event::Event;
use crate::filter;
use fnctl_config::snapshot::Filter;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["type", "source", "subject", "a", "b"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["x", "y", "xy", "yx"]).prop_map(str::to_owned)
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        4 => (name(), text()).prop_map(|(attribute, value)| Filter::Exact { attribute, value }),
        1 => (name(), text()).prop_map(|(attribute, value)| Filter::Prefix { attribute, value }),
        1 => (name(), text()).prop_map(|(attribute, value)| Filter::Suffix { attribute, value }),
        1 => name().prop_map(|attribute| Filter::Present { attribute }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::All),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

prop_compose! {
    fn any_event()(kind in text(), source in text(), more in proptest::collection::btree_map(name(), text(), 0..4)) -> Event {
        let mut event = Event::new("1", source, kind).unwrap();
        for (name, value) in more {
            // The required ones are there already.
            let _ = event.set(name.into(), value.into());
        }
        event
    }
}

proptest! {
    #[test]
    fn the_index_answers_as_the_filters_do(filters in proptest::collection::vec(any_filter(), 0..12), event in any_event()) {
        let entries: Vec<_> = filters.iter().cloned().enumerate().collect();
        let index = Index::new(entries);
        let mut found: Vec<_> = index.matches(&event).copied().collect();
        found.sort_unstable();
        let naive: Vec<_> = (0..filters.len()).filter(|place| filter::matches(&filters[*place], &event)).collect();
        prop_assert_eq!(found, naive);
    }
}

#[test]
fn only_what_is_filed_under_the_events_values_is_evaluated() {
    let filter = |number: usize| {
        Filter::All(vec![
            Filter::Exact { attribute: "source".to_owned(), value: "same".to_owned() },
            Filter::Exact { attribute: "type".to_owned(), value: format!("t{number}") },
        ])
    };
    let index = Index::new((0..1_000).map(|number| (number, filter(number))).collect());
    let event = Event::new("1", "same", "t7").unwrap();
    assert_eq!(index.candidates(&event).count(), 1);
    assert_eq!(index.matches(&event).collect::<Vec<_>>(), [&7]);
}

#[test]
fn alternatives_are_filed_under_each_of_their_values() {
    let exact = |attribute: &str, value: String| Filter::Exact { attribute: attribute.to_owned(), value };
    let filter = |number: usize| {
        let second = vec![exact("type", format!("u{number}")), exact("source", "same".to_owned())];
        Filter::Any(vec![exact("type", format!("t{number}")), Filter::All(second)])
    };
    let mut entries: Vec<_> = (0..1_000).map(|number| (number, filter(number))).collect();
    // These have no attribute in common: any event may match.
    entries.push((1_000, Filter::Any(vec![exact("type", "t7".to_owned()), exact("subject", "s".to_owned())])));
    let index = Index::new(entries);
    for (kind, candidates, matching) in [("t7", 2, &[7, 1_000][..]), ("u7", 2, &[7]), ("v", 1, &[])] {
        let event = Event::new("1", "same", kind).unwrap();
        assert_eq!(index.candidates(&event).count(), candidates, "{kind}");
        assert_eq!(index.matches(&event).copied().collect::<Vec<_>>(), matching, "{kind}");
    }
}
