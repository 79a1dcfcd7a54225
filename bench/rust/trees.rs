//! trees-1 and trees-2: the binary trees of the Benchmarks Game. Each tree has a Bump of its own, which
//! goes with it. The trees of each depth are shared out evenly to the threads.

use crate::clock;
use bumpalo::Bump;
use std::thread;

const DEPTH: usize = 21;
const SHALLOWEST: usize = 4;
const STRIDE: usize = 4;

struct Node<'a> {
    left: Option<&'a Node<'a>>,
    right: Option<&'a Node<'a>>,
}

fn build(bump: &Bump, depth: usize) -> &Node<'_> {
    let child = || (depth > 0).then(|| build(bump, depth - 1));
    bump.alloc(Node {
        left: child(),
        right: child(),
    })
}

fn count(node: &Node) -> u64 {
    1 + node.left.map_or(0, count) + node.right.map_or(0, count)
}

/// Builds a tree, counts its nodes, and drops it.
fn tree(depth: usize) -> u64 {
    let bump = Bump::new();
    count(build(&bump, depth))
}

/// One thread's share of the trees of all depths.
fn share(threads: usize) -> u64 {
    (SHALLOWEST..=DEPTH)
        .step_by(STRIDE)
        .map(|depth| {
            let trees = (1 << (DEPTH - depth + SHALLOWEST)) / threads;
            (0..trees).map(|_| tree(depth)).sum::<u64>()
        })
        .sum()
}

fn run_all(threads: usize) -> u64 {
    if threads == 1 {
        return share(1);
    }
    thread::scope(|s| {
        let start = |_| s.spawn(move || share(threads));
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|t| t.join().unwrap()).sum()
    })
}

/// The figures of a whole game. Its lasting tree is there while the others come and go.
pub fn trees(threads: usize) {
    let (cpu, wall) = (clock::cpu(), clock::wall());
    let mut check = tree(DEPTH + 1);
    let bump = Bump::new();
    let lasting = build(&bump, DEPTH);
    check += run_all(threads) + count(lasting);
    drop(bump);
    let (cpu, wall) = (clock::cpu() - cpu, clock::wall() - wall);
    println!("{{\"ns\":{cpu:.0},\"wall\":{wall:.0},\"check\":{check}}}");
}
