//! Sending through `io_uring`, one operation at a time.
#![expect(unsafe_code, reason = "the ring is given pointers")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

use io_uring::{IoUring, cqueue, opcode, types::Fd};

/// What to ask the ring for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// `IORING_OP_SEND`
    Send,
    /// `IORING_OP_SEND_ZC`
    SendZeroCopy,
}

/// A ring.
pub(super) struct Ring(IoUring);

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        IoUring::new(2).map(Self)
    }

    /// Sends, and waits until the kernel is through with `bytes`.
    pub(super) fn send(
        &mut self,
        socket: impl AsFd,
        bytes: &[u8],
        operation: Operation,
    ) -> io::Result<usize> {
        let fd = Fd(socket.as_fd().as_raw_fd());
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = match operation {
            Operation::Send => opcode::Send::new(fd, bytes.as_ptr(), length).build(),
            Operation::SendZeroCopy => opcode::SendZc::new(fd, bytes.as_ptr(), length).build(),
        };
        // SAFETY: socket and bytes outlive the operation, whose end is awaited below.
        unsafe { self.0.submission().push(&entry) }.map_err(io::Error::other)?;
        let mut sent = 0;
        loop {
            self.0.submit_and_wait(1)?;
            let Some(done) = self.0.completion().next() else {
                continue;
            };
            if !cqueue::notif(done.flags()) {
                sent = done.result();
            }
            if !cqueue::more(done.flags()) {
                break;
            }
        }
        usize::try_from(sent).map_err(|_| io::Error::from_raw_os_error(-sent))
    }
}
