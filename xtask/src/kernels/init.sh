#!/bin/sh
# The first process of a guest: mounts what a node has, runs the tests, says how they ended.
# Tests write to the first serial port; kernel and standard error share the second.
set -ex
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp

mount -t devtmpfs devtmpfs /dev
exec </dev/null >/dev/ttyS1 2>&1
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# Processes live in leaves only, as on a node, so that controllers can be given to their siblings.
mkdir /sys/fs/cgroup/init
echo 1 >/sys/fs/cgroup/init/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done

# With one limit always set, the kernel need not patch its scheduler while tests run.
mkdir /sys/fs/cgroup/limited
echo "50000 100000" >/sys/fs/cgroup/limited/cpu.max

ip link set lo up
hostname guest
ulimit -l unlimited
echo 1 >/proc/sys/net/core/bpf_jit_enable
while read -r module; do
    insmod "/lib/modules/$module"
done </lib/modules/load-order
set +ex

# Closing the port waits until the last byte has left.
{
    /test "$@"
    echo "guest: the tests ended with $?"
} >/dev/ttyS0
poweroff -f
