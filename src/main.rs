//! The `hookgate` command.
#![forbid(unsafe_code)]
fn main() {
    for (_, crd) in hookgate::api::crd::all() {
        println!("{crd}");
    }
}
