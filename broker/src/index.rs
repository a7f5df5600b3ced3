//! All filters of a broker as one index, so that the cost of an event follows the triggers that match, not all of them.
//!
//! A filter that cannot match unless some attribute has one of a few values is filed under those values; the attribute
//! that tells most filters apart is taken. An event looks up its own values and evaluates only what is filed there, and
//! the filters that could not be filed.

use crate::event::Event;
use crate::filter;
use fnctl_config::snapshot::Filter;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The index. `K` names a trigger.
#[derive(Clone, Debug)]
pub struct Index<K> {
    entries: Vec<(K, Filter)>,
    /// Attribute, then value, then places in `entries`.
    filed: BTreeMap<String, HashMap<String, Vec<usize>>>,
    /// Places of the filters that name no value.
    unfiled: Vec<usize>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<K> Index<K> {
    /// Builds the index of these filters.
    pub fn new(entries: Vec<(K, Filter)>) -> Self {
        let required: Vec<_> = entries.iter().map(|(_, filter)| required(filter)).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (attribute, wanted) in required.iter().flatten() {
            values.entry(attribute).or_default().extend(wanted.iter().map(String::as_str));
        }
        let selectivity = |attribute: &str| values.get(attribute).map_or(0, BTreeSet::len);
        let mut filed: BTreeMap<String, HashMap<String, Vec<usize>>> = BTreeMap::new();
        let mut unfiled = Vec::new();
        for (place, required) in required.iter().enumerate() {
            // Fewest values of its own first, then the attribute with the most values overall.
            let best = required.iter().min_by_key(|(name, own)| (own.len(), usize::MAX - selectivity(name)));
            match best {
                Some((attribute, wanted)) => {
                    let by_value = filed.entry(attribute.clone()).or_default();
                    for value in wanted {
                        by_value.entry(value.clone()).or_default().push(place);
                    }
                }
                None => unfiled.push(place),
            }
        }
        Self { entries, filed, unfiled }
    }

    /// The triggers whose filter matches, each once.
    pub fn matches<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a K> + 'a {
        self.candidates(event).filter(|(_, filter)| filter::matches(filter, event)).map(|(key, _)| key)
    }

    /// Those whose filter has to be evaluated.
    fn candidates<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a (K, Filter)> + 'a {
        let filed = self.filed.iter().filter_map(|(attribute, by_value)| {
            filter::lookup(event, attribute).and_then(|value| by_value.get(value.as_ref()))
        });
        filed.flatten().chain(&self.unfiled).map(|place| &self.entries[*place])
    }
}

/// For each attribute that decides: the values of which it must have one, or the filter cannot match.
fn required(filter: &Filter) -> BTreeMap<String, BTreeSet<String>> {
    match filter {
        Filter::Exact { attribute, value } => BTreeMap::from([(attribute.clone(), BTreeSet::from([value.clone()]))]),
        Filter::All(filters) => filters.iter().map(required).fold(BTreeMap::new(), narrow),
        Filter::Any(filters) => {
            let mut alternatives = filters.iter().map(required);
            alternatives.next().map(|first| alternatives.fold(first, widen)).unwrap_or_default()
        }
        Filter::Not(_) | Filter::Prefix { .. } | Filter::Suffix { .. } | Filter::Present { .. } => BTreeMap::new(),
    }
}

type Required = BTreeMap<String, BTreeSet<String>>;

/// Both must hold: the values that both allow.
fn narrow(mut left: Required, right: Required) -> Required {
    for (attribute, wanted) in right {
        match left.get_mut(&attribute) {
            Some(known) => known.retain(|value| wanted.contains(value)),
            None => {
                left.insert(attribute, wanted);
            }
        }
    }
    left
}

/// One must hold: only what both name, with the values of either.
fn widen(left: Required, mut right: Required) -> Required {
    let both = |(attribute, mut wanted): (String, BTreeSet<String>)| {
        let other = right.remove(&attribute)?;
        wanted.extend(other);
        Some((attribute, wanted))
    };
    left.into_iter().filter_map(both).collect()
}

#[cfg(test)]
mod tests;
