//! The commands: one file each. They parse arguments, call the library and print; nothing is decided here.

pub mod check;
pub mod crds;
