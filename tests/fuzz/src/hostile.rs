//! A BMC that answers procedures as it likes: right, wrong, too much, too little, or not at all to the point.

use arbitrary::Arbitrary;
use opendcre_ipmi::{CommandError, Completion, Procedure, Request, Response, Step};

/// No request of a procedure is longer: it has to fit into one message of any BMC.
const MAX_REQUEST: usize = 80;

/// The answers to one procedure after another.
#[derive(Debug, Arbitrary)]
pub(crate) struct Hostility {
    answers: Vec<Answer>,
    /// What is answered when the list is used up.
    rest: Answer,
}

/// How an answer differs from the honest one.
#[derive(Debug, Arbitrary)]
enum Answer {
    Honest,
    Refusal(u8),
    Other(Vec<u8>),
    /// An honest one, with bytes behind it.
    Longer(Vec<u8>),
    CutOff {
        length: u8,
    },
    Flip {
        byte: u8,
        bits: u8,
    },
}

/// How many records there are: few, or more than anybody reads.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Count {
    Few(u8),
    Endless,
}

impl Count {
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Few(count) => count.into(),
            Self::Endless => u16::MAX,
        }
    }
}

impl Hostility {
    /// How many answers there are before they are all alike.
    pub(crate) const fn length(&self) -> usize {
        self.answers.len()
    }

    /// Drives a procedure to its end, which must come within `most` requests. `honest` gives the data of an answer
    /// without its completion code.
    pub(crate) fn drive<P: Procedure>(
        &self,
        mut procedure: P,
        most: usize,
        honest: impl Fn(&Request) -> Vec<u8>,
    ) -> Result<P::Output, CommandError> {
        let mut step = procedure.advance(None)?;
        for answer in self.answers.iter().chain(std::iter::repeat(&self.rest)).take(most) {
            let request = match step {
                Step::Done(output) => return Ok(output),
                Step::Ask(request) => request,
            };
            assert!(request.netfn.is_request() && request.lun < 4, "{request:?}");
            assert!(request.data.len() <= MAX_REQUEST, "{request:?}");
            step = procedure.advance(Some(&answer.to(honest(&request))))?;
        }
        match step {
            Step::Done(output) => Ok(output),
            Step::Ask(request) => panic!("still asks after {most} requests: {request:?}"),
        }
    }
}

impl Answer {
    fn to(&self, mut data: Vec<u8>) -> Response {
        match self {
            Self::Honest => {}
            Self::Refusal(code) => return Response { completion: Completion(*code), data },
            Self::Other(other) => data.clone_from(other),
            Self::Longer(more) => data.extend(more),
            Self::CutOff { length } => data.truncate(usize::from(*length)),
            Self::Flip { byte, bits } => {
                if let Some(byte) = data.get_mut(usize::from(*byte)) {
                    *byte ^= bits;
                }
            }
        }
        Response { completion: Completion::OK, data }
    }
}
