//! Where large buffers come from.

/// Lets every buffer of 64 KiB and more be a mapping of its own, which goes back to
/// the system when it is freed or moved. Left to itself, the C library raises that
/// bound to the largest buffer ever freed, and the heaps of the threads keep the
/// holes that growing buffers leave: after a minute of the synthetic belt at
/// 1280x800 that was 25.2 MiB instead of 20.8. To be called before threads start.
///
/// Only the GNU C library has this switch (mallopt(3)); elsewhere nothing happens.
pub fn map_large_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two numbers and changes nothing but where later
    // allocations come from.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 << 10);
    }
}

/// Lets buffers of less than 1 MiB be taken from the heap again, and 8 MiB that are free
/// at its end stay with it: networks take and free hundreds of buffers of that size for
/// each line, and a mapping of its own for each is hundreds of pages that the kernel has
/// to find, clear and take back. Of 60 lines read, that was 0.70 s of the kernel's time
/// beside 1.78 s of reading; so it is 0.07 s, and the most memory is the same (69 MB;
/// bench/text/README.md). Not for a daemon that searches for text as well: it took 103
/// to 112 MB so, and 99 without. To be called after [`map_large_buffers`].
pub fn keep_buffers_of_networks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: as above.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 8 << 20);
    }
}
