//! The two marks of the newest events, in any order of things.

use proptest::prelude::*;

use super::*;
use crate::event::database::Loaded;
use crate::event::memory::Next;

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish(u64),
    WriteAndShow,
    FailAndShow,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![(1..8_u64).prop_map(Step::Publish), Just(Step::WriteAndShow), Just(Step::FailAndShow)]
}

/// The events in memory that may be read.
fn readable(memory: &Memory) -> Vec<u64> {
    match memory.next(memory.oldest().map_or(0, |oldest| oldest - 1), usize::MAX) {
        Next::Events(events, _) => numbers(&events),
        Next::Disk(_, first) => match memory.next(first - 1, usize::MAX) {
            Next::Events(events, _) => numbers(&events),
            Next::Disk(..) => unreachable!("memory begins there"),
        },
    }
}

proptest! {
    #[test]
    fn whatever_happens_events_are_shown_in_order_and_lost_ones_are_counted(steps in prop::collection::vec(any_step(), 1..60)) {
        let room = Bounds { waiting: 10, newest: 15 };
        let mut memory = Memory::new(room, Loaded::default(), None);
        let (mut published, mut disk, mut shown) = (0, Vec::new(), 0);
        for step in steps {
            match step {
                Step::Publish(count) => {
                    for _ in 0..count {
                        published += 1;
                        memory.put(event(published), Timestamp::UNIX_EPOCH, Duration::ZERO);
                    }
                }
                Step::WriteAndShow => {
                    let unsaved = memory.unsaved();
                    if let Some(last) = unsaved.last() {
                        disk.extend(unsaved.iter().map(|kept| kept.event.sequence));
                        memory.note_saved(last.event.sequence, disk.first().copied());
                    }
                    memory.show_saved();
                }
                Step::FailAndShow => memory.show_all(),
            }
            prop_assert!(memory.shown() >= shown);
            shown = memory.shown();
            prop_assert!(memory.waiting() <= room.waiting && memory.unsaved_count() <= room.newest);
            let readable = readable(&memory);
            prop_assert!(readable.is_sorted() && readable.len() <= room.newest);
            // Each one is refused, on the disk, given up, or still to be written.
            let lost = memory.lost();
            let known = disk.len() as u64 + memory.unsaved_count() as u64;
            prop_assert_eq!(known + lost.refused + lost.unsaved, published);
        }
    }
}
