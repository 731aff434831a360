//! Holds a process in the middle of its end, by tracing it.
#![expect(unsafe_code, reason = "ptrace has no safe wrapper")]

use std::io;

use anyhow::{Result, ensure};

/// Lets the parent hold the calling process where it ends, with all its memory.
pub(super) fn stop_when_ending() -> Result<()> {
    trace(libc::PTRACE_TRACEME, 0, 0)?;
    // SAFETY: no memory is involved.
    unsafe { libc::raise(libc::SIGSTOP) };
    Ok(())
}

/// Waits until child `pid` is where it ends.
pub(super) fn await_ending(pid: u32) -> Result<()> {
    ensure!(libc::WIFSTOPPED(stop_of(pid)?), "the child did not stop");
    trace(libc::PTRACE_SETOPTIONS, pid, libc::PTRACE_O_TRACEEXIT)?;
    trace(libc::PTRACE_CONT, pid, 0)?;
    let ending = libc::SIGTRAP | libc::PTRACE_EVENT_EXIT << 8;
    ensure!(stop_of(pid)? >> 8 == ending, "the child does not end");
    Ok(())
}

/// Lets it end.
pub(super) fn let_end(pid: u32) -> Result<()> {
    trace(libc::PTRACE_DETACH, pid, 0)
}

fn stop_of(pid: u32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    if unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(status)
}

fn trace(request: u32, pid: u32, data: i32) -> Result<()> {
    let data = data as usize as *mut libc::c_void;
    // SAFETY: none of these requests reads or writes memory of ours.
    let status = unsafe {
        libc::ptrace(
            request,
            pid.cast_signed(),
            std::ptr::null_mut::<libc::c_void>(),
            data,
        )
    };
    if status < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}
