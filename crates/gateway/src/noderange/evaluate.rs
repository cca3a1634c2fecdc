//! From the parts of a node range to the boards that it selects.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use opendcre_model::{BoardId, excerpt};

use super::directory::{Directory, Found};
use super::error::{Bound, RangeError, Reason};
use super::number::CountError;
use super::set::{exclude, intersect, set_of, unite};
use super::syntax::{Operand, Operator, Step, Test};
use super::word::Word;
use super::{MAX_DEPTH, MAX_SEARCHES, MAX_WORDS, NodeRange};

/// One evaluation, with what it has spent so far.
pub(super) struct Evaluation<'a> {
    directory: &'a dyn Directory,
    words: usize,
    searches: usize,
    /// The groups that are evaluated already: groups that name each other many times cost no more than once.
    groups: HashMap<&'a str, Vec<BoardId>>,
    /// The groups whose members are being evaluated, the outermost first.
    path: Vec<&'a str>,
}

/// A word where it is looked up.
#[derive(Clone, Copy)]
struct Mention<'t, 'a> {
    text: &'t str,
    /// Only boards of this rack are meant.
    rack: Option<&'a str>,
    /// Where the word that stands in the range begins.
    position: usize,
}

/// Boards that are named by the first and the last.
enum Span {
    Ids(RangeInclusive<BoardId>),
    Words(Word),
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(directory: &'a dyn Directory) -> Self {
        Self { directory, words: 0, searches: 0, groups: HashMap::new(), path: Vec::new() }
    }

    /// Applies the operators from left to right.
    pub(super) fn steps(&mut self, steps: &[Step]) -> Result<Vec<BoardId>, RangeError> {
        let mut boards = match steps.first() {
            Some(Step { operator: Operator::Exclude, .. }) => self.directory.boards(),
            _ => Vec::new(),
        };
        for step in steps {
            let operand = self.operand(step)?;
            match step.operator {
                Operator::Unite => unite(&mut boards, &operand),
                Operator::Exclude => exclude(&mut boards, &operand),
                Operator::Intersect => intersect(&mut boards, &operand),
            }
        }
        Ok(boards)
    }

    fn operand(&mut self, step: &Step) -> Result<Vec<BoardId>, RangeError> {
        let position = step.position;
        match &step.operand {
            Operand::Everything => Ok(self.directory.boards()),
            Operand::Steps(steps) => self.steps(steps),
            Operand::Name(pattern) => {
                let matches = |name: &str| pattern.matches(name);
                self.search(position, |directory, board| directory.any_value(board, "name", &matches))
            }
            Operand::Test(test) => self.test(test, position),
            Operand::Quoted(name) => {
                let mention = Mention { text: name, rack: None, position };
                self.named(mention)?.ok_or_else(|| mention.unknown())
            }
            Operand::Word(word) => self.words(word, position),
        }
    }

    fn test(&mut self, test: &Test, position: usize) -> Result<Vec<BoardId>, RangeError> {
        let Test { attribute, value, negated } = test;
        if !self.directory.has_attribute(attribute) {
            let reason = Reason::UnknownAttribute { attribute: excerpt(attribute) };
            return Err(RangeError::new(position, reason));
        }
        let accepts = |text: &str| value.accepts(text);
        self.search(position, |directory, board| directory.any_value(board, attribute, &accepts) != *negated)
    }

    /// The boards that pass `test`.
    fn search(
        &mut self,
        position: usize,
        test: impl Fn(&dyn Directory, BoardId) -> bool,
    ) -> Result<Vec<BoardId>, RangeError> {
        self.spend_search(position)?;
        let mut boards = self.directory.boards();
        boards.retain(|board| test(self.directory, *board));
        Ok(boards)
    }

    /// The boards that any of the words names that `word` stands for; each of them must name something.
    fn words(&mut self, word: &Word, position: usize) -> Result<Vec<BoardId>, RangeError> {
        self.spend_words(word.count(), position)?;
        let mut seen = HashSet::new();
        let mut boards = Vec::new();
        for text in word.expand() {
            if !seen.contains(&text) {
                boards.extend(self.mentioned(Mention { text: &text, rack: None, position })?);
                seen.insert(text);
            }
        }
        Ok(set_of(boards))
    }

    /// The boards that a word names: by itself, as a board of a rack, or as the first and the last of several.
    fn mentioned(&mut self, mention: Mention<'_, 'a>) -> Result<Vec<BoardId>, RangeError> {
        if let Some(boards) = self.named(mention)? {
            return Ok(boards);
        }
        if let Some((rack, text)) = self.in_rack(mention.text).filter(|_| mention.rack.is_none()) {
            return self.mentioned(Mention { text, rack: Some(rack), ..mention });
        }
        match span(mention)? {
            Some(Span::Ids(ids)) => self.ids(&ids, mention),
            Some(Span::Words(word)) => self.counted(&word, mention),
            None => Err(mention.unknown()),
        }
    }

    /// What a word names by itself: an exact name, or else the id of a board.
    fn named(&mut self, mention: Mention<'_, 'a>) -> Result<Option<Vec<BoardId>>, RangeError> {
        let Mention { text, rack, position } = mention;
        let mut found = self.find(text);
        if rack.is_some() {
            found.retain(|found| matches!(found, Found::Board(board) if self.is_in(*board, rack)));
        }
        match found.as_slice() {
            [only] => self.members(*only, position).map(Some),
            [] => {
                let board = text.parse().ok().filter(|board| self.directory.contains(*board));
                Ok(board.filter(|board| self.is_in(*board, rack)).map(|board| vec![board]))
            }
            several => {
                let candidates = several.iter().map(|found| self.candidate(*found)).collect();
                Err(RangeError::ambiguous(position, excerpt(text), candidates))
            }
        }
    }

    /// What is called `text`, or else has this address in any spelling.
    fn find(&self, text: &str) -> Vec<Found<'a>> {
        let found = self.directory.find(text);
        match text.parse::<IpAddr>() {
            Ok(address) if found.is_empty() => self.directory.find(&address.to_string()),
            _ => found,
        }
    }

    fn candidate(&self, found: Found<'_>) -> String {
        match found {
            Found::Board(board) => self.directory.describe(board),
            Found::Rack { name, .. } => format!("rack {name}"),
            Found::Group { name, .. } => format!("group {name}"),
        }
    }

    /// Whether `board` is in `rack`, if one is given.
    fn is_in(&self, board: BoardId, rack: Option<&str>) -> bool {
        rack.is_none_or(|rack| self.directory.any_value(board, "rack", &|value| value == rack))
    }

    /// The boards that `found` holds, which is named at `position`.
    pub(super) fn members(&mut self, found: Found<'a>, position: usize) -> Result<Vec<BoardId>, RangeError> {
        match found {
            Found::Board(board) => Ok(vec![board]),
            Found::Rack { boards, .. } => Ok(set_of(boards.to_vec())),
            Found::Group { boards, range: None, .. } => Ok(set_of(boards.to_vec())),
            Found::Group { name, boards, range: Some(range) } => {
                let mut members = self.group(name, range, position)?;
                unite(&mut members, &set_of(boards.to_vec()));
                Ok(members)
            }
        }
    }

    fn group(
        &mut self,
        name: &'a str,
        range: &NodeRange,
        position: usize,
    ) -> Result<Vec<BoardId>, RangeError> {
        if let Some(members) = self.groups.get(name) {
            return Ok(members.clone());
        }
        if self.path.contains(&name) {
            return Err(RangeError::new(position, Reason::Cycle(excerpt(name))));
        }
        if self.path.len() == MAX_DEPTH {
            return Err(RangeError::too_large(position, Bound::Depth));
        }
        self.path.push(name);
        let members = self.steps(&range.steps).map_err(|error| error.inside(name, position))?;
        self.path.pop();
        self.groups.insert(name, members.clone());
        Ok(members)
    }

    /// The rack and the board of `rack/board`.
    fn in_rack<'t>(&self, text: &'t str) -> Option<(&'a str, &'t str)> {
        let (rack, board) = text.split_once('/')?;
        let found = self.find(rack).into_iter().find_map(|found| match found {
            Found::Rack { name, .. } => Some(name),
            Found::Board(_) | Found::Group { .. } => None,
        });
        Some((found?, board))
    }

    /// The boards that there are from one id to another: not every number between them is in use.
    fn ids(
        &mut self,
        ids: &RangeInclusive<BoardId>,
        mention: Mention<'_, 'a>,
    ) -> Result<Vec<BoardId>, RangeError> {
        self.spend_search(mention.position)?;
        let mut boards = self.directory.boards();
        boards.retain(|board| ids.contains(board) && self.is_in(*board, mention.rack));
        if boards.is_empty() { Err(mention.unknown()) } else { Ok(boards) }
    }

    /// The boards that are named by `word`, which counts from the first to the last of several.
    fn counted(&mut self, word: &Word, mention: Mention<'_, 'a>) -> Result<Vec<BoardId>, RangeError> {
        self.spend_words(word.count(), mention.position)?;
        let mut boards = Vec::new();
        for text in word.expand() {
            let mention = Mention { text: &text, ..mention };
            boards.extend(self.named(mention)?.ok_or_else(|| mention.unknown())?);
        }
        Ok(set_of(boards))
    }

    fn spend_words(&mut self, words: usize, position: usize) -> Result<(), RangeError> {
        self.words = self.words.saturating_add(words);
        if self.words > MAX_WORDS { Err(RangeError::too_large(position, Bound::Words)) } else { Ok(()) }
    }

    fn spend_search(&mut self, position: usize) -> Result<(), RangeError> {
        self.searches += 1;
        if self.searches > MAX_SEARCHES {
            return Err(RangeError::too_large(position, Bound::Searches));
        }
        Ok(())
    }
}

impl Mention<'_, '_> {
    fn unknown(&self) -> RangeError {
        let word = self.rack.map_or_else(|| self.text.to_owned(), |rack| format!("{rack}/{}", self.text));
        RangeError::new(self.position, Reason::Unknown { word: excerpt(&word) })
    }
}

/// What a word means as the first and the last of several, if it does.
fn span(Mention { text, position, .. }: Mention<'_, '_>) -> Result<Option<Span>, RangeError> {
    for (first, last) in [':', '-'].into_iter().filter_map(|delimiter| halves(text, delimiter)) {
        if let Some((first, last)) = full_id(first).zip(full_id(last)).filter(|(first, last)| first <= last) {
            return Ok(Some(Span::Ids(first..=last)));
        }
        match Word::between(first, last) {
            Ok(Some(word)) => return Ok(Some(Span::Words(word))),
            Ok(None) | Err(CountError::NotANumber) => {}
            Err(CountError::Order) => {
                return Err(RangeError::new(position, Reason::Order { word: excerpt(text) }));
            }
            Err(CountError::TooMany) => return Err(RangeError::too_large(position, Bound::Words)),
        }
    }
    Ok(None)
}

/// An id with all its digits. Shorter ones are not the ends of a range: a mistyped `a-21` must not select boards.
fn full_id(text: &str) -> Option<BoardId> {
    text.parse().ok().filter(|id: &BoardId| id.to_string().len() == text.len())
}

/// What stands before and behind the delimiter in the middle of `text`, so that both halves may have it, too.
fn halves(text: &str, delimiter: char) -> Option<(&str, &str)> {
    let count = text.matches(delimiter).count();
    if count.is_multiple_of(2) {
        return None;
    }
    let (at, _) = text.match_indices(delimiter).nth(count / 2)?;
    let (first, last) = text.split_at(at);
    Some((first, last.strip_prefix(delimiter)?))
}
