//! Serves the fakes by hand: a kubelet, an API server and instance metadata at free ports, until it is
//! interrupted. What it prints is the environment that an agent, or another collector, needs.

#![expect(
    clippy::print_stdout,
    reason = "the addresses are for whoever started it"
)]

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::fakes::{Access, ApiServer, HttpTokens, Imds, Instance, Kubelet, Scene, Security};
use e2e::harness::say;

/// Serves fakes of a kubelet, an API server and the EC2 instance metadata service.
#[derive(Debug, Parser)]
#[command(name = "podledger-fakes")]
struct Arguments {
    /// How many pods of two containers; the recorded node if not given
    #[arg(long)]
    pods: Option<usize>,
    /// Where the service account's volume is made; must not exist
    #[arg(long, value_name = "DIR")]
    volume: Option<PathBuf>,
    /// The kubelet's port
    #[arg(long, default_value_t = 0)]
    kubelet_port: u16,
    /// Instance metadata without tokens is refused
    #[arg(long)]
    imds_v2_only: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let scene = arguments
        .pods
        .map_or_else(Scene::recorded, Scene::of_size)?;
    let access = match &arguments.volume {
        Some(directory) => Access::at(&scene.node_name(), directory.clone()),
        None => Access::new(&scene.node_name()),
    }?;
    let address = SocketAddr::from(([127, 0, 0, 1], arguments.kubelet_port));
    let kubelet = Kubelet::start_at(address, &scene, &access)?;
    let api = ApiServer::start(&scene, &access, Security::Tls)?;
    let tokens = if arguments.imds_v2_only {
        HttpTokens::Required
    } else {
        HttpTokens::Optional
    };
    let imds = Imds::start(Instance::default(), tokens)?;
    println!("NODE_NAME={}", scene.node_name());
    println!("KUBELET_ENDPOINT={}", kubelet.url());
    println!("PODLEDGER_KUBERNETES_API_SERVER={}", api.url());
    for server in ["KUBELET", "KUBERNETES"] {
        let (token, ca) = (access.token_file(), access.ca_file());
        println!("PODLEDGER_{server}_TOKEN_FILE={}", token.display());
        println!("PODLEDGER_{server}_CA_FILE={}", ca.display());
    }
    println!("AWS_EC2_METADATA_SERVICE_ENDPOINT={}", imds.url());
    println!("# ends when its input does");
    // Whoever starts it holds the other end, so that it never outlives them.
    let input = std::io::stdin().lock();
    let ended = input.bytes().find(Result::is_err);
    ended.map_or(Ok(()), |error| error.map(drop).context("reading the input"))
}
