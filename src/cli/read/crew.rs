//! Jobs done by several threads, with results handed over in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// Results that wait for an earlier one, for each thread: enough that a slow
/// file holds nobody up, few enough that an hour of video does not pile them up.
const AHEAD: usize = 64;

/// Does jobs 0 to `count` on `threads` threads, each at its own `Desk`, and gives
/// the results to `take` on this thread, in order. `take` may say that no more are
/// wanted (`false`).
pub(super) fn in_order<Desk, Told: Send>(
    threads: usize,
    count: usize,
    desk: impl Fn() -> Desk + Sync,
    job: impl Fn(&mut Desk, usize) -> Told + Sync,
    mut take: impl FnMut(Told) -> bool,
) {
    let ahead = threads * AHEAD;
    let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Results that are done, and how many were taken.
    let done = Mutex::new((BTreeMap::new(), 0));
    let changed = Condvar::new();
    let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                let mut desk = desk();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    drop(
                        changed
                            .wait_while(lock(), |(_, taken)| {
                                index >= *taken + ahead && !enough.load(Ordering::Relaxed)
                            })
                            .unwrap_or_else(PoisonError::into_inner),
                    );
                    if index >= count || enough.load(Ordering::Relaxed) {
                        return;
                    }
                    let told = job(&mut desk, index);
                    lock().0.insert(index, told);
                    changed.notify_all();
                }
            });
        }
        for index in 0..count {
            let told = {
                let mut done = changed
                    .wait_while(lock(), |(results, _)| !results.contains_key(&index))
                    .unwrap_or_else(PoisonError::into_inner);
                done.1 = index + 1;
                done.0.remove(&index)
            };
            changed.notify_all();
            if !told.is_some_and(&mut take) {
                break;
            }
        }
        enough.store(true, Ordering::Relaxed);
        // Under the lock, so that no thread is between its look and its sleep.
        let _held = lock();
        changed.notify_all();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        let mut order = Vec::new();
        // Even jobs wait for the odd one after them: they cannot finish in order.
        let odd_done: Vec<AtomicBool> = (0..100).map(|_| AtomicBool::new(false)).collect();
        in_order(
            2,
            100,
            || (),
            |(), index| {
                if index % 2 == 0 {
                    while !odd_done[index + 1].load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                } else {
                    odd_done[index].store(true, Ordering::Release);
                }
                index
            },
            |index| {
                order.push(index);
                true
            },
        );
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_works_far_ahead_and_enough_ends_it() {
        let started = AtomicUsize::new(0);
        let mut taken = 0;
        in_order(
            3,
            100_000,
            || (),
            |(), _| started.fetch_add(1, Ordering::Relaxed),
            |_| {
                taken += 1;
                assert!(started.load(Ordering::Relaxed) <= taken + 3 * AHEAD + 3);
                taken < 1000
            },
        );
        assert_eq!(taken, 1000);
        in_order(3, 0, || (), |(), _| (), |()| panic!("there is no job"));
    }
}
