//! Workloads as processes: this very program again, told by its first argument what to do, started
//! inside a cgroup before its first instruction of work.

use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::cgroup::TestCgroup;

/// First argument of a process that is a workload.
const WORKLOAD: &str = "--workload";

/// A named workload: gets its arguments, prints what it truly consumed.
pub type Workload = (&'static str, fn(&[String]) -> Result<()>);

/// Runs the workload that the arguments name, if they name one, and ends the process.
pub fn run_as_workload(workloads: &[Workload]) {
    let arguments: Vec<String> = env::args().collect();
    let [_, flag, name, rest @ ..] = arguments.as_slice() else {
        return;
    };
    if flag != WORKLOAD {
        return;
    }
    end_with_parent();
    let mut line = String::new();
    let outcome = match workloads.iter().find(|(known, _)| known == name) {
        // The parent says so when this process is in its cgroup.
        Some((_, run)) => std::io::stdin()
            .read_line(&mut line)
            .context("waiting for the start")
            .and_then(|_| run(rest)),
        None => Err(anyhow::anyhow!("there is no workload {name}")),
    };
    if let Err(error) = outcome {
        crate::harness::say(&format!("workload {name}: {error:#}"));
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// A workload whose parent is killed ends too.
#[expect(unsafe_code, reason = "prctl has no safe wrapper")]
fn end_with_parent() {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// A running workload; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts `name` inside `cgroup`, and inside the network namespace `namespace` if one is told.
    pub fn start(
        cgroup: &TestCgroup,
        namespace: Option<&str>,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let mut running = Self::prepare(cgroup, namespace, name, arguments)?;
        running.go()?;
        Ok(running)
    }

    /// Starts the process but holds it before its first work until [`Running::go`].
    pub fn prepare(
        cgroup: &TestCgroup,
        namespace: Option<&str>,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let program: OsString = env::current_exe()?.into();
        let mut command = match namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut child = command
            .arg(WORKLOAD)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting workload {name}"))?;
        cgroup.add(child.id())?;
        let output = child.stdout.take().context("a workload without output")?;
        Ok(Self {
            child,
            output: BufReader::new(output),
        })
    }

    /// Lets a prepared workload begin.
    pub fn go(&mut self) -> Result<()> {
        let input = self
            .child
            .stdin
            .as_mut()
            .context("the workload runs already")?;
        writeln!(input, "go").context("starting a workload")
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the workload ended before it said what it did");
        }
        Ok(line.trim_end().to_owned())
    }

    /// Sends it a line on its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let input = self
            .child
            .stdin
            .as_mut()
            .context("the workload's input is closed")?;
        writeln!(input, "{line}").context("telling a workload")
    }

    /// Waits for a good end; the rest of what it printed.
    pub fn finish(mut self) -> Result<String> {
        let mut rest = String::new();
        drop(self.child.stdin.take());
        while self.output.read_line(&mut rest)? > 0 {}
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the workload ended with {status}");
        }
        Ok(rest.trim_end().to_owned())
    }

    /// Kills it; what it had printed by then.
    pub fn kill(mut self) -> Result<String> {
        kill(self.child.id());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest)?;
        self.child.wait()?;
        Ok(String::from_utf8_lossy(&rest).into_owned())
    }

    /// Waits for its end, however it comes; its resource usage as the kernel tells its parent.
    pub fn wait_usage(self) -> Result<(i32, libc::rusage)> {
        wait4(&self.child)
    }
}

/// Waits for the end of a process; its status, its resource usage as the kernel tells its parent, and what it
/// had printed, if that goes into a pipe.
pub fn usage_of(mut child: Child) -> Result<(i32, libc::rusage, String)> {
    let mut said = String::new();
    if let Some(output) = &mut child.stdout {
        output.read_to_string(&mut said)?;
    }
    let (status, usage) = wait4(&child)?;
    Ok((status, usage, said))
}

#[expect(unsafe_code, reason = "wait4 has no safe wrapper")]
fn wait4(child: &Child) -> Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is valid; both pointers live through the call.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        let pid = libc::pid_t::try_from(child.id())?;
        if libc::wait4(pid, &raw mut status, 0, &raw mut usage) != pid {
            bail!("waiting for a process: {}", std::io::Error::last_os_error());
        }
        usage
    };
    Ok((status, usage))
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(self.child.id());
            if let Err(error) = self.child.wait() {
                crate::harness::say(&format!("warning: waiting for a killed workload: {error}"));
            }
        }
    }
}

/// Kills a process.
pub fn kill(pid: u32) {
    signal(pid, libc::SIGKILL);
}

/// Sends a signal; one that is gone gets none.
#[expect(unsafe_code, reason = "kill has no safe wrapper")]
pub fn signal(pid: u32, number: i32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(pid, number) };
    }
}
