//! A start with a store that can't be used: clear, early, and nothing harmed.

use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::stack::{Daemon, free_port};
use e2e::store::{BUCKET, S3Server};

use crate::serving::{Folder, PATIENCE, start, stop, words};

/// For a start that can't succeed.
const SOON: Duration = Duration::from_secs(10);

/// Runs a start to its end, which must come soon and with 1; all that it said.
fn refused(mut command: Command) -> Result<String> {
    let begun = Instant::now();
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = child.wait_with_output()?;
    let said = words(&output);
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    ensure!(begun.elapsed() < SOON, "{:?}: {said}", begun.elapsed());
    Ok(said)
}

#[test]
fn what_can_not_succeed_ends_soon_and_says_what_to_do() -> Result<()> {
    let Some(folder) = Folder::new()? else {
        return Ok(());
    };
    let objects = folder.place.file("s3");
    fs::create_dir_all(&objects)?;
    let server = S3Server::start(&objects)?;
    let store = format!("s3://{BUCKET}/tables");
    for (store, (name, value), advice) in [
        (
            "s3://nobodys-bucket/tables",
            ("UNUSED", ""),
            "there is no such bucket",
        ),
        (
            &store,
            ("AWS_SECRET_ACCESS_KEY", "wrong"),
            "AWS_SECRET_ACCESS_KEY",
        ),
        (
            &store,
            ("AWS_ACCESS_KEY_ID", "nobody"),
            "AWS_SECRET_ACCESS_KEY",
        ),
    ] {
        let (mut command, _) = folder.open_to_all()?;
        command
            .args(["--store", store])
            .envs(server.environment())
            .env(name, value);
        let said = refused(command)?;
        ensure!(said.contains(advice), "{store} {name}: {said}");
        ensure!(!said.contains("wrong\""), "a secret: {said}");
    }
    let counts = server.faults().counts();
    ensure!(counts.writes == 0, "{counts:?}");
    Ok(())
}

/// The last of the tables is of another program; files that belong to no table are nobody's business.
#[test]
fn a_table_of_somebody_else_is_left_alone() -> Result<()> {
    let Some(folder) = Folder::new()? else {
        return Ok(());
    };
    let tables = folder.place.file("tables");
    let log = tables.join("reconcile/_delta_log");
    fs::create_dir_all(&log)?;
    fs::write(tables.join("README.txt"), "somebody's")?;
    let entry = log.join("00000000000000000000.json");
    let foreign = concat!(
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        "\n",
        r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"#,
        r#""{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#,
        "\n"
    );
    fs::write(&entry, foreign)?;
    let (mut command, _) = folder.open_to_all()?;
    command.args(["--store", &folder.tables()]);
    let said = refused(command)?;
    ensure!(said.contains("table reconcile can't be used"), "{said}");
    ensure!(fs::read_to_string(&entry)? == foreign);
    let names = fs::read_dir(&tables)?.map(|entry| Ok(entry?.file_name()));
    let mut names: Vec<_> = names.collect::<Result<_>>()?;
    names.sort();
    ensure!(names == ["README.txt", "reconcile"], "{names:?}");
    fs::remove_dir_all(tables.join("reconcile"))?;
    let (mut command, status) = folder.open_to_all()?;
    command.args(["--store", &folder.tables()]);
    stop(start(command, status, &folder.log())?)?;
    folder.assert_proved(&folder.tables())?;
    Ok(())
}

/// Whoever comes up before its store says so at once, answers probes, and goes on when the store is there. The
/// older system's variables alone tell where.
#[test]
fn a_store_that_comes_later_is_waited_for() -> Result<()> {
    let Some(folder) = Folder::new()? else {
        return Ok(());
    };
    let objects = folder.place.file("s3");
    fs::create_dir_all(objects.join("k8s-usage-data"))?;
    let port = free_port()?;
    let address = ([127, 0, 0, 1], port).into();
    let environment = S3Server::start_at(&objects, address)?.environment();
    let (mut command, status) = folder.open_to_all()?;
    command.envs(environment.clone()).env_remove("AWS_REGION");
    let mut daemon = Daemon::start(command, &folder.log())?;
    daemon.await_port(status)?;
    let begun = Instant::now();
    while !daemon.last_words().contains("check AWS_ENDPOINT_URL") {
        ensure!(begun.elapsed() < SOON, "{}", daemon.last_words());
        sleep(Duration::from_millis(20));
    }
    ensure!(TcpStream::connect(("127.0.0.1", status)).is_ok());
    ensure!(daemon.is_alive(), "{}", daemon.last_words());
    let _server = S3Server::start_at(&objects, address)?;
    while !daemon.last_words().contains("agents: https://") {
        ensure!(begun.elapsed() < PATIENCE, "{}", daemon.last_words());
        sleep(Duration::from_millis(20));
    }
    stop(daemon)?;
    let log = objects.join("k8s-usage-data/k8s-metrics/pod_usage/_delta_log");
    let entries = fs::read_dir(&log).with_context(|| format!("reading {}", log.display()))?;
    ensure!(entries.count() > 0);
    Ok(())
}
