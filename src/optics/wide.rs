//! The same loops for processors with wider registers.
//!
//! Programs are built for any processor of their kind: on x86-64 for vectors of 16
//! bytes, and without the instructions that count zeros. What every frame goes through
//! is compiled once more for AVX2, from the same source, and taken where the processor
//! has it. There is no arithmetic that differs: neither form fuses or reorders anything,
//! so results are the same to the last bit. On aarch64 NEON is always there, and
//! compilers use it.

/// A call of a function with `#[inline(always)]`, as compiled for the widest registers
/// that the processor has. It is written out twice: what has two callers is not inlined
/// and would stay as narrow as it was.
macro_rules! widest {
    ($call:expr) => {{
        #[cfg(target_arch = "x86_64")]
        if $crate::optics::wide::has_avx2() {
            // SAFETY: the processor has what the function is compiled for.
            #[allow(unsafe_code)]
            unsafe {
                $crate::optics::wide::with_avx2(|| $call)
            }
        } else {
            $call
        }
        #[cfg(not(target_arch = "x86_64"))]
        $call
    }};
}
pub(crate) use widest;

/// Has the processor what [`with_avx2`] is compiled for?
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Does `work`, which has no other caller, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,lzcnt,popcnt")]
pub fn with_avx2<T>(work: impl FnOnce() -> T) -> T {
    work()
}
