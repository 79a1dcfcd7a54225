//! call: a Bump for a short call, with a few chunks, created and dropped.

use crate::{chunk, clock};
use bumpalo::Bump;
use std::alloc::Layout;

const CALLS: usize = 1_000_000;
const CHUNKS: usize = 10;

/// 100 bytes, which begin with a word.
const LAYOUT: Layout = match Layout::from_size_align(100, std::mem::align_of::<usize>()) {
    Ok(layout) => layout,
    Err(_) => panic!("100 bytes have no layout"),
};

fn calls(n: usize) {
    for _ in 0..n {
        let bump = Bump::new();
        let mut last = 0;
        for _ in 0..CHUNKS {
            last = chunk::written(bump.alloc_layout(LAYOUT), last);
        }
    }
}

pub fn call() {
    calls(CALLS / 10);
    let begin = clock::cpu();
    calls(CALLS);
    let ns = (clock::cpu() - begin) / CALLS as f64;
    println!("{{\"ns\":{ns:.3}}}");
}
