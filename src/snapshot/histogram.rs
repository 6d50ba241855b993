//! How long things take: a histogram with fixed buckets that any thread adds to
//! without waiting and without allocating, and from which quantiles are read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets in each doubling of time: a quantile is off by at most an eighth.
const PER_OCTAVE: usize = 8;
/// 2^10 ns, about a microsecond: what is shorter counts as this.
const FIRST_OCTAVE: u32 = 10;
/// 2^36 ns, about 69 s: what is longer counts as this.
const LAST_OCTAVE: u32 = 36;
const BUCKETS: usize = (LAST_OCTAVE - FIRST_OCTAVE) as usize * PER_OCTAVE;

/// Durations from a microsecond to a minute, counted in 208 buckets (1.7 KB).
pub struct Histogram([AtomicU64; BUCKETS]);

impl Histogram {
    /// Counts one duration in nanoseconds.
    pub fn record(&self, ns: u64) {
        self.0[bucket_of(ns)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        Counts(std::array::from_fn(|nth| {
            self.0[nth].load(Ordering::Relaxed)
        }))
    }

    /// The duration in nanoseconds that a share `q` (0 to 1) of all durations
    /// ever recorded does not exceed; `None` if there were none.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.counts().quantile(q)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.counts();
        f.debug_struct("Histogram")
            .field("count", &counts.total())
            .field("p50_ns", &counts.quantile(0.5))
            .field("p99_ns", &counts.quantile(0.99))
            .finish()
    }
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; BUCKETS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Counts {
    /// What came since `earlier`, counts of the same histogram.
    pub fn since(&self, earlier: &Counts) -> Counts {
        Counts(std::array::from_fn(|nth| {
            self.0[nth].saturating_sub(earlier.0[nth])
        }))
    }

    /// How many durations.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration in nanoseconds that a share `q` (0 to 1) of them does not
    /// exceed, interpolated inside its bucket; `None` if there are none.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * total as f64).max(1.0);
        let mut below = 0;
        for (bucket, &count) in self.0.iter().enumerate() {
            if count > 0 && (below + count) as f64 >= rank {
                let share = (rank - below as f64) / count as f64;
                let (from, to) = (lower(bucket), lower(bucket + 1));
                return Some(from + (share * (to - from) as f64) as u64);
            }
            below += count;
        }
        // Rounding of more than 2^53 counts; the largest is the answer then.
        Some(lower(BUCKETS))
    }
}

fn bucket_of(ns: u64) -> usize {
    let ns = ns.clamp(1 << FIRST_OCTAVE, (1 << LAST_OCTAVE) - 1);
    let octave = ns.ilog2();
    let within = (ns >> (octave - PER_OCTAVE.ilog2())) as usize % PER_OCTAVE;
    (octave - FIRST_OCTAVE) as usize * PER_OCTAVE + within
}

/// Smallest duration that falls into the bucket.
fn lower(bucket: usize) -> u64 {
    let octave = FIRST_OCTAVE + (bucket / PER_OCTAVE) as u32;
    (1 << octave) + ((bucket % PER_OCTAVE) as u64) * (1 << (octave - PER_OCTAVE.ilog2()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_falls_into_the_bucket_that_holds_it(ns in (1_u64 << 10)..(1 << 36)) {
            let bucket = bucket_of(ns);
            prop_assert!(lower(bucket) <= ns && ns < lower(bucket + 1));
        }

        #[test]
        fn quantiles_are_within_an_eighth_of_the_sorted_truth(
            mut durations in prop::collection::vec(2_000_u64..60_000_000_000, 1..200),
            q in 0.01_f64..1.0,
        ) {
            let histogram = Histogram::default();
            for &ns in &durations {
                histogram.record(ns);
            }
            durations.sort_unstable();
            let rank = ((q * durations.len() as f64).ceil() as usize).clamp(1, durations.len());
            let truth = durations[rank - 1] as f64;
            let found = histogram.quantile(q).unwrap() as f64;
            prop_assert!((found / truth - 1.0).abs() <= 0.13, "{found} for {truth}");
        }
    }

    #[test]
    fn extremes_are_counted_at_the_ends() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        histogram.record(0);
        histogram.record(u64::MAX);
        assert_eq!(histogram.counts().total(), 2);
        assert_eq!(histogram.quantile(1.0), Some(1 << LAST_OCTAVE));
        assert!(histogram.quantile(0.0).unwrap() <= 1152);
    }

    #[test]
    fn a_window_forgets_what_was_before_it() {
        let histogram = Histogram::default();
        histogram.record(1_000_000_000);
        let before = histogram.counts();
        histogram.record(1_000_000);
        let window = histogram.counts().since(&before);
        assert_eq!(window.total(), 1);
        assert!(window.quantile(0.99).unwrap() < 2_000_000);
    }
}
