//! The ways in which a program can hand bytes to a TCP socket.

use std::{
    fs::File,
    io::{self, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result, bail, ensure};
use socket2::SockRef;

use super::{
    raw,
    uring::{self, Ring},
};

const CHUNK: usize = 64 * 1024;

/// Why a way can't be gone here, when it is the kernel that lacks it.
pub(super) type Absent = String;

/// Sends `total` bytes the way that `way` names.
pub(super) fn send(stream: &TcpStream, way: &str, total: usize) -> Result<Result<(), Absent>> {
    match way {
        "write" => repeat(total, |left| (&*stream).write(&[7; CHUNK][..left]))?,
        "zerocopy" => zerocopy(stream, total)?,
        "sendfile" => from_file(total, |file, left| raw::sendfile(file, stream, left))?,
        "splice" => splice(stream, total)?,
        "io_uring" | "io_uring_zerocopy" => match Ring::new() {
            Err(error) => return Ok(Err(format!("io_uring: {error}"))),
            Ok(mut ring) => {
                let operation = match way {
                    "io_uring" => uring::Operation::Send,
                    _ => uring::Operation::SendZeroCopy,
                };
                let chunk = vec![7; CHUNK];
                repeat(total, |left| ring.send(stream, &chunk[..left], operation))?;
            }
        },
        _ => bail!("no way of sending is called {way}"),
    }
    Ok(Ok(()))
}

fn repeat(total: usize, mut send: impl FnMut(usize) -> io::Result<usize>) -> Result<()> {
    let mut left = total;
    while left > 0 {
        let sent = send(left.min(CHUNK))?;
        ensure!(sent > 0, "the kernel took nothing");
        left -= sent;
    }
    Ok(())
}

/// The program's own file is large enough and needs no making.
fn from_file(total: usize, mut send: impl FnMut(&File, usize) -> io::Result<usize>) -> Result<()> {
    let file = File::open("/proc/self/exe")?;
    let length = usize::try_from(file.metadata()?.len())?;
    ensure!(length >= total, "{length} bytes are too few to send");
    repeat(total, |left| send(&file, left))
}

fn splice(stream: &TcpStream, total: usize) -> Result<()> {
    let (outlet, inlet) = io::pipe()?;
    from_file(total, |file, left| {
        let filled = raw::splice(file, &inlet, left)?;
        let mut drained = 0;
        while drained < filled {
            drained += raw::splice(&outlet, stream, filled - drained)?;
        }
        Ok(filled)
    })
}

fn zerocopy(stream: &TcpStream, total: usize) -> Result<()> {
    raw::set_option(stream, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1).context("SO_ZEROCOPY")?;
    // Never changed, so that it does not matter when the kernel is through with it.
    static CHUNK_OF_SEVENS: [u8; CHUNK] = [7; CHUNK];
    repeat(total, |left| {
        SockRef::from(stream).send_with_flags(&CHUNK_OF_SEVENS[..left], libc::MSG_ZEROCOPY)
    })
}
