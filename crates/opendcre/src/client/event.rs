//! Events: what happened, and what happens.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::sleep;

use crate::cli::{EventsArgs, Since};
use crate::exit::Exit;

use super::board::dash;
use super::event_stream::Message;
use super::http::{Http, Request};
use super::{Answer, ClientError, Console, interrupt};

/// The most events of one answer.
const PAGE: u16 = 1000;
/// How many events are shown unless somebody says how many, and how many before those that are waited for.
const USUAL: u16 = 100;
const USUAL_BEFORE: u16 = 10;
/// The pause before a server that went away is asked again; it doubles with each further attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An event, as it is shown.
#[derive(Deserialize)]
struct Event {
    time: Timestamp,
    severity: String,
    rack: Option<String>,
    name: Option<String>,
    message: String,
}

/// How far events have been read.
struct Reader<'a> {
    http: &'a Http,
    /// The question without where it begins.
    question: Request,
    /// The last event that was looked at.
    cursor: u64,
    /// Whether anything has come since this was cleared.
    has_heard: bool,
    /// How wide the widest place was so far: nobody knows which will come.
    place_width: usize,
}

/// `events`: some of those that the server keeps, and then, if that is wanted, every further one until Ctrl-C.
pub(super) async fn run(
    http: &Http,
    args: &EventsArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let kinds = (!args.kinds.is_empty()).then(|| args.kinds.join(","));
    let question = Request::get(&["events"])
        .with_optional("nodes", args.nodes.nodes.as_deref())
        .with_optional("kinds", kinds)
        .with_optional("severity", args.severity.as_deref());
    let mut reader = Reader { http, question, cursor: 0, has_heard: false, place_width: 0 };
    let reading = async {
        reader.past(args, console).await?;
        if args.follow { reader.follow(console).await } else { Ok(Exit::Done) }
    };
    if !args.follow {
        return reading.await;
    }
    tokio::select! {
        biased;
        () = interrupt() => Ok(Exit::Done),
        end = reading => end,
    }
}

impl Reader<'_> {
    /// Prints what has happened already.
    async fn past(&mut self, args: &EventsArgs, console: &mut Console<'_>) -> Result<(), ClientError> {
        let usual = if args.follow { USUAL_BEFORE } else { USUAL };
        let Some(since) = args.since else {
            let request = self.question.clone().with("limit", args.count.unwrap_or(usual));
            return self.page(&request, console).await.map(|_| ());
        };
        let limit = args.count.unwrap_or(PAGE);
        let question = self.question.clone().with("limit", limit);
        let first = match since {
            Since::Number(number) => question.clone().with("after", number),
            Since::Ago(span) => question.clone().with("from", format!("-{}ms", span.as_millis())),
        };
        let (mut printed, mut has_more) = self.page(&first, console).await?;
        while has_more && args.count.is_none_or(|count| printed < usize::from(count)) {
            let (more, still) = self.page(&question.clone().with("after", self.cursor), console).await?;
            (printed, has_more) = (printed + more, still);
        }
        Ok(())
    }

    /// Prints the events of one answer. Returns how many there were, and whether there are more.
    async fn page(
        &mut self,
        request: &Request,
        console: &mut Console<'_>,
    ) -> Result<(usize, bool), ClientError> {
        let mut items = Vec::new();
        let take = |_: &str, item: Answer| {
            items.push(item);
            Ok(())
        };
        let rest = self.http.each(request, take).await?;
        self.cursor = rest.member("cursor")?;
        tell_missed(rest.member("missed")?, console)?;
        self.print(&items, console)?;
        Ok((items.len(), self.cursor < rest.member("latest")?))
    }

    /// Prints every event, for ever. A server that goes away is waited for.
    async fn follow(&mut self, console: &mut Console<'_>) -> Result<Exit, ClientError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let end = self.listen(console).await;
            if std::mem::take(&mut self.has_heard) {
                pause = FIRST_PAUSE;
            }
            match end {
                Err(error) if !error.is_outage() => return Err(error),
                Err(error) if pause == FIRST_PAUSE => {
                    console.note(&format!("{error}; asking again until it answers"))?;
                }
                _ => {}
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Prints the events of one stream, until it ends.
    async fn listen(&mut self, console: &mut Console<'_>) -> Result<(), ClientError> {
        let request = self.question.clone().after_event(self.cursor);
        let http = self.http;
        http.listen(&request, |message| self.take(&message, console)).await
    }

    fn take(
        &mut self,
        Message { kind, data, id }: &Message,
        console: &mut Console<'_>,
    ) -> Result<(), ClientError> {
        self.has_heard = true;
        self.cursor = id.parse().unwrap_or(self.cursor);
        match kind.as_str() {
            "" => Ok(()),
            "missed" => tell_missed(Answer::parse(data)?.member("missed")?, console),
            "unresolved" => {
                let why = Answer::parse(data)?.text("message");
                console.note(&format!("{why}; going on with the boards that were meant until now"))
            }
            "end" => console.note(&format!("{}; asking again", Answer::parse(data)?.text("message"))),
            _ => self.print(&[Answer::parse(data)?], console),
        }
    }

    /// Prints events below each other, their places as wide as the widest so far.
    fn print(&mut self, items: &[Answer], console: &mut Console<'_>) -> Result<(), ClientError> {
        if console.is_for_programs() {
            return items.iter().try_for_each(|item| console.json(item));
        }
        let events = items.iter().map(Answer::read).collect::<Result<Vec<Event>, _>>()?;
        let widths = events.iter().map(|event| event.place().chars().count());
        self.place_width = widths.fold(self.place_width, usize::max);
        for event in &events {
            let (Event { time, severity, message, .. }, place) = (event, event.place());
            let width = self.place_width;
            console.line(&format!("{time:.0}  {severity:8}  {place:width$}  {message}"))?;
        }
        Ok(())
    }
}

fn tell_missed(missed: u64, console: &mut Console<'_>) -> Result<(), ClientError> {
    match missed {
        0 => Ok(()),
        _ => {
            console.note(&format!("{missed} events are not kept any more that happened before the next one"))
        }
    }
}

impl Event {
    fn place(&self) -> String {
        match (&self.rack, &self.name) {
            (Some(rack), Some(name)) => format!("{rack}/{name}"),
            (place, None) | (None, place) => place.clone().unwrap_or_else(dash),
        }
    }
}
