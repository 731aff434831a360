//! Where a client connects to.

use hyper::Uri;

use super::HttpError;

/// Longer addresses are no addresses.
const MOST_URL_BYTES: usize = 2_048;

/// A parsed `http://` or `https://` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// With TLS.
    pub https: bool,
    /// Name or address of the host, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path with its query, from `/`.
    pub path: String,
}

impl Endpoint {
    /// Takes an address apart.
    pub fn parse(url: &str) -> Result<Self, HttpError> {
        let bad = |reason: &str| HttpError::Endpoint {
            // What stands before an @ may be a password.
            url: match url.rfind('@') {
                Some(at) => format!("***{}", super::mask::body(&url.as_bytes()[at..], 200)),
                None => super::mask::body(url.as_bytes(), 200),
            },
            reason: reason.to_owned(),
        };
        if url.len() > MOST_URL_BYTES {
            return Err(bad("it is longer than 2048 bytes"));
        }
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("user and password in a URL are not supported"));
        }
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        // An empty or too large port is no port for `port_u16`, but was meant as one.
        let port = match (authority.port(), authority.as_str().ends_with(':')) {
            (Some(port), _) if port.as_u16() > 0 => port.as_u16(),
            (None, false) if authority.as_str().ends_with(authority.host()) => {
                if https {
                    443
                } else {
                    80
                }
            }
            _ => return Err(bad("its port must be a number from 1 to 65535")),
        };
        Ok(Self {
            https,
            host: host.to_owned(),
            port,
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Without the path.
impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let kubelet = Endpoint::parse("https://127.0.0.1:10250/stats/summary?a=1").unwrap();
        assert_eq!((kubelet.https, kubelet.port), (true, 10250));
        assert_eq!(kubelet.path, "/stats/summary?a=1");
        assert_eq!(kubelet.to_string(), "https://127.0.0.1:10250");
        let v6 = Endpoint::parse("http://[fd00:ec2::254]/").unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("fd00:ec2::254", 80));
        assert_eq!(v6.to_string(), "http://[fd00:ec2::254]");
        let bare = Endpoint::parse("http://169.254.169.254").unwrap();
        assert_eq!((bare.path.as_str(), bare.port), ("/", 80));
        assert_eq!(Endpoint::parse("https://node.x").unwrap().port, 443);
    }

    #[test]
    fn what_is_no_address_is_told_without_its_password() {
        for url in [
            "",
            "/stats",
            "node:10250",
            "ftp://x/",
            "http://",
            "http://x:0/",
            "http://x:/",
            "http://x:99999/",
            "http://a b/",
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains("is not usable"), "{url}: {error}");
        }
        let error = Endpoint::parse("http://me:hunter2@x/").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(Endpoint::parse(&format!("http://{}/", "a".repeat(5_000))).is_err());
    }
}
