//! From the text of a node range to its parts.

use opendcre_model::excerpt;

use super::error::{Bound, RangeError, Reason};
use super::number::{self, CountError};
use super::pattern::Pattern;
use super::syntax::{Operand, Operator, Step, Test, Value};
use super::word::Word;
use super::{MAX_CHARACTERS, MAX_DEPTH, MAX_PATTERNS, MAX_WORDS};

/// The spellings of a comparison, each before those that it begins with; whether it is negated, and whether the value is
/// a regular expression.
const COMPARISONS: [(&str, bool, bool); 6] = [
    ("!=~", true, true),
    ("!~", true, true),
    ("!=", true, false),
    ("=~", false, true),
    ("==", false, false),
    ("=", false, false),
];

/// Understands a text.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, RangeError> {
    let characters: Vec<char> = text.chars().take(MAX_CHARACTERS + 1).collect();
    if characters.len() > MAX_CHARACTERS {
        return Err(RangeError::too_large(MAX_CHARACTERS, Bound::Characters));
    }
    let mut parser = Parser { characters, at: 0, depth: 0, words: 0, patterns: 0 };
    if let Some(position) = parser.characters.iter().position(|c| c.is_control() && !c.is_whitespace()) {
        return Err(syntax(position, "a node range has no control characters; remove them"));
    }
    parser.skip_blanks();
    if parser.peek().is_none() {
        return Err(syntax(parser.at, "the node range is empty; write all to mean every board"));
    }
    let steps = parser.steps()?;
    if parser.peek().is_some() {
        return Err(parser.unexpected("\",\", \"@\" or the end"));
    }
    Ok(steps)
}

/// Whether `name` means only itself in a node range, alone or with a number of it in brackets.
pub(super) fn is_plain(name: &str) -> bool {
    let is_special =
        |c: char| ends_word(c) || matches!(c, '[' | ']' | '=' | '!' | '*' | '?') || c.is_control();
    !name.is_empty() && !name.starts_with(['-', '~']) && !name.contains(is_special) && name != "all"
}

/// `name` as a word without any meaning of its characters.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', r"\\").replace('"', "\\\""))
}

/// Whether `c` cannot be in a word.
const fn ends_word(c: char) -> bool {
    matches!(c, ',' | '@' | '(' | ')' | '"') || c.is_whitespace()
}

fn syntax(position: usize, message: impl Into<String>) -> RangeError {
    RangeError::new(position, Reason::Syntax(message.into()))
}

struct Parser {
    characters: Vec<char>,
    at: usize,
    depth: usize,
    /// How many words all numbers in brackets stand for so far.
    words: usize,
    patterns: usize,
}

impl Parser {
    fn steps(&mut self) -> Result<Vec<Step>, RangeError> {
        self.skip_blanks();
        let excludes = self.eat('-');
        let mut steps = Vec::new();
        let mut operator = if excludes { Operator::Exclude } else { Operator::Unite };
        loop {
            self.skip_blanks();
            let position = self.at;
            let operand = self.operand()?;
            steps.push(Step { operator, operand, position });
            self.skip_blanks();
            let operator_at = self.at;
            match self.operator() {
                None => return Ok(steps),
                Some(Operator::Unite) if excludes => {
                    return Err(syntax(
                        operator_at,
                        "a range that begins with an exclusion holds all other boards, so nothing can be added; \
                         write the exclusion last",
                    ));
                }
                Some(next) => operator = next,
            }
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        if self.eat('@') {
            return Some(Operator::Intersect);
        }
        if !self.eat(',') {
            return None;
        }
        self.skip_blanks();
        if self.eat('-') {
            Some(Operator::Exclude)
        } else if self.eat('@') {
            Some(Operator::Intersect)
        } else {
            Some(Operator::Unite)
        }
    }

    fn operand(&mut self) -> Result<Operand, RangeError> {
        match self.peek() {
            Some('(') => self.parentheses(),
            Some('~') => {
                self.at += 1;
                self.pattern().map(Operand::Name)
            }
            Some('"') => self.quoted().map(Operand::Quoted),
            Some('-') => {
                Err(syntax(self.at, "\"-\" excludes only behind a comma or at the beginning; write \",-\""))
            }
            Some(c) if !ends_word(c) => self.word_or_test(),
            _ => Err(self.unexpected("a name")),
        }
    }

    fn parentheses(&mut self) -> Result<Operand, RangeError> {
        let opened_at = self.at;
        if self.depth == MAX_DEPTH {
            return Err(RangeError::too_large(opened_at, Bound::Depth));
        }
        self.at += 1;
        self.depth += 1;
        let steps = self.steps()?;
        self.depth -= 1;
        if self.eat(')') {
            return Ok(Operand::Steps(steps));
        }
        match self.peek() {
            None => Err(syntax(opened_at, "\"(\" is not closed; write \")\" behind what belongs together")),
            Some(_) => Err(self.unexpected("\",\", \"@\" or \")\"")),
        }
    }

    /// The name between quotes, in which a backslash takes the meaning from a quote or backslash.
    fn quoted(&mut self) -> Result<String, RangeError> {
        let opened_at = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.extend(self.next()),
                Some(c) => text.push(c),
                None => {
                    return Err(syntax(
                        opened_at,
                        "the quote is not closed; write another one behind the name",
                    ));
                }
            }
        }
    }

    fn word_or_test(&mut self) -> Result<Operand, RangeError> {
        let start = self.at;
        let mut word = Word::new();
        loop {
            word.push_text(&self.plain());
            if self.comparison_ahead() {
                return self.test(start).map(Operand::Test);
            }
            match self.peek() {
                Some('[') => {
                    let opened_at = self.at;
                    let numbers = self.brackets(start)?;
                    word.push_numbers(numbers).map_err(|error| self.count_error(error, start, opened_at))?;
                }
                Some(']') => return Err(self.unexpected("\"[\" before")),
                Some('*') if self.is_lone_star(start) => {
                    self.at += 1;
                    return Ok(Operand::Everything);
                }
                Some('*' | '?') => {
                    return Err(syntax(
                        self.at,
                        format!(
                            "{:?} has a wildcard; write a regular expression behind \"~\"",
                            self.seen(start)
                        ),
                    ));
                }
                _ => break,
            }
        }
        self.words = self.words.saturating_add(word.count());
        if self.words > MAX_WORDS {
            return Err(RangeError::too_large(start, Bound::Words));
        }
        if self.text(start) == "all" { Ok(Operand::Everything) } else { Ok(Operand::Word(word)) }
    }

    /// Reads on until something that may mean more than itself.
    fn plain(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| !ends_word(c) && !matches!(c, '[' | ']' | '*' | '?'))
            && !self.comparison_ahead()
        {
            self.at += 1;
        }
        self.text(start)
    }

    fn is_lone_star(&self, start: usize) -> bool {
        self.at == start && self.characters.get(self.at + 1).is_none_or(|c| ends_word(*c))
    }

    fn comparison_ahead(&self) -> bool {
        match self.peek() {
            Some('=') => true,
            Some('!') => matches!(self.characters.get(self.at + 1), Some('=' | '~')),
            _ => false,
        }
    }

    /// The comparison of the attribute that began at `start` and has just been read.
    fn test(&mut self, start: usize) -> Result<Test, RangeError> {
        let attribute = self.text(start);
        if attribute.is_empty() || attribute.contains('[') {
            return Err(syntax(
                self.at,
                "a comparison needs the name of one attribute before it, as in rack=r1",
            ));
        }
        let Some((spelling, negated, matching)) =
            COMPARISONS.into_iter().find(|(text, ..)| self.is_ahead(text))
        else {
            return Err(self.unexpected("a comparison"));
        };
        self.at += spelling.len();
        let value = if matching { Value::Matching(self.pattern()?) } else { Value::Exact(self.value()?) };
        Ok(Test { attribute, value, negated })
    }

    fn value(&mut self) -> Result<String, RangeError> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let start = self.at;
        while self.peek().is_some_and(|c| !ends_word(c)) {
            self.at += 1;
        }
        Ok(self.text(start))
    }

    /// The regular expression from here to the first comma, `@` or closing parenthesis that is not in brackets of its
    /// own and not behind a backslash.
    fn pattern(&mut self) -> Result<Pattern, RangeError> {
        let start = self.at;
        let mut nesting = Nesting::default();
        while let Some(c) = self.peek().filter(|c| !nesting.ends_before(*c)) {
            self.at += 1;
            nesting.enter(c);
        }
        let text = self.text(start);
        let text = text.trim_end();
        if text.is_empty() {
            return Err(syntax(start, "\"~\" needs a regular expression behind it, as in ~^web"));
        }
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(RangeError::too_large(start, Bound::Patterns));
        }
        Pattern::new(text, start)
    }

    /// The numbers in the brackets that open here, in a word that begins at `start`; at least one.
    fn brackets(&mut self, start: usize) -> Result<Vec<String>, RangeError> {
        let opened_at = self.at;
        self.at += 1;
        let mut numbers = Vec::new();
        loop {
            let item_at = self.at;
            while self.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | ':')) {
                self.at += 1;
            }
            if self.peek().is_none() {
                return Err(syntax(opened_at, "\"[\" is not closed; write \"]\" behind the numbers"));
            }
            let item = self.text(item_at);
            let (first, last) = item.split_once(['-', ':']).unwrap_or((&item, &item));
            let counted =
                number::count(first, last).map_err(|error| self.count_error(error, start, item_at))?;
            numbers.extend(counted);
            if numbers.len() > MAX_WORDS {
                return Err(RangeError::too_large(start, Bound::Words));
            }
            if self.eat(']') {
                return Ok(numbers);
            }
            if !self.eat(',') {
                return Err(self.count_error(CountError::NotANumber, start, self.at));
            }
        }
    }

    fn count_error(&self, error: CountError, start: usize, position: usize) -> RangeError {
        let word = self.seen(start);
        match error {
            CountError::NotANumber => syntax(
                position,
                format!(
                    "{word:?} has something else than numbers in its brackets; write them as in [01-40,45]"
                ),
            ),
            CountError::Order => RangeError::new(position, Reason::Order { word }),
            CountError::TooMany => RangeError::too_large(start, Bound::Words),
        }
    }

    /// What stands here where `expected` should.
    fn unexpected(&self, expected: &str) -> RangeError {
        let message = match self.peek() {
            Some(_) => {
                let rest: String = self.characters.iter().skip(self.at).collect();
                format!("{:?} stands where {expected} is expected; correct the node range", excerpt(&rest))
            }
            None => format!("the node range ends where {expected} is expected; complete it"),
        };
        syntax(self.at, message)
    }

    /// The word from `start` as far as it goes, for messages.
    fn seen(&self, start: usize) -> String {
        let mut in_brackets = false;
        let rest = self.characters.iter().skip(start);
        let word = rest.take_while(|c| {
            in_brackets = **c == '[' || in_brackets && **c != ']';
            in_brackets || !ends_word(**c)
        });
        excerpt(&word.collect::<String>())
    }

    fn text(&self, start: usize) -> String {
        self.characters.get(start..self.at).unwrap_or_default().iter().collect()
    }

    fn is_ahead(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.characters.get(self.at + offset) == Some(&c))
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, expected: char) -> bool {
        let is_there = self.peek() == Some(expected);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }
}

/// Which brackets of a regular expression are open, as far as needed to see where it ends.
#[derive(Default)]
struct Nesting {
    escaped: bool,
    /// Open `[`; inside, parentheses and braces are ordinary characters.
    classes: usize,
    /// Whether a class was opened just now, so that `]` does not close it.
    class_begins: bool,
    groups: usize,
    braces: usize,
}

impl Nesting {
    const fn ends_before(&self, c: char) -> bool {
        let is_bare = !self.escaped && self.classes == 0 && self.groups == 0 && self.braces == 0;
        is_bare && matches!(c, ',' | '@' | ')')
    }

    const fn enter(&mut self, c: char) {
        let class_begins = self.class_begins;
        self.class_begins = false;
        if self.escaped {
            self.escaped = false;
            return;
        }
        match c {
            '\\' => self.escaped = true,
            '[' => {
                self.classes += 1;
                self.class_begins = true;
            }
            '^' if class_begins => self.class_begins = true,
            ']' if !class_begins => self.classes = self.classes.saturating_sub(1),
            _ if self.classes > 0 => {}
            '(' => self.groups += 1,
            ')' => self.groups = self.groups.saturating_sub(1),
            '{' => self.braces += 1,
            '}' => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
    }
}
