//! The same loops for processors with wider registers.
//!
//! Programs are built for any processor of their kind: on x86-64 for vectors of 16
//! bytes, and without the instructions that count zeros. What every frame goes through
//! is compiled once more for AVX2, from the same source, and taken where the processor
//! has it. There is no arithmetic that differs: neither form fuses or reorders anything,
//! so results are the same to the last bit. On aarch64 NEON is always there, and
//! compilers use it.

/// A function that calls another one, which has `#[inline(always)]` and so is compiled
/// for the widest registers that the processor has. (Closures would do, but compilers
/// inline large ones only as they like, and what is not inlined stays narrow.)
macro_rules! widest {
    ($(#[$note:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $narrow:path;) => {
        $(#[$note])*
        #[inline]
        fn $name($($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,lzcnt,popcnt")]
                fn wide($($arg: $type),*) $(-> $out)? {
                    $narrow($($arg),*)
                }
                if $crate::optics::wide::has_avx2() {
                    // SAFETY: the processor has what it is compiled for.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($arg),*) };
                }
            }
            $narrow($($arg),*)
        }
    };
}
pub(crate) use widest;

/// Has the processor what [`widest`] compiles for?
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}
