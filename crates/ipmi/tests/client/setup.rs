//! How sessions begin, and how they do not.

use std::time::Duration;

use opendcre_ipmi::Privilege;
use opendcre_ipmi::client::{Event, Failure, Order};
use opendcre_ipmi::packet::rakp::RakpStatus;

use crate::world::{Fate, World, access, chassis};

#[test]
fn the_best_common_suite_is_used_and_remembered() {
    let mut world = World::new();
    assert_eq!(world.read(1).unwrap().data, [1]);
    assert_eq!(world.bmc.suite(), 17);
    world.close();
    assert_eq!((world.bmc.opened, world.bmc.closed), (1, 1));
    let before = world.heard.len();
    world.read(1).unwrap();
    assert_eq!(world.heard.len() - before, 4, "open, RAKP 2, RAKP 4 and the answer");
}

#[test]
fn a_bmc_that_lists_what_it_refuses_is_used_with_the_next_suite() {
    let mut world = World::new();
    world.bmc.accepted = vec![3];
    world.read(1).unwrap();
    assert_eq!(world.bmc.suite(), 3);
}

#[test]
fn a_bmc_that_lists_nothing_is_tried_with_everything_permitted() {
    let mut world = World::new();
    world.bmc.listed = None;
    world.bmc.accepted = vec![3];
    world.read(1).unwrap();
    assert_eq!(world.bmc.suite(), 3);
}

#[test]
fn without_a_common_suite_the_error_says_what_there_is() {
    let mut world = World::new();
    world.bmc.listed = Some(vec![1, 2]);
    assert_eq!(world.read(1), Err(Failure::NoCommonSuite { offered: vec![1, 2] }));
    let text = world.read(1).unwrap_err().to_string();
    assert!(text.contains("the BMC offers 1, 2;"), "{text}");
    // Only one is permitted, so the list is asked for when that is refused.
    let mut world = World::with(access("secret", &[17]));
    (world.bmc.listed, world.bmc.accepted) = (Some(vec![3]), vec![3]);
    assert_eq!(world.read(1), Err(Failure::NoCommonSuite { offered: vec![3] }));
}

#[test]
fn a_long_list_of_suites_is_read_to_its_end() {
    let mut world = World::with(access("secret", &[17, 16]));
    world.bmc.listed = Some([1, 2, 3].repeat(20).into_iter().chain([16]).collect());
    world.bmc.accepted = vec![16];
    world.read(1).unwrap();
    assert_eq!(world.bmc.suite(), 16);
}

#[test]
fn a_wrong_password_is_said_and_the_bmc_is_told() {
    let mut world = World::with(access("guess", &[3]));
    assert_eq!(world.read(1), Err(Failure::WrongPassword));
    world.exchange();
    assert_eq!(world.bmc.opened, 0);
    assert!(!world.client.is_open());
}

#[test]
fn one_damaged_proof_is_not_taken_for_a_wrong_password() {
    let mut world = World::with(access("secret", &[3]));
    world.client.request(Order::read(chassis(1)), world.now, &mut world.entropy).unwrap();
    let open = world.client.poll_transmit().unwrap();
    let opened = world.bmc.on_datagram(&open).unwrap();
    world.client.on_datagram(&opened, world.now, &mut world.entropy);
    let message1 = world.client.poll_transmit().unwrap();
    let mut damaged = world.bmc.on_datagram(&message1).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    world.client.on_datagram(&damaged, world.now, &mut world.entropy);
    world.run(|event| matches!(event, Event::Answered(_)).then_some(()));
}

#[test]
fn refusals_are_said_in_words() {
    for (status, failure) in [
        (RakpStatus::UNAUTHORIZED_NAME, Failure::WrongUser),
        (RakpStatus::INSUFFICIENT_RESOURCES, Failure::SessionLimit),
        (RakpStatus::INSUFFICIENT_RESOURCES_FOR_ROLE, Failure::SessionLimit),
        (RakpStatus::UNAUTHORIZED_ROLE, Failure::InsufficientPrivilege { needed: Privilege::Operator }),
        (RakpStatus::ILLEGAL_PARAMETER, Failure::Refused(RakpStatus::ILLEGAL_PARAMETER)),
    ] {
        let mut world = World::new();
        world.bmc.refused_roles = [2, 3, 4].map(|role| (role, status)).to_vec();
        assert_eq!(world.read(1), Err(failure));
    }
}

#[test]
fn silence_is_unreachable_and_noise_is_no_ipmi() {
    let mut world = World::new();
    world.network = Box::new(|_| Fate::Lost);
    let began = world.now;
    assert_eq!(world.read(1), Err(Failure::Unreachable));
    assert!(world.now - began < Duration::from_secs(20));

    let mut world = World::new();
    world.network = Box::new(|_| Fate::Lost);
    let order = Order::read(chassis(1));
    world.client.request(order, world.now, &mut world.entropy).unwrap();
    world.client.on_datagram(b"SSH-2.0-OpenSSH_9.2", world.now, &mut world.entropy);
    let failure = world.run(|event| match event {
        Event::Failed(failure) => Some(failure),
        _ => None,
    });
    assert_eq!(failure, Failure::NotIpmi);
}

#[test]
fn one_request_at_a_time() {
    let mut world = World::new();
    let order = || Order::read(chassis(1));
    world.client.request(order(), world.now, &mut world.entropy).unwrap();
    world.client.request(order(), world.now, &mut world.entropy).unwrap_err();
}
