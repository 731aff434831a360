//! Boots one guest, without hardware virtualisation so that it runs anywhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::setup::kernel_images::KernelImage;
use crate::watch::Watched;

/// What the guest's init says last, before the exit code of the tests.
const MARKER: &str = "guest: the tests ended with ";

/// Tests go to our pipe, the kernel's messages to `messages`.
pub(super) fn command(
    image: &KernelImage,
    initramfs: &Path,
    messages: &Path,
    kernel_command_line: &str,
) -> Result<Command> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        image.cpu,
        "-smp",
        "2",
        "-m",
        "3G",
    ]);
    qemu.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    qemu.args(["-serial", "stdio", "-serial"])
        .arg(format!("file:{}", messages.display()));
    qemu.arg("-kernel")
        .arg(image.boot_file()?)
        .arg("-initrd")
        .arg(initramfs);
    qemu.args(["-append", kernel_command_line]);
    Ok(qemu)
}

/// The kernel hands `NAME=value` to init as environment, and what follows `--` as arguments.
pub(super) fn kernel_command_line<'a>(
    environment: Option<&'a str>,
    arguments: impl Iterator<Item = &'a str>,
) -> String {
    // A guest that reboots ends (-no-reboot), so an oops or a panic ends the run at once.
    let fixed = ["console=ttyS1", "panic=-1", "oops=panic"].into_iter();
    let words: Vec<&str> = fixed
        .chain(environment)
        .chain(["--"])
        .chain(arguments)
        .collect();
    words.join(" ")
}

/// Whether a guest died of the emulator: a kernel patches its own code while it runs, by way of a
/// breakpoint, and a second emulated CPU can still see the breakpoint when the patch is done.
pub(super) fn was_emulated_wrong(messages: &Path) -> bool {
    let messages = fs::read(messages).unwrap_or_default();
    String::from_utf8_lossy(&messages).contains("Oops: int3")
}

/// Why the guest's end is not the end of good tests.
pub(super) fn problem(watched: &Watched, messages: &Path) -> Option<String> {
    // A test that left without a word has its line cut short by the marker.
    let code = watched
        .lines
        .iter()
        .find_map(|line| line.split_once(MARKER));
    if let Some((_, code)) = code {
        return (code != "0").then(|| format!("the tests ended with exit code {code}"));
    }
    let messages = fs::read(messages).unwrap_or_default();
    let messages = String::from_utf8_lossy(&messages);
    let panic = messages.lines().find(|line| line.contains("Kernel panic"));
    let ended = || "the guest ended before its tests did".to_owned();
    Some(panic.map_or_else(ended, |panic| panic.trim().to_owned()))
}
