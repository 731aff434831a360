//! The command that boots one guest, without hardware virtualisation so that it runs anywhere.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::setup::kernel_images::KernelImage;

/// What the guest's init says last, before the exit code of the tests.
pub(super) const MARKER: &str = "guest: the tests ended with ";

/// Tests go to our pipe, the kernel's messages to `messages`.
pub(super) fn command(
    image: &KernelImage,
    initramfs: &Path,
    messages: &Path,
    arguments: &[String],
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
    qemu.arg("-append").arg(kernel_command_line(arguments));
    Ok(qemu)
}

/// The kernel hands `NAME=value` to init as environment, and what follows `--` as arguments.
fn kernel_command_line(arguments: &[String]) -> String {
    // A guest that reboots ends (-no-reboot), so an oops or a panic ends the run at once.
    let mut words = vec![
        "console=ttyS1".to_owned(),
        "panic=-1".to_owned(),
        "oops=panic".to_owned(),
    ];
    if let Ok(value) = std::env::var(super::REQUIRE_ALL) {
        words.push(format!("{}={value}", super::REQUIRE_ALL));
    }
    words.push("--".to_owned());
    words.extend_from_slice(arguments);
    words.join(" ")
}
