//! Data that is still queued when its sender has ended: the receiver does not read.
#![expect(unsafe_code, reason = "buffer sizes have no safe wrapper")]
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd as _},
};

use anyhow::{Context as _, Result};

use super::number;

/// What the receiver's socket takes before its sender has to wait.
const RECEIVE_BUFFER_BYTES: i32 = 16 * 1024;
/// Room for everything that a sender hands over at once.
const SEND_BUFFER_BYTES: i32 = 8 * 1024 * 1024;

/// The port to connect to and the bytes to send. Ends as soon as the kernel has them.
pub(super) fn queue_sender(arguments: &[String]) -> Result<()> {
    let port = u16::try_from(number(arguments, 0)?)?;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    set_buffer(&stream, libc::SO_SNDBUFFORCE, SEND_BUFFER_BYTES)?;
    stream.set_nonblocking(true)?;
    let bytes = vec![7; number(arguments, 1)?.try_into()?];
    stream
        .write_all(&bytes)
        .context("the kernel does not take it at once")
}

/// Prints its port and accepts one connection. Reads all of it for a line of input and prints how
/// many bytes that were; closes for another.
pub(super) fn queue_receiver(_: &[String]) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    set_buffer(&listener, libc::SO_RCVBUF, RECEIVE_BUFFER_BYTES)?;
    println!("{}", listener.local_addr()?.port());
    let (mut stream, _) = listener.accept()?;
    wait_for_line()?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    println!("{}", received.len());
    wait_for_line()
}

fn wait_for_line() -> Result<()> {
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn set_buffer(socket: &impl AsFd, option: i32, bytes: i32) -> io::Result<()> {
    // SAFETY: the option's value is one integer, as long as told.
    let status = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const bytes).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
