//! The groups of the configuration: names for node ranges. It does not know the boards that they select.

use std::collections::BTreeMap;

use opendcre_gateway::{Directory, Found, NodeRange, RangeError};
use opendcre_model::BoardId;

use super::annotation::check_group_name;
use super::check::Findings;

/// What stands for every board, none of which is known yet.
const SOME_BOARD: BoardId = BoardId(0);

/// Everything that is wrong with the groups.
pub(super) fn check(groups: &BTreeMap<String, String>, findings: &mut Findings) {
    let mut understood = Groups::default();
    for (name, members) in groups {
        let path = format!("groups.{name}");
        check_group_name(&path, name, findings);
        match members.parse() {
            Ok(range) => {
                understood.0.insert(name, range);
            }
            Err(error) => findings.add(path, describe(&error)),
        }
    }
    for (name, range) in &understood.0 {
        if let Some(error) = range.evaluate(&understood).err().filter(is_certain) {
            findings.add(format!("groups.{name}"), describe(&error));
        }
    }
}

/// Whether it is an error whatever boards there are, such as a group that contains itself.
fn is_certain(error: &RangeError) -> bool {
    matches!(error.code(), "bad_range" | "range_too_large")
}

fn describe(error: &RangeError) -> String {
    format!("{error}, at character {}", error.position() + 1)
}

/// The groups in a place where every other word names a board.
#[derive(Default)]
struct Groups<'c>(BTreeMap<&'c str, NodeRange>);

impl Directory for Groups<'_> {
    fn boards(&self) -> Vec<BoardId> {
        vec![SOME_BOARD]
    }

    fn contains(&self, _: BoardId) -> bool {
        true
    }

    fn find(&self, word: &str) -> Vec<Found<'_>> {
        let group = self.0.get_key_value(word);
        let group = group.map(|(name, range)| Found::Group { name, boards: &[], range: Some(range) });
        vec![group.unwrap_or(Found::Board(SOME_BOARD))]
    }

    fn describe(&self, board: BoardId) -> String {
        board.to_string()
    }

    fn has_attribute(&self, _: &str) -> bool {
        true
    }

    fn any_value(&self, _: BoardId, _: &str, _: &dyn Fn(&str) -> bool) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::problems;

    #[test]
    fn a_group_is_a_node_range_of_anything() {
        let text = "[groups]\ndb = 'db-[01-04],rack_3,-db-02'\nfront = 'db,role=web,~^www'\n'front.all' = 'all,-front'";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn a_fault_in_a_group_names_its_line_and_its_place() {
        let found = problems("[groups]\nweb = 'web-[01'\n'a.b' = 'x,,y'");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("2: groups.web: ") && found[0].contains(", at character "), "{found:?}");
        assert!(found[1].starts_with("3: groups.a.b: ") && found[1].contains(", at character "), "{found:?}");
    }

    #[test]
    fn a_group_does_not_contain_itself() {
        assert_eq!(
            problems("[groups]\na = 'x,a'"),
            [
                "2: groups.a: the group \"a\" contains itself; remove it from its own members in the configuration \
                 (in the members of group \"a\"), at character 3"
            ]
        );
        let found = problems("[groups]\na = 'x,b'\nb = '-(c@y)'\nc = 'a'\nd = 'x'");
        assert_eq!(found.len(), 3, "{found:?}");
        for (found, place) in found.iter().zip(["2: groups.a: ", "3: groups.b: ", "4: groups.c: "]) {
            assert!(found.starts_with(place) && found.contains(" contains itself; "), "{found}");
        }
    }

    #[test]
    fn names_of_groups() {
        for name in ["", "1", "-a", "a b", "a,b", &"x".repeat(65)] {
            let found = problems(&format!("[groups]\n'{name}' = 'x'"));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].contains("will not do; use 1 to 64 letters, digits"), "{found:?}");
        }
        assert_eq!(
            problems("[groups]\nall = 'x'"),
            ["2: groups.all: \"all\" means every board; use another name"]
        );
    }
}
