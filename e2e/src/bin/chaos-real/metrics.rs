//! What an aggregator's page of metrics says.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
};

use anyhow::Result;

/// The line that begins with this name and its labels.
pub(crate) fn figure(page: &str, name: &str) -> Option<u64> {
    let figure = page.lines().find_map(|line| line.strip_prefix(name))?;
    figure.parse().ok()
}

pub(crate) fn page(status: u16) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, status))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}
