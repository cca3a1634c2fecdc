//! From the parts of a node range to the boards that it selects.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

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

/// Boards that are named by the first and the last.
enum Span {
    Ids(BoardId, BoardId),
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
                let boards = self.named(name, None, position)?;
                boards.ok_or_else(|| unknown(name, None, position))
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
        self.searches += 1;
        if self.searches > MAX_SEARCHES {
            return Err(RangeError::too_large(position, Bound::Searches));
        }
        let mut boards = self.directory.boards();
        boards.retain(|board| test(self.directory, *board));
        Ok(boards)
    }

    /// The boards that any of the words names that `word` stands for; each of them must name something.
    fn words(&mut self, word: &Word, position: usize) -> Result<Vec<BoardId>, RangeError> {
        self.spend(word.count(), position)?;
        let mut seen = HashSet::new();
        let mut boards = Vec::new();
        for text in word.expand() {
            if !seen.contains(&text) {
                boards.extend(self.word(&text, None, position)?);
                seen.insert(text);
            }
        }
        Ok(set_of(boards))
    }

    /// The boards that `text` names: by itself, as a board of a rack, or as the first and the last of several. Only
    /// boards of `rack`, if it is given.
    fn word(
        &mut self,
        text: &str,
        rack: Option<&'a str>,
        position: usize,
    ) -> Result<Vec<BoardId>, RangeError> {
        if let Some(boards) = self.named(text, rack, position)? {
            return Ok(boards);
        }
        if let Some((rack, board)) = self.in_rack(text).filter(|_| rack.is_none()) {
            return self.word(board, Some(rack), position);
        }
        match self.span(text, position)? {
            Some(span) => self.members_of_span(span, text, rack, position),
            None => Err(unknown(text, rack, position)),
        }
    }

    /// What `text` names by itself: an exact name, or else the id of a board.
    fn named(
        &mut self,
        text: &str,
        rack: Option<&str>,
        position: usize,
    ) -> Result<Option<Vec<BoardId>>, RangeError> {
        let mut found = self.find(text);
        if let Some(rack) = rack {
            found.retain(|found| matches!(found, Found::Board(board) if self.is_in(*board, rack)));
        }
        match found.as_slice() {
            [only] => self.members(*only, position).map(Some),
            [] => {
                let board = text.parse().ok().filter(|board| self.directory.contains(*board));
                let board = board.filter(|board| rack.is_none_or(|rack| self.is_in(*board, rack)));
                Ok(board.map(|board| vec![board]))
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

    fn is_in(&self, board: BoardId, rack: &str) -> bool {
        self.directory.any_value(board, "rack", &|value| value == rack)
    }

    fn members(&mut self, found: Found<'a>, position: usize) -> Result<Vec<BoardId>, RangeError> {
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

    /// What `text` means as the first and the last of several.
    fn span(&self, text: &str, position: usize) -> Result<Option<Span>, RangeError> {
        for (first, last) in [':', '-'].into_iter().filter_map(|delimiter| halves(text, delimiter)) {
            if let Some((first, last)) =
                self.id(first).zip(self.id(last)).filter(|(first, last)| first <= last)
            {
                return Ok(Some(Span::Ids(first, last)));
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

    /// The id that `text` is, unless it is the name of something else. No board needs to have it.
    fn id(&self, text: &str) -> Option<BoardId> {
        let id = text.parse().ok()?;
        let is_other = |found: &Found<'_>| !matches!(found, Found::Board(board) if *board == id);
        if self.find(text).iter().any(is_other) { None } else { Some(id) }
    }

    fn members_of_span(
        &mut self,
        span: Span,
        text: &str,
        rack: Option<&str>,
        position: usize,
    ) -> Result<Vec<BoardId>, RangeError> {
        let word = match span {
            Span::Ids(first, last) => return self.ids(first, last, text, rack, position),
            Span::Words(word) => word,
        };
        self.spend(word.count(), position)?;
        let mut boards = Vec::new();
        for text in word.expand() {
            boards.extend(self.named(&text, rack, position)?.ok_or_else(|| unknown(&text, rack, position))?);
        }
        Ok(set_of(boards))
    }

    /// The boards that there are from one id to another: the numbers between them are not names, and not all in use.
    fn ids(
        &mut self,
        first: BoardId,
        last: BoardId,
        text: &str,
        rack: Option<&str>,
        position: usize,
    ) -> Result<Vec<BoardId>, RangeError> {
        let is_meant = |directory: &dyn Directory, board: BoardId| {
            let in_rack = |rack| directory.any_value(board, "rack", &|value| value == rack);
            (first..=last).contains(&board) && rack.is_none_or(in_rack)
        };
        let boards = self.search(position, is_meant)?;
        if boards.is_empty() { Err(unknown(text, rack, position)) } else { Ok(boards) }
    }

    fn spend(&mut self, words: usize, position: usize) -> Result<(), RangeError> {
        self.words = self.words.saturating_add(words);
        if self.words > MAX_WORDS { Err(RangeError::too_large(position, Bound::Words)) } else { Ok(()) }
    }
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

fn unknown(word: &str, rack: Option<&str>, position: usize) -> RangeError {
    let word = rack.map_or_else(|| word.to_owned(), |rack| format!("{rack}/{word}"));
    RangeError::new(position, Reason::Unknown { word: excerpt(&word) })
}
