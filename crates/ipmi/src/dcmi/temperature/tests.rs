//! Tests of the temperatures, with a BMC that is a function.

use proptest::prelude::*;

use super::*;
use crate::NetFn;

fn answer(completion: u8, data: Vec<u8>) -> Response {
    Response { completion: Completion(completion), data }
}

type Found<C> = Result<Vec<(Entity, <C as EntityCommand>::Item)>, CommandError>;

fn drive<C: EntityCommand>(bmc: impl Fn(EntityQuery) -> Response) -> (Vec<(u8, u8)>, Found<C>) {
    let mut procedure = WalkEntities::<C>::new();
    let (mut asked, mut last) = (Vec::new(), None);
    loop {
        match procedure.advance(last.as_ref()) {
            Ok(Step::Done(found)) => return (asked, Ok(found)),
            Err(error) => return (asked, Err(error)),
            Ok(Step::Ask(request)) => {
                assert_eq!(request.netfn, NetFn(0x2c));
                let query = EntityQuery::decode(&request.data).unwrap();
                asked.push((query.entity, query.start));
                last = Some(bmc(query));
            }
        }
    }
}

/// The record ids of a BMC with 1 inlet, `processors` processors and 1 baseboard, whose first instance is `first`.
fn sensors(query: EntityQuery, processors: u16, first: u8) -> Response {
    let count = match query.entity {
        0x40 | 0x42 => 1,
        0x41 => processors,
        _ => 0,
    };
    let skipped = usize::from(query.start.saturating_sub(first));
    let items = (1..=count).map(|number| u16::from(query.entity) << 8 | number).skip(skipped).collect();
    answer(0x00, Page { total: u8::try_from(count).unwrap(), items }.encode())
}

#[test]
fn the_questions_are_those_of_ipmitool() {
    let query = EntityQuery { entity: 0x41, instance: 0, start: 8 };
    assert_eq!(
        GetSensorInfo(query).request(),
        Request::new(NetFn(0x2c), 0x07, &[0xdc, 0x01, 0x41, 0x00, 0x08])
    );
    assert_eq!(
        GetTemperatureReadings(query).request(),
        Request::new(NetFn(0x2c), 0x10, &[0xdc, 0x01, 0x41, 0x00, 0x08])
    );
    EntityQuery::decode(&[0xdc, 0x02, 0x41, 0x00, 0x00]).unwrap_err();
}

/// ipmitool and ipmi-dcmi show the first of these bytes as record ids 1041 and 1042; ipmitool shows the second as -5 C
/// and +33 C.
#[test]
fn pages_are_read() {
    let query = EntityQuery { entity: 0x41, instance: 0, start: 0 };
    let page = GetSensorInfo(query).parse(&[0xdc, 0x0a, 0x02, 0x11, 0x04, 0x12, 0x04]).unwrap();
    assert_eq!(page, Page { total: 10, items: vec![1041, 1042] });
    assert_eq!(page.encode(), [0xdc, 0x0a, 0x02, 0x11, 0x04, 0x12, 0x04]);
    let page = GetTemperatureReadings(query).parse(&[0xdc, 0x02, 0x02, 0x85, 0x01, 0x21, 0x02]).unwrap();
    let temperature = |instance, celsius| Temperature { instance, celsius };
    assert_eq!(page, Page { total: 2, items: vec![temperature(1, -5), temperature(2, 33)] });
    assert_eq!(page.encode(), [0xdc, 0x02, 0x02, 0x85, 0x01, 0x21, 0x02]);
    Page::<u16>::decode(&[0xdc, 0x0a, 0x02, 0x11, 0x04, 0x12]).unwrap_err();
}

#[test]
fn all_sensors_are_found_whether_instances_count_from_0_or_1() {
    for first in [0, 1] {
        let (_, found) = drive::<GetSensorInfo>(|query| sensors(query, 20, first));
        let found = found.unwrap();
        assert_eq!(found.len(), 22);
        assert_eq!(found[0], (Entity::Inlet, 0x4001));
        assert_eq!(found[20], (Entity::Processor, 0x4114));
        assert_eq!(found[21], (Entity::Baseboard, 0x4201));
    }
}

#[test]
fn the_ids_of_version_1_0_are_tried_where_the_newer_ones_bring_nothing() {
    let (asked, found) = drive::<GetSensorInfo>(|query| match query.entity {
        0x37 => answer(0x00, vec![0xdc, 0x01, 0x01, 0x05, 0x00]),
        0x41 => answer(0x00, vec![0xdc, 0x01, 0x01, 0x06, 0x00]),
        0x07 => answer(0xcb, Vec::new()),
        _ => answer(0x00, vec![0xdc, 0x00, 0x00]),
    });
    assert_eq!(asked, [(0x40, 0), (0x37, 0), (0x41, 0), (0x42, 0), (0x07, 0)]);
    assert_eq!(found.unwrap(), [(Entity::Inlet, 5), (Entity::Processor, 6)]);
}

#[test]
fn a_temperature_that_moves_between_two_pages_is_taken_once() {
    let (_, found) = drive::<GetTemperatureReadings>(|query| {
        if query.entity != 0x41 {
            return answer(0xcb, Vec::new());
        }
        let items = (query.start.max(1)..=10)
            .map(|instance| Temperature { instance, celsius: 30 + query.start.cast_signed() });
        answer(0x00, Page { total: 10, items: items.collect() }.encode())
    });
    let instances: Vec<u8> = found.unwrap().iter().map(|(_, temperature)| temperature.instance).collect();
    assert_eq!(instances, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn a_bmc_without_the_command_refuses() {
    let (asked, result) = drive::<GetTemperatureReadings>(|_| answer(0xc1, Vec::new()));
    let completion = Completion::INVALID_COMMAND;
    assert_eq!(result, Err(CommandError::Refused { command: "Get Temperature Readings", completion }));
    assert_eq!(asked.len(), 1);
}

#[test]
fn a_bmc_that_repeats_its_first_page_comes_to_an_end() {
    let (asked, found) =
        drive::<GetSensorInfo>(|_| answer(0x00, vec![0xdc, 0xff, 0x02, 0x01, 0x00, 0x02, 0x00]));
    assert_eq!((asked.len(), found.unwrap().len()), (6, 6));
}

proptest! {
    #[test]
    fn what_is_decoded_comes_back_when_encoded(total: u8, words in proptest::collection::vec(any::<[u8; 2]>(), 0..8)) {
        let count = u8::try_from(words.len()).unwrap();
        let data: Vec<u8> = [0xdc, total, count].into_iter().chain(words.into_iter().flatten()).collect();
        prop_assert_eq!(Page::<u16>::decode(&data).unwrap().encode(), data.clone());
        let page = Page::<Temperature>::decode(&data).unwrap();
        prop_assert_eq!(Page::<Temperature>::decode(&page.encode()), Ok(page));
    }

    #[test]
    fn it_comes_to_an_end_whatever_is_answered(seed: u8, total: u8) {
        // Every page brings one record that was not there before: the longest walk that there can be.
        let (asked, found) = drive::<GetSensorInfo>(|query| {
            let record = query.start.wrapping_mul(2).wrapping_add(seed);
            answer(0x00, vec![0xdc, total, 0x01, query.start, record])
        });
        prop_assert!(asked.len() <= 3 * 256);
        prop_assert!(found.unwrap().len() <= 3 * 255);
    }
}
