//! The system calls that have no safe wrapper.
#![expect(unsafe_code, reason = "raw system calls")]

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd as _},
};

fn checked(status: impl Into<i64>) -> io::Result<usize> {
    usize::try_from(status.into()).map_err(|_| io::Error::last_os_error())
}

/// Moves the calling thread into a network namespace.
pub(super) fn enter_network_namespace(namespace: impl AsFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    let status = unsafe { libc::setns(namespace.as_fd().as_raw_fd(), libc::CLONE_NEWNET) };
    checked(status).map(drop)
}

/// Sets a socket option that is one integer.
pub(super) fn set_option(socket: impl AsFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer and its length are those of `value`.
    let status = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    checked(status).map(drop)
}

/// Length of the `tcp_info` that is read: up to and with `tcpi_bytes_sent`, which has come with 4.19.
pub(super) const TCP_INFO_BYTES: usize = 208;

/// The kernel's own account of a TCP connection.
pub(super) fn tcp_info(socket: impl AsFd) -> io::Result<[u8; TCP_INFO_BYTES]> {
    let mut info = [0; TCP_INFO_BYTES];
    let mut length = TCP_INFO_BYTES as libc::socklen_t;
    // SAFETY: the pointer and its length are those of `info`.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    checked(status)?;
    Ok(info)
}

/// Sends from a file's current position.
pub(super) fn sendfile(from: impl AsFd, to: impl AsFd, bytes: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    // SAFETY: a null offset is allowed.
    checked(unsafe { libc::sendfile(to, from, std::ptr::null_mut(), bytes) } as i64)
}

/// Moves pages; one side is a pipe.
pub(super) fn splice(from: impl AsFd, to: impl AsFd, bytes: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    let none = std::ptr::null_mut;
    // SAFETY: null offsets are allowed.
    checked(unsafe { libc::splice(from, none(), to, none(), bytes, 0) } as i64)
}

/// Sends an IPv4 packet over an interface to a link address, past the IP layer.
pub(super) fn send_over_link(
    socket: impl AsFd,
    device: &str,
    link_address: [u8; 6],
    packet: &[u8],
) -> io::Result<usize> {
    let device = CString::new(device)?;
    let mut to = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_IP as u16).to_be(),
        // SAFETY: a string with an end.
        sll_ifindex: unsafe { libc::if_nametoindex(device.as_ptr()) }.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    };
    to.sll_addr[..6].copy_from_slice(&link_address);
    // SAFETY: both pointers are valid for the lengths told.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            0,
            (&raw const to).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    checked(sent as i64)
}
