//! A thread's own clock, and how it is scheduled.
#![expect(unsafe_code, reason = "raw system calls")]

use std::{io, time::Duration};

pub use agent::kernel::sys::boot_ns;

/// CPU time that the calling thread has used.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that all threads of this process have used.
pub fn process_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes; these clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Uses CPU time until the calling thread has used `cpu` more.
pub fn burn(cpu: Duration) {
    let end = thread_cpu_ns() + cpu.as_nanos() as u64;
    while thread_cpu_ns() < end {
        std::hint::spin_loop();
    }
}

/// Sleeps until the boot clock shows `at_ns`.
pub fn sleep_until(at_ns: u64) {
    let time = libc::timespec {
        tv_sec: (at_ns / 1_000_000_000).cast_signed(),
        tv_nsec: (at_ns % 1_000_000_000).cast_signed(),
    };
    // SAFETY: `time` outlives the call, nothing is asked of the remaining time.
    let sleep = || unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_BOOTTIME,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        )
    };
    while sleep() == libc::EINTR {}
}

/// Lets timers of the calling thread expire on time instead of together with others.
pub fn precise_timers() -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) })
}

/// Lets the calling process run before others: what it measures is then seldom stretched by them.
pub fn go_first() -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) })
}

/// Makes the calling thread a realtime one.
pub fn become_realtime() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: `parameters` outlives the call.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) })
}

/// Forks a process of one thread; 0 in the child.
pub fn fork() -> io::Result<u32> {
    // SAFETY: workloads fork only while they have one thread, so the child may do everything.
    let pid = unsafe { libc::fork() };
    checked(pid).map(|()| pid.cast_unsigned())
}

/// Ends the calling process at once.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread only.
pub fn exit_thread() -> ! {
    // SAFETY: its stack stays mapped; `exit` does not return.
    unsafe {
        libc::syscall(libc::SYS_exit, 0);
    }
    unreachable!("a thread that ended goes on")
}

/// A child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its process id.
    pub pid: u32,
    /// Its wait status.
    pub status: i32,
    /// Its peak resident memory, as the kernel tells the parent.
    pub peak_rss_bytes: u64,
}

/// Waits for the end of child `pid`, or of any child.
pub fn wait(pid: Option<u32>) -> io::Result<Ended> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is valid.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    let wanted = pid.map_or(-1, u32::cast_signed);
    // SAFETY: both pointers live through the call.
    let pid = unsafe { libc::wait4(wanted, &raw mut status, 0, &raw mut usage) };
    checked(pid)?;
    Ok(Ended {
        pid: pid.cast_unsigned(),
        status,
        peak_rss_bytes: usage.ru_maxrss.cast_unsigned() * 1024,
    })
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
