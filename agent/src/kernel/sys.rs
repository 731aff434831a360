//! The few `bpf(2)` calls that aya lacks: link updates, mapped arrays, run statistics, test runs.
#![expect(unsafe_code, reason = "raw system calls")]

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

use aya::Pod;
use tokio::io::{Interest, unix::AsyncFd};

/// No kernel is built for more.
const MOST_CPUS: usize = 8_192;

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_DELETE_ELEM: libc::c_long = 3;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_LINK_UPDATE: libc::c_long = 29;

/// `union bpf_attr`: no call here needs more.
#[repr(C, align(8))]
#[derive(Default)]
struct Attributes([u64; 16]);

impl Attributes {
    fn set32(&mut self, offset: usize, value: u32) {
        let shift = (offset % 8) * 8;
        self.0[offset / 8] |= u64::from(value) << shift;
    }

    fn set64(&mut self, offset: usize, value: u64) {
        self.0[offset / 8] = value;
    }

    fn get32(&self, offset: usize) -> u32 {
        (self.0[offset / 8] >> ((offset % 8) * 8)) as u32
    }
}

fn bpf(command: libc::c_long, attributes: &mut Attributes) -> io::Result<libc::c_long> {
    // SAFETY: the attributes are as long as told; pointers in them are the callers' business.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<Attributes>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Opens a pinned map, program or link.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Attributes::default();
    attributes.set64(0, path.as_ptr() as u64);
    let fd = bpf(BPF_OBJ_GET, &mut attributes)?;
    // SAFETY: the kernel just handed us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Puts another program behind a link, at once for every packet.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = Attributes::default();
    attributes.set32(0, raw(link));
    attributes.set32(4, raw(program));
    bpf(BPF_LINK_UPDATE, &mut attributes).map(drop)
}

fn element(map: BorrowedFd<'_>, key: &impl Pod, value: u64) -> Attributes {
    let mut attributes = Attributes::default();
    attributes.set32(0, raw(map));
    attributes.set64(8, std::ptr::from_ref(key) as u64);
    attributes.set64(16, value);
    attributes
}

/// The value of `key`, if there is one. For maps that are not per CPU.
pub fn look_up<V: Pod>(map: BorrowedFd<'_>, key: &impl Pod) -> io::Result<Option<V>> {
    let mut value = std::mem::MaybeUninit::<V>::uninit();
    let mut attributes = element(map, key, value.as_mut_ptr() as u64);
    match bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes) {
        // SAFETY: the kernel wrote the whole value; V is plain data.
        Ok(_) => Ok(Some(unsafe { value.assume_init() })),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All CPUs' values of one cell of a per-CPU map.
pub fn look_up_per_cpu<V: Pod>(map: BorrowedFd<'_>, key: u32, cpus: usize) -> io::Result<Vec<V>> {
    const {
        assert!(
            size_of::<V>().is_multiple_of(8),
            "the kernel pads per-CPU values to 8"
        );
    };
    // The kernel writes a value for every CPU that it thinks possible, whatever we think. Room that
    // it does not use is never touched.
    let mut values = Vec::<V>::with_capacity(cpus.max(MOST_CPUS));
    let mut attributes = element(map, &key, values.as_mut_ptr() as u64);
    bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes)?;
    // SAFETY: the kernel wrote a value for each possible CPU, which `cpus` counts; V is plain data.
    unsafe { values.set_len(cpus) };
    Ok(values)
}

/// Sets the value of `key`.
pub fn update(map: BorrowedFd<'_>, key: &impl Pod, value: &impl Pod) -> io::Result<()> {
    let mut attributes = element(map, key, std::ptr::from_ref(value) as u64);
    bpf(BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
}

/// Removes `key`; tells whether it was there.
pub fn delete(map: BorrowedFd<'_>, key: &impl Pod) -> io::Result<bool> {
    match bpf(BPF_MAP_DELETE_ELEM, &mut element(map, key, 0)) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// All keys of a map that nobody else changes meanwhile.
pub fn keys<K: Pod>(map: BorrowedFd<'_>) -> io::Result<Vec<K>> {
    let mut keys: Vec<K> = Vec::new();
    loop {
        let mut next = std::mem::MaybeUninit::<K>::uninit();
        let mut attributes = Attributes::default();
        attributes.set32(0, raw(map));
        let last = keys.last().map_or(0, |key| std::ptr::from_ref(key) as u64);
        attributes.set64(8, last);
        attributes.set64(16, next.as_mut_ptr() as u64);
        match bpf(BPF_MAP_GET_NEXT_KEY, &mut attributes) {
            // SAFETY: the kernel wrote the whole key; K is plain data.
            Ok(_) => keys.push(unsafe { next.assume_init() }),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(keys),
            Err(error) => return Err(error),
        }
    }
}

/// A map of integers, mapped into this process.
#[derive(Debug)]
pub struct MappedCells {
    first: NonNull<AtomicU64>,
    length: usize,
}

// SAFETY: owns its mapping, whose cells are atomic.
unsafe impl Send for MappedCells {}
// SAFETY: as above.
unsafe impl Sync for MappedCells {}

impl MappedCells {
    /// The cells; the kernel's programs write them too.
    pub fn cells(&self) -> &[AtomicU64] {
        // SAFETY: mapped for as long as self lives; zero or any other bytes are a value.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl Drop for MappedCells {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map_cells` made; nothing borrows from it any more.
        unsafe { libc::munmap(self.first.as_ptr().cast(), self.length * 8) };
    }
}

/// Maps an array of 64-bit integers that was made with `BPF_F_MMAPABLE`.
pub fn map_cells(map: BorrowedFd<'_>, length: usize) -> io::Result<MappedCells> {
    // SAFETY: a new mapping at an address of the kernel's choice.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length * 8,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            map.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let first = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
    Ok(MappedCells { first, length })
}

/// Runs a packet program `repeat` times over `packet`; nanoseconds of one run.
pub fn test_run(program: BorrowedFd<'_>, packet: &[u8], repeat: u32) -> io::Result<u32> {
    let mut attributes = Attributes::default();
    attributes.set32(0, raw(program));
    attributes.set32(8, packet.len() as u32);
    attributes.set64(16, packet.as_ptr() as u64);
    attributes.set32(32, repeat);
    bpf(BPF_PROG_TEST_RUN, &mut attributes)?;
    Ok(attributes.get32(36))
}

/// Holds an exclusive lock on a directory for as long as the descriptor lives.
pub fn lock_directory(directory: impl AsFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    let status =
        unsafe { libc::flock(directory.as_fd().as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Mounts a file system without a device.
pub fn mount(kind: &str, target: &Path) -> io::Result<()> {
    let kind = CString::new(kind)?;
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: both strings outlive the call, no options are passed.
    let status = unsafe {
        libc::mount(
            kind.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets the calling thread run on one CPU only.
pub fn run_on(cpu: usize) -> io::Result<()> {
    let mut mask = vec![0_u64; cpu / 64 + 1];
    mask[cpu / 64] = 1 << (cpu % 64);
    // SAFETY: the mask is as long as told.
    let status = unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            0,
            size_of_val(mask.as_slice()),
            mask.as_ptr(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes of a page of memory.
pub fn page_bytes() -> u64 {
    // SAFETY: no memory is involved.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Nanoseconds since boot, suspend included: the clock of the kernel's records.
pub fn boot_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The magic number of the file system that holds `path`.
pub fn file_system_magic(path: &Path) -> io::Result<i64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: an all-zero statfs is valid and gets overwritten.
    let mut stat = unsafe { std::mem::zeroed::<libc::statfs>() };
    // SAFETY: both pointers are valid for the call.
    let status = unsafe { libc::statfs(path.as_ptr(), &raw mut stat) };
    if status == 0 {
        Ok(stat.f_type)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The resolution of the coarse clock: one jiffy.
pub fn coarse_resolution(resolution: &mut libc::timespec) {
    // SAFETY: a valid pointer; this clock exists on every Linux.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, resolution) };
}

/// Gives freed memory back to the system. The allocator would keep it for this process's life.
pub fn return_free_memory() {
    // SAFETY: touches the allocator's own free lists only.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// A descriptor that this thread's runtime tells readable.
pub fn watch_readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor stays the same open file until it is dropped, with the watch.
    let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    watched.map_err(|refused| refused.into_parts().1)
}

/// Waits until one of `fds` can be read or `timeout_ms` have passed.
pub fn wait_readable(fds: &[BorrowedFd<'_>], timeout_ms: i32) -> io::Result<()> {
    let mut polls: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    // SAFETY: the array is as long as told.
    let status = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, timeout_ms) };
    if status >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted {
        Ok(())
    } else {
        Err(error)
    }
}
