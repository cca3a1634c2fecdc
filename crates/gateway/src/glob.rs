//! Patterns with `*` for any text and `?` for any one character. Matching takes time in proportion to the lengths of
//! pattern and text, one times the other, whatever either says.

use std::str::Chars;

/// The most characters of a pattern.
const MAX_CHARACTERS: usize = 256;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    /// Capital letters and small ones are the same. The text is in small ones then.
    any_case: bool,
}

impl Glob {
    /// A pattern; nothing if the text is empty or too long.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_pattern = !text.is_empty() && text.chars().nth(MAX_CHARACTERS).is_none();
        is_pattern.then(|| Self { text: text.to_owned(), any_case: false })
    }

    /// The same pattern for names that mean the same in capital letters.
    #[must_use]
    pub fn in_any_case(self) -> Self {
        Self { text: self.text.to_lowercase(), any_case: true }
    }

    /// Whether the whole of `text` is as the pattern says.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if self.any_case {
            matches(self.text.chars(), text.chars().flat_map(char::to_lowercase))
        } else {
            matches(self.text.chars(), text.chars())
        }
    }
}

fn matches<I: Iterator<Item = char> + Clone>(mut pattern: Chars<'_>, mut text: I) -> bool {
    // What follows the last star, and the text from which on that is tried. Only the last star need ever take more.
    let mut retry: Option<(Chars<'_>, I)> = None;
    loop {
        let here = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((pattern.clone(), here.clone()));
                text = here;
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            (_, None) => return false,
            (_, Some(_)) => {
                let Some((after, from)) = &mut retry else { return false };
                from.next();
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_any_character() {
        for (pattern, text) in [
            ("*", ""),
            ("rack_1*", "rack_1"),
            ("rack_1*", "rack_17"),
            ("a*b*c", "a-b-b-c"),
            ("?", "é"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("?", ""), ("rack_1", "rack_17"), ("a*b", "a-b-"), ("a*", "ba"), ("a", "A")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(Glob::new("Web-*").unwrap().in_any_case().matches("wEB-01"));
    }

    #[test]
    fn a_pattern_is_neither_empty_nor_endless() {
        assert_eq!(Glob::new(""), None);
        assert!(Glob::new(&"é".repeat(256)).is_some());
        assert_eq!(Glob::new(&"é".repeat(257)), None);
    }

    #[test]
    fn many_stars_do_not_take_long() {
        assert!(!matches(
            &"*a".repeat(128),
            &"a".repeat(20_000).replace("aaaaaaaaaa", "aaaaaaaaab").repeat(2)[..127]
        ));
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_its_regular_expression_means(pattern in "[ab*?.]{1,8}", text in "[ab.*]{0,10}") {
            let expression: String = pattern.chars().map(|c| match c {
                '*' => "(?s:.*)".to_owned(),
                '?' => "(?s:.)".to_owned(),
                other => regex::escape(&other.to_string()),
            }).collect();
            let expected = Regex::new(&format!("^{expression}$")).unwrap().is_match(&text);
            prop_assert_eq!(matches(&pattern, &text), expected);
        }

        #[test]
        fn a_text_without_signs_matches_itself_alone(text in "[^*?]{1,20}", other in "\\PC{0,20}") {
            prop_assert!(matches(&text, &text));
            prop_assert_eq!(matches(&text, &other), text == other);
        }
    }
}
