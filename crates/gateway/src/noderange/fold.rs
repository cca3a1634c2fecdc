//! Many names as one short node range.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::number;
use super::parse::{is_plain, quote};

/// The numbers of names that are otherwise equal: by value, then as they are written.
type Numbers<'a> = BTreeSet<(u64, &'a str)>;

/// Numbers that follow each other without a gap.
struct Run<'a> {
    first: &'a str,
    last: &'a str,
}

/// A node range that names exactly `names`, such as `node[01-04,07],web`: sorted, each name once, the last number of
/// each name counted, its padding kept.
///
/// Names with characters that mean something in a node range are quoted. Many names that do not resemble each other
/// make a text that is longer than a node range may be; people can still read it.
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut families: BTreeMap<(&str, &str), Numbers<'_>> = BTreeMap::new();
    let mut words: BTreeSet<(&str, &str, String)> = BTreeSet::new();
    for name in names {
        match split(name) {
            Some((prefix, number, suffix)) => {
                families.entry((prefix, suffix)).or_default().insert(number);
            }
            None if is_plain(name) => {
                words.insert((name, "", name.to_owned()));
            }
            None => {
                words.insert((name, "", quote(name)));
            }
        }
    }
    let counted = families.into_iter().map(|((prefix, suffix), numbers)| {
        let word = format!("{prefix}{}{suffix}", bracketed(&numbers));
        (prefix, suffix, word)
    });
    words.extend(counted);
    words.into_iter().map(|(_, _, word)| word).collect::<Vec<_>>().join(",")
}

/// What stands before the last number of a name, that number, and what stands behind it.
fn split(name: &str) -> Option<(&str, (u64, &str), &str)> {
    if !is_plain(name) {
        return None;
    }
    let head = name.trim_end_matches(|c: char| !c.is_ascii_digit());
    let prefix = head.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = head.strip_prefix(prefix)?;
    Some((prefix, (number::parse(digits)?, digits), name.strip_prefix(head)?))
}

fn bracketed(numbers: &Numbers<'_>) -> String {
    let runs = runs(numbers);
    let texts: Vec<String> = runs.iter().map(Run::text).collect();
    match runs.as_slice() {
        [Run { first, last }] if first == last => (*first).to_owned(),
        _ => format!("[{}]", texts.join(",")),
    }
}

fn runs<'a>(numbers: &Numbers<'a>) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    // Which run a number would continue. Runs of different padding are open side by side.
    let mut open: HashMap<String, usize> = HashMap::new();
    for (_, digits) in numbers {
        let index = open.remove(*digits).unwrap_or(runs.len());
        match runs.get_mut(index) {
            Some(run) => run.last = digits,
            None => runs.push(Run { first: digits, last: digits }),
        }
        if let Some(next) = number::successor(digits) {
            open.insert(next, index);
        }
    }
    runs
}

impl Run<'_> {
    fn text(&self) -> String {
        if self.first == self.last { self.first.to_owned() } else { format!("{}-{}", self.first, self.last) }
    }
}
