//! The cell of Rust's bumpalo: runs the workload that it is told by name, and prints one line of
//! figures. A workload that a Bump does not have is status 3, and nothing is printed.

mod call;
mod chunk;
mod clock;
mod resets;
mod trees;

use std::process::exit;

/// In Rust a panic is status 101 and several lines; in a cell it is status 1 and one. Nothing is
/// allocated for it: there may be no memory.
fn fail_in_one_line() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload().downcast_ref::<&str>();
        eprintln!("bumpalo: {}", what.unwrap_or(&"the cell panicked"));
        exit(1);
    }));
}

fn main() {
    fail_in_one_line();
    let workload = std::env::args().nth(1).unwrap_or_else(|| {
        eprintln!("no workload was named; run with one of those in bench/README.md");
        exit(1)
    });
    match workload.as_str() {
        "cached-64" => resets::cached(),
        "cached-64-zeroed" => resets::cached_zeroed(),
        "million-16" => resets::million::<2>(),
        "million-64" => resets::million::<8>(),
        "million-256" => resets::million::<32>(),
        "call" => call::call(),
        "trees-1" => trees::trees(1),
        "trees-2" => trees::trees(2),
        _ => exit(3),
    }
}
