//! From a setting's text to its value. Errors say what is wrong with the text, never the text itself:
//! the caller knows whether it may be shown.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{Mode, Output, Switch, Transport};
use crate::kernel::Source;

type Parsed<T> = Result<T, String>;

fn error<T>(what: &str) -> Parsed<T> {
    Err(what.to_owned())
}

pub(super) fn flag(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" | "enabled" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "disabled" => Ok(false),
        _ => error("is neither true nor false"),
    }
}

pub(super) fn number(text: &str, least: u32, most: u32) -> Parsed<u32> {
    let is_number = text.parse::<i128>().is_ok();
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ if is_number => error("is out of range"),
        _ => error("is not a whole number"),
    }
}

/// A duration such as `30s` or `1m30s`; a bare number counts seconds, as in older settings.
pub(super) fn duration(text: &str, least: Duration, most: Duration) -> Parsed<Duration> {
    let bare = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let parsed = if bare {
        text.parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    } else {
        humantime::parse_duration(text).ok()
    };
    match parsed {
        None => error("is not a duration"),
        Some(length) if length < least => error("is too short"),
        Some(length) if length > most => error("is too long"),
        Some(length) => Ok(length),
    }
}

/// An address of a service. One with a user's name and password is refused: they would be in logs.
pub(super) fn url(text: &str) -> Parsed<String> {
    let Ok(uri) = text.parse::<hyper::Uri>() else {
        return error("is not a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return error("does not begin with http:// or https://");
    }
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return error("has a user name in it");
    }
    if uri.host().is_none_or(str::is_empty) {
        return error("has no host");
    }
    let after_host = uri.authority().map_or("", |all| all.as_str());
    let after_host = after_host.rsplit(']').next().unwrap_or("");
    if after_host.contains(':') && uri.port_u16().is_none_or(|port| port == 0) {
        return error("has no valid port");
    }
    Ok(text.to_owned())
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if !text.starts_with('/') {
        return error("is not an absolute path");
    }
    if text.contains('\0') || text.len() > 4096 {
        return error("is not a path");
    }
    Ok(PathBuf::from(text))
}

pub(super) fn path_or_off(text: &str) -> Parsed<Option<PathBuf>> {
    if is_off(text) {
        return Ok(None);
    }
    path(text).map(Some)
}

pub(super) fn ip(text: &str) -> Parsed<IpAddr> {
    text.parse().or_else(|_| error("is not an IP address"))
}

/// `HOST:PORT`, or `:PORT` for every address.
pub(super) fn listen(text: &str) -> Parsed<Option<SocketAddr>> {
    if is_off(text) {
        return Ok(None);
    }
    let whole = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.to_owned(),
    };
    match whole.parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => error("is not an address with a port"),
    }
}

/// A name that goes into rows and labels.
pub(super) fn name(text: &str) -> Parsed<String> {
    if text.chars().count() > 253 {
        return error("is longer than 253 characters");
    }
    if text
        .chars()
        .any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return error("has blanks or control characters in it");
    }
    Ok(text.to_owned())
}

pub(super) fn mode(text: &str) -> Parsed<Mode> {
    match text.to_ascii_lowercase().as_str() {
        "node" => Ok(Mode::Node),
        "host" => Ok(Mode::Host),
        _ => error("is no mode"),
    }
}

pub(super) fn output(text: &str) -> Parsed<Output> {
    match text.to_ascii_lowercase().as_str() {
        "table" => Ok(Output::Table),
        "json" => Ok(Output::Json),
        "none" => Ok(Output::None),
        _ => error("is no output"),
    }
}

pub(super) fn switch(text: &str) -> Parsed<Switch> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Switch::Auto);
    }
    match flag(text) {
        Ok(true) => Ok(Switch::On),
        Ok(false) => Ok(Switch::Off),
        Err(_) => error("is none of auto, on, off"),
    }
}

pub(super) fn transport(text: &str) -> Parsed<Transport> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Transport::Auto),
        "http3" => Ok(Transport::Http3),
        "http1" => Ok(Transport::Http1),
        _ => error("is no transport"),
    }
}

/// Where tokens go, nothing else will do.
pub(super) fn https_only(url: String) -> Parsed<String> {
    match url.starts_with("https://") {
        true => Ok(url),
        false => error("does not begin with https"),
    }
}

pub(super) fn level(text: &str) -> Parsed<log::LevelFilter> {
    match text.to_ascii_lowercase().as_str() {
        "warning" => Ok(log::LevelFilter::Warn),
        "off" => error("is no level"),
        other => other.parse().or_else(|_| error("is no level")),
    }
}

/// Kinds of counters, with commas between them.
pub(super) fn sources(text: &str) -> Parsed<Vec<Source>> {
    let mut found = Vec::new();
    for name in text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match Source::ALL.into_iter().find(|source| source.name() == name) {
            Some(source) if found.contains(&source) => {}
            Some(source) => found.push(source),
            None => return error("names a kind of counter that does not exist"),
        }
    }
    Ok(found)
}

fn is_off(text: &str) -> bool {
    ["off", "none", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn durations_are_seconds_or_have_units() {
        let parse = |text| duration(text, Duration::from_millis(100), HOUR);
        assert_eq!(parse("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            ".",
            "1.2.3",
            "-5",
            "soon",
            "1e400",
            "99999999999999999999",
            "0",
            "2h",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_are_what_people_write() {
        for yes in ["true", "True", "1", "YES", "on"] {
            assert_eq!(flag(yes), Ok(true));
        }
        for no in ["false", "FALSE", "0", "no", "Off"] {
            assert_eq!(flag(no), Ok(false));
        }
        assert!(flag("2").is_err() && flag("").is_err());
    }

    #[test]
    fn urls_have_a_scheme_a_host_and_no_password() {
        for good in [
            "https://127.0.0.1:10250/stats/summary",
            "http://[fd00:ec2::254]",
            "http://[::1]:80/x",
            "http://aggregator:8080/metrics",
        ] {
            assert_eq!(url(good).as_deref(), Ok(good));
        }
        for bad in [
            "127.0.0.1:10250",
            "ftp://host/",
            "https://",
            "https://user:pass@host/",
            "https://host:99999/",
            "https://host:0/",
            "https://host:/",
            "/path",
            "http://a b/",
            "",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_levels_and_kinds() {
        assert_eq!(listen(":9"), Ok(Some(SocketAddr::from(([0; 4], 9)))));
        assert_eq!(listen("off"), Ok(None));
        assert!(listen("8080").is_err() && listen("host:80").is_err());
        assert_eq!(level("WARNING"), Ok(log::LevelFilter::Warn));
        assert!(level("loud").is_err());
        assert_eq!(
            sources("cpu, network,cpu"),
            Ok(vec![Source::Cpu, Source::Network])
        );
        assert!(sources("disk").is_err());
        assert_eq!(number("21600", 1, 21_600), Ok(21_600));
        assert_eq!(
            number("21601", 1, 21_600),
            Err("is out of range".to_owned())
        );
        assert_eq!(number("-1", 1, 5), Err("is out of range".to_owned()));
        assert_eq!(number("1.5", 1, 5), Err("is not a whole number".to_owned()));
    }
}
