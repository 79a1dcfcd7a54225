//! A chunk that is allocated to be written to, as its address.

use std::arch::asm;
use std::ptr::NonNull;

/// The compiler has to take the chunk for read: it may not leave it out. Costs nothing.
#[inline(always)]
pub fn keep<T>(chunk: NonNull<T>) {
    unsafe { asm!("/* {} */", in(reg) chunk.as_ptr(), options(nostack, preserves_flags)) }
}

/// Puts the address of the chunk before it into a chunk's first word.
#[inline(always)]
pub fn written<T>(chunk: NonNull<T>, before: usize) -> usize {
    unsafe { chunk.cast::<usize>().as_ptr().write(before) }
    keep(chunk);
    chunk.as_ptr() as usize
}
