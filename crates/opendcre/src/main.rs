//! OpenDCRE.
fn main() {}
