//! The `onsale` command.
fn main() {}
