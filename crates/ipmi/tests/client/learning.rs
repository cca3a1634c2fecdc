//! Privilege: as little as possible, as much as the BMC insists on.

use opendcre_ipmi::Privilege;
use opendcre_ipmi::client::Failure;
use opendcre_ipmi::packet::rakp::RakpStatus;
use opendcre_ipmi::session::SET_SESSION_PRIVILEGE;

use crate::world::World;

fn adjustments(world: &World) -> usize {
    world.bmc.seen.iter().filter(|(command, ..)| *command == SET_SESSION_PRIVILEGE).count()
}

#[test]
fn reading_is_done_as_user_and_control_as_operator() {
    let mut world = World::new();
    world.read(1).unwrap();
    assert_eq!((world.bmc.role(), world.bmc.privilege(), adjustments(&world)), (3, 2, 0));
    world.control(2).unwrap();
    assert_eq!((world.bmc.privilege(), adjustments(&world)), (3, 1));
    world.read(1).unwrap();
    assert_eq!((world.bmc.privilege(), adjustments(&world)), (2, 2));
    assert_eq!(world.bmc.opened, 1);
}

#[test]
fn what_a_command_needs_is_learned() {
    let mut world = World::new();
    world.bmc.needs = 3;
    world.read(1).unwrap();
    let asked = world.bmc.seen.len();
    world.read(1).unwrap();
    assert_eq!(world.bmc.seen.len() - asked, 1, "the privilege is right already");
}

#[test]
fn a_bmc_that_wants_an_administrator_gets_a_new_session() {
    let mut world = World::new();
    world.bmc.needs = 4;
    world.control(2).unwrap();
    assert_eq!((world.bmc.role(), world.bmc.opened, world.bmc.closed), (4, 2, 1));
    assert_eq!(world.bmc.done, [(0, 2)]);
}

#[test]
fn a_bmc_that_knows_only_administrators_is_asked_as_one() {
    let mut world = World::new();
    world.bmc.refused_roles = [2, 3].map(|role| (role, RakpStatus::UNAUTHORIZED_ROLE)).to_vec();
    world.read(1).unwrap();
    assert_eq!(world.bmc.role(), 4);
    world.close();
    world.read(1).unwrap();
    assert_eq!(world.bmc.opened, 2, "the role was remembered");
}

#[test]
fn a_user_reads_and_is_told_that_control_is_not_for_him() {
    let mut world = World::new();
    world.bmc.refused_roles = [3, 4].map(|role| (role, RakpStatus::UNAUTHORIZED_ROLE)).to_vec();
    world.read(1).unwrap();
    assert_eq!(world.bmc.role(), 2);
    let needed = Privilege::Operator;
    assert_eq!(world.control(2), Err(Failure::InsufficientPrivilege { needed }));
    assert_eq!(world.bmc.done, [(0, 1)]);
    world.read(1).unwrap();
}

#[test]
fn more_than_permitted_is_never_asked_for() {
    let mut access = crate::world::access("secret", &[3]);
    access.privilege.most = Privilege::Operator;
    let mut world = World::with(access);
    world.bmc.needs = 4;
    assert_eq!(world.read(1), Err(Failure::Forbidden { needed: Privilege::Administrator }));
    assert_eq!(world.bmc.role(), 3);
}

#[test]
fn a_request_beyond_what_is_permitted_fails_and_the_session_stays() {
    let mut access = crate::world::access("secret", &[3]);
    access.privilege.most = Privilege::User;
    let mut world = World::with(access);
    world.read(1).unwrap();
    let needed = Privilege::Operator;
    assert_eq!(world.control(2), Err(Failure::Forbidden { needed }));
    world.read(1).unwrap();
    assert_eq!((world.bmc.opened, world.bmc.done.len()), (1, 2));
}
