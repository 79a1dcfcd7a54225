//! The two clocks, by the C library's function: Rust's own has no processor time.

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn nanoseconds(clock: i32) -> f64 {
    let mut t = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    unsafe { clock_gettime(clock, &mut t) };
    1e9 * t.seconds as f64 + t.nanoseconds as f64
}

/// The time that the whole process has had a processor (Linux's CLOCK_PROCESS_CPUTIME_ID).
pub fn cpu() -> f64 {
    nanoseconds(2)
}

/// Linux's CLOCK_MONOTONIC.
pub fn wall() -> f64 {
    nanoseconds(1)
}
