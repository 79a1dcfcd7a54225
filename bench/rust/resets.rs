//! The workloads that fill a Bump and reset it, over and over: cached-64 with chunks that stay in the
//! processor's cache, million with more than the caches hold.

use crate::{chunk, clock};
use bumpalo::Bump;
use std::alloc::Layout;
use std::ptr::NonNull;

const ROUNDS: usize = 200_000;
const CHUNKS: usize = 100;
const MILLION: usize = 1_000_000;
const PASSES: usize = 8;

#[inline(always)]
fn plain<const WORDS: usize>(bump: &Bump) -> NonNull<u8> {
    bump.alloc_layout(Layout::new::<[u64; WORDS]>())
}

/// All of the chunk is cleared before its first word is written to.
#[inline(always)]
fn zeroed(bump: &Bump) -> NonNull<u8> {
    let words = NonNull::from(bump.alloc([0u64; 8]));
    chunk::keep(words);
    words.cast()
}

#[inline(always)]
fn fill(bump: &Bump, chunks: usize, alloc: impl Fn(&Bump) -> NonNull<u8>) {
    let mut last = 0;
    for _ in 0..chunks {
        last = chunk::written(alloc(bump), last);
    }
}

#[inline(always)]
fn rounds(alloc: impl Fn(&Bump) -> NonNull<u8>) {
    let mut bump = Bump::new();
    let mut run = |n| {
        for _ in 0..n {
            fill(&bump, CHUNKS, &alloc);
            bump.reset();
        }
    };
    run(ROUNDS / 10);
    let begin = clock::cpu();
    run(ROUNDS);
    let ns = (clock::cpu() - begin) / (ROUNDS * CHUNKS) as f64;
    println!("{{\"ns\":{ns:.3}}}");
}

pub fn cached() {
    rounds(plain::<8>);
}

pub fn cached_zeroed() {
    rounds(zeroed);
}

/// The first pass gets its memory from the system; the others get back what the reset has kept.
pub fn million<const WORDS: usize>() {
    let mut bump = Bump::new();
    let mut pass = || {
        let begin = clock::cpu();
        fill(&bump, MILLION, plain::<WORDS>);
        bump.reset();
        (clock::cpu() - begin) / MILLION as f64
    };
    let cold = pass();
    let mut ns: [f64; PASSES] = std::array::from_fn(|_| pass());
    ns.sort_by(f64::total_cmp);
    let median = (ns[PASSES / 2 - 1] + ns[PASSES / 2]) / 2.0;
    println!("{{\"ns\":{median:.3},\"cold\":{cold:.3}}}");
}
