//! Commands, and procedures of several commands, without anything that sends them.
//!
//! A [`Command`] is one question with a typed answer. A [`Procedure`] asks as many as it needs, such as to walk a
//! repository record by record; whoever has a wire drives it with [`Procedure::advance`]. Every command is a
//! procedure of one step by [`Single`].

use crate::{CommandError, DecodeError, Request, Response};

/// One question with a typed answer.
pub trait Command {
    /// What the answer says.
    type Output;

    /// The name in the specification, for errors.
    const NAME: &'static str;

    /// The question.
    fn request(&self) -> Request;

    /// Reads the data of a successful answer, without its completion code.
    ///
    /// # Errors
    /// When the data are too short or not allowed.
    fn parse(&self, data: &[u8]) -> Result<Self::Output, DecodeError>;

    /// Reads a whole answer.
    ///
    /// # Errors
    /// When the BMC refuses, or its answer is malformed.
    fn read(&self, response: &Response) -> Result<Self::Output, CommandError> {
        if !response.completion.is_ok() {
            return Err(CommandError::Refused { command: Self::NAME, completion: response.completion });
        }
        self.parse(&response.data).map_err(|problem| CommandError::Malformed { command: Self::NAME, problem })
    }
}

/// What a procedure wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// Send this and come back with the answer.
    Ask(Request),
    /// It is finished.
    Done(T),
}

/// Several commands with one result.
pub trait Procedure {
    /// The result.
    type Output;

    /// Goes on with the answer to the last request; with nothing at the beginning. A procedure that is finished or
    /// has failed must not be asked again.
    ///
    /// # Errors
    /// When an answer makes it impossible to go on.
    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Self::Output>, CommandError>;
}

/// A procedure that stays with its owner: when whoever drives it gives up, somebody else may go on with it, as far as it
/// says that it can begin again.
impl<P: Procedure> Procedure for &mut P {
    type Output = P::Output;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Self::Output>, CommandError> {
        (**self).advance(answer)
    }
}

/// One command as a procedure.
#[derive(Debug, Clone)]
pub struct Single<C>(pub C);

impl<C: Command> Procedure for Single<C> {
    type Output = C::Output;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<C::Output>, CommandError> {
        match answer {
            None => Ok(Step::Ask(self.0.request())),
            Some(response) => self.0.read(response).map(Step::Done),
        }
    }
}
