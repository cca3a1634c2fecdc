//! Tests of node ranges against a small room, a large one and rooms made up at random.

mod cases;
mod document;
mod property;
mod room;
