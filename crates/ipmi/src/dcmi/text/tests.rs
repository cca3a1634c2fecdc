//! Tests of the asset tag and the name of the controller, with a BMC that holds some bytes.

use proptest::prelude::*;

use super::*;
use crate::text::presentable;
use crate::{Completion, NetFn};

fn ok(data: Vec<u8>) -> Response {
    Response { completion: Completion::OK, data }
}

/// A BMC that holds `whole`.
fn holding(whole: &[u8]) -> impl Fn(u8, u8) -> Response {
    move |offset, length| {
        let bytes = whole.iter().skip(offset.into()).take(length.into()).copied().collect();
        ok(TextPart { total: u8::try_from(whole.len()).unwrap(), bytes }.encode())
    }
}

fn read<F: TextField>(bmc: impl Fn(u8, u8) -> Response) -> (Vec<(u8, u8)>, Result<String, CommandError>) {
    let mut procedure = ReadText::<F>::new();
    let (mut asked, mut last) = (Vec::new(), None);
    loop {
        match procedure.advance(last.as_ref()) {
            Ok(Step::Done(text)) => return (asked, Ok(text)),
            Err(error) => return (asked, Err(error)),
            Ok(Step::Ask(request)) => {
                assert_eq!((request.netfn, request.command), (NetFn(0x2c), F::GET));
                let question = GetText::<F>::decode(&request.data).unwrap();
                asked.push((question.offset, question.length));
                last = Some(bmc(question.offset, question.length));
            }
        }
    }
}

/// What is sent to write `text`.
fn write<F: TextField>(text: &str) -> Vec<Request> {
    let mut procedure = WriteText::<F>::new(text).unwrap();
    let (mut sent, mut last) = (Vec::new(), None);
    while let Step::Ask(request) = procedure.advance(last.as_ref()).unwrap() {
        sent.push(request);
        last = Some(ok(vec![0xdc, 0x10]));
    }
    sent
}

/// The same requests as those of ipmi-dcmi, and of ipmitool after its first one.
#[test]
fn an_asset_tag_in_utf_8_is_read_in_parts() {
    let (asked, text) = read::<AssetTag>(holding(b"\xef\xbb\xbfRack-7 slot 12 Gr\xc3\xbc\xc3\x9fe"));
    assert_eq!(text.unwrap(), "Rack-7 slot 12 Grüße");
    assert_eq!(asked, [(0, 16), (16, 9)]);
}

#[test]
fn a_name_ends_at_its_zero() {
    let (asked, text) = read::<ControllerId>(holding(b"node-0001.example\0"));
    assert_eq!(text.unwrap(), "node-0001.example");
    assert_eq!(asked, [(0, 16), (16, 2)]);
    assert_eq!(read::<ControllerId>(holding(b"node\0\xff\xff\xff")).1.unwrap(), "node");
}

#[test]
fn texts_may_be_empty_padded_or_latin_1() {
    assert_eq!(read::<AssetTag>(holding(b"")).1.unwrap(), "");
    assert_eq!(read::<AssetTag>(holding(b"tag\0\0\0")).1.unwrap(), "tag");
    assert_eq!(read::<AssetTag>(holding(b"Gr\xfc\xdfe")).1.unwrap(), "Grüße");
}

#[test]
fn a_text_that_is_too_long_is_read_up_to_the_bound() {
    let (asked, text) = read::<AssetTag>(holding(&[b'x'; 255]));
    assert_eq!(text.unwrap().len(), 63);
    assert_eq!(asked, [(0, 16), (16, 16), (32, 16), (48, 15)]);
}

#[test]
fn a_text_that_does_not_come_is_an_error() {
    let (asked, result) = read::<AssetTag>(|_, _| ok(vec![0xdc, 0x20]));
    assert!(matches!(result, Err(CommandError::Endless { command: "Get Asset Tag", .. })));
    assert_eq!(asked.len(), 1);
}

/// As ipmi-dcmi writes the same text.
#[test]
fn an_asset_tag_is_written_in_parts() {
    let sent = write::<AssetTag>("hello-asset-tag-of-twenty");
    let first = [&[0xdc, 0x00, 0x10], b"hello-asset-tag-".as_slice()].concat();
    let second = [&[0xdc, 0x10, 0x09], b"of-twenty".as_slice()].concat();
    assert_eq!(sent, [first, second].map(|data| Request::new(NetFn(0x2c), 0x08, &data)));
}

/// As ipmi-dcmi writes the same text.
#[test]
fn a_name_is_written_with_its_zero() {
    let sent = write::<ControllerId>("node");
    assert_eq!(sent, [Request::new(NetFn(0x2c), 0x0a, b"\xdc\x00\x05node\0")]);
    let part = SetText::<ControllerId>::decode(&sent[0].data).unwrap();
    assert_eq!((part.offset, part.bytes.as_slice()), (0, b"node\0".as_slice()));
}

#[test]
fn an_empty_text_is_written_too() {
    assert_eq!(write::<AssetTag>(""), [Request::new(NetFn(0x2c), 0x08, &[0xdc, 0x00, 0x00])]);
}

#[test]
fn texts_that_do_not_fit_are_refused() {
    let error = WriteAssetTag::new(&"x".repeat(64)).unwrap_err();
    assert_eq!(error.to_string(), "the text takes 64 bytes, and the BMC has room for 63");
    WriteAssetTag::new(&"x".repeat(63)).unwrap();
    WriteControllerId::new(&"x".repeat(63)).unwrap();
    assert_eq!(
        WriteControllerId::new(&"x".repeat(64)).unwrap_err(),
        TextError::TooLong { length: 65, maximum: 64 }
    );
    assert_eq!(WriteControllerId::new("Grüße").unwrap_err(), TextError::NotAscii);
    assert_eq!(WriteControllerId::new("a\0b").unwrap_err(), TextError::NotAscii);
}

#[test]
fn a_refused_part_ends_the_writing() {
    let mut procedure = WriteAssetTag::new("hello-asset-tag-of-twenty").unwrap();
    procedure.advance(None).unwrap();
    let refusal = Response { completion: Completion::INSUFFICIENT_PRIVILEGE, data: Vec::new() };
    procedure.advance(Some(&refusal)).unwrap_err();
}

proptest! {
    #[test]
    fn what_is_written_is_read(text in "\\PC{0,15}") {
        let mut whole = Vec::new();
        for request in write::<AssetTag>(&text) {
            whole.extend(SetText::<AssetTag>::decode(&request.data).unwrap().bytes);
        }
        prop_assert_eq!(read::<AssetTag>(holding(&whole)).1.unwrap(), presentable(&text));
    }

    #[test]
    fn it_comes_to_an_end_whatever_is_answered(mut data: Vec<u8>, code in prop_oneof![Just(0_u8), any::<u8>()]) {
        data.insert(0, 0xdc);
        let (asked, text) = read::<ControllerId>(|_, _| Response { completion: Completion(code), data: data.clone() });
        prop_assert!(asked.len() <= 64);
        prop_assert!(text.unwrap_or_default().chars().count() <= 64);
    }
}
