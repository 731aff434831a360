//! Checks of the instance metadata service, with tokens and without.

use std::{fs, time::Duration};

use agent::{
    config::{Config, Mode},
    http::{self, Client, Endpoint, HeaderName, HeaderValue, Request, StatusCode},
    imds::{self, Imds, Instance},
};

use super::{super::run::imds_settings, report::Line, wait};

/// The two ways of asking it.
pub(super) const IMDS: [&str; 2] = ["IMDSv2", "IMDSv1"];
/// For each request, as the agent has it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who made this machine.
const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";
const FIX: &str = "on EC2 switch the metadata service on and raise its hop limit to 2; elsewhere set \
                   ENABLE_EC2_INSTANCE_ID=false";

pub(super) fn imds(config: &Config) -> Vec<Line> {
    let skip = |why: &str| IMDS.iter().map(|name| Line::skip(name, why)).collect();
    if config.agent.mode == Mode::Host {
        return skip("not asked on a plain host");
    }
    if !config.ec2.enabled {
        return skip("ENABLE_EC2_INSTANCE_ID is false");
    }
    let vendor = fs::read_to_string(VENDOR).unwrap_or_default();
    match wait(ask(config)) {
        Ok((with, without)) => judge(config, with, without, vendor.trim()),
        Err(error) => skip(&error.to_string()),
    }
}

type Told = Result<Instance, String>;

/// With a token, unless that is forbidden; without one, if need be.
async fn ask(config: &Config) -> (Option<Told>, Option<Told>) {
    let with = match config.ec2.force_imdsv1 {
        true => None,
        false => Some(match gives_token(config).await {
            Ok(()) => fetch(config, false).await,
            Err(reason) => Err(reason),
        }),
    };
    let without = match with {
        Some(Ok(_)) => None,
        _ => Some(fetch(config, true).await),
    };
    (with, without)
}

async fn gives_token(config: &Config) -> Result<(), String> {
    let endpoint = Endpoint::parse(&config.ec2.endpoint).map_err(|error| error.to_string())?;
    let path = format!("{}/latest/api/token", endpoint.path.trim_end_matches('/'));
    let mut client = Client::new(http::Settings {
        endpoint,
        server_name: None,
        insecure: false,
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        most_body_bytes: 64 * 1024,
        debug: config.log.debug_http,
    })
    .map_err(|error| error.to_string())?;
    let name = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
    // Nobody uses it: the shortest one will do.
    let request = Request::put(&path)
        .header(name, HeaderValue::from_static("1"))
        .secret_answer();
    match client.send(request).await {
        Ok(answer) if answer.status == StatusCode::OK => Ok(()),
        Ok(answer) => Err(format!("asked for a token it answers {}", answer.status)),
        Err(error) => Err(error.to_string()),
    }
}

async fn fetch(config: &Config, force_v1: bool) -> Told {
    let settings = imds::Settings {
        force_v1,
        timeout: PATIENCE,
        ..imds_settings(config)
    };
    let mut imds = Imds::new(&settings).map_err(|error| error.to_string())?;
    match imds.fetch().await {
        Ok(fetched) => Ok(fetched.instance),
        Err(error) => Err(error.to_string()),
    }
}

fn judge(config: &Config, with: Option<Told>, without: Option<Told>, vendor: &str) -> Vec<Line> {
    match (with, without) {
        (Some(Ok(instance)), _) => vec![
            Line::pass(IMDS[0], told(&instance)),
            Line::skip(IMDS[1], "not needed: IMDSv2 answers"),
        ],
        (with, Some(Ok(instance))) => {
            let why = with.and_then(Result::err);
            let why = why.unwrap_or_else(|| "FORCE_IMDSV1 is true".to_owned());
            vec![
                Line::skip(IMDS[0], format!("{why}; the agent goes on without tokens")),
                Line::pass(IMDS[1], told(&instance)),
            ]
        }
        _ if is_elsewhere(config, vendor) => {
            let why = format!("no answer, and this is no EC2 instance but one of {vendor}");
            IMDS.iter()
                .map(|name| Line::skip(name, why.clone()))
                .collect()
        }
        (with, without) => {
            let line = |name, told: Option<Told>| match told.and_then(Result::err) {
                Some(message) => Line::fail(name, message, FIX),
                None => Line::skip(name, "FORCE_IMDSV1 is true"),
            };
            vec![line(IMDS[0], with), line(IMDS[1], without)]
        }
    }
}

/// Whether the machine says that it is none of EC2's. Old instances say that they are Xen's.
fn is_elsewhere(config: &Config, vendor: &str) -> bool {
    let is_default = config.ec2.endpoint == Config::default().ec2.endpoint;
    is_default && !vendor.is_empty() && !vendor.contains("Amazon") && vendor != "Xen"
}

fn told(instance: &Instance) -> String {
    let parts = [
        &instance.instance_id,
        &instance.instance_type,
        &instance.zone,
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter_map(|part| part.as_deref())
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{report::Verdict, testing::serve},
        *,
    };

    fn verdicts(config: &Config) -> [Verdict; 2] {
        let lines = imds(config);
        assert_eq!(lines.len(), 2);
        [lines[0].verdict, lines[1].verdict]
    }

    fn service(tokens: bool) -> Config {
        let mut config = Config::default();
        config.ec2.endpoint = match tokens {
            true => serve(|path| match path {
                "/latest/api/token" => (200, "dG9rZW4tdG9rZW4tdG9rZW4="),
                "/latest/meta-data/instance-id" => (200, "i-0123456789abcdef0"),
                _ => (404, ""),
            }),
            false => serve(|path| match path {
                "/latest/api/token" => (403, ""),
                "/latest/meta-data/instance-id" => (200, "i-0123456789abcdef0"),
                _ => (404, ""),
            }),
        };
        config
    }

    #[test]
    fn one_of_the_two_ways_is_enough() {
        assert_eq!(verdicts(&service(true)), [Verdict::Pass, Verdict::Skip]);
        let mut config = service(false);
        assert_eq!(verdicts(&config), [Verdict::Skip, Verdict::Pass]);
        config.ec2.force_imdsv1 = true;
        assert_eq!(verdicts(&config), [Verdict::Skip, Verdict::Pass]);
    }

    #[test]
    fn none_fails_only_where_there_should_be_one() {
        let mut config = Config::default();
        config.ec2.endpoint = serve(|_| (404, ""));
        assert_eq!(verdicts(&config), [Verdict::Fail, Verdict::Fail]);
        config.ec2.enabled = false;
        assert_eq!(verdicts(&config), [Verdict::Skip, Verdict::Skip]);
        let elsewhere = judge(
            &Config::default(),
            Some(Err("no answer".to_owned())),
            Some(Err("no answer".to_owned())),
            "QEMU",
        );
        assert!(elsewhere.iter().all(|line| line.verdict == Verdict::Skip));
    }
}
