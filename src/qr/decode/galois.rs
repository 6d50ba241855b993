//! Arithmetic in GF(256) with the polynomial of ISO/IEC 18004, 7.5.2
//! (x^8 + x^4 + x^3 + x^2 + 1): tables of powers and logarithms, nothing more.

/// Logarithm given to zero: so large that every sum with it lands among the
/// zeros at the end of [`EXP`], which saves the branch.
const LOG_ZERO: u16 = 512;

/// Powers of the primitive element: `EXP[i]` for i below 510, then zeros.
pub static EXP: [u8; 1025] = TABLES.0;
/// Logarithms; that of zero is [`LOG_ZERO`].
pub static LOG: [u16; 256] = TABLES.1;

const TABLES: ([u8; 1025], [u16; 256]) = {
    let (mut exp, mut log) = ([0u8; 1025], [LOG_ZERO; 256]);
    let (mut i, mut value) = (0, 1u16);
    while i < 255 {
        exp[i] = value as u8;
        exp[i + 255] = value as u8;
        log[value as usize] = i as u16;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= 0x11d;
        }
        i += 1;
    }
    (exp, log)
};

/// The product.
#[inline]
pub fn mul(a: u8, b: u8) -> u8 {
    EXP[usize::from(LOG[usize::from(a)] + LOG[usize::from(b)])]
}

/// The quotient; `b` is not zero.
#[inline]
pub fn div(a: u8, b: u8) -> u8 {
    debug_assert!(b != 0);
    if a == 0 {
        return 0;
    }
    EXP[usize::from(LOG[usize::from(a)] + 255 - LOG[usize::from(b)])]
}

/// The `exponent`-th power of the primitive element.
#[inline]
pub fn power(exponent: usize) -> u8 {
    EXP[exponent % 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Schoolbook multiplication, to check the tables against.
    fn slow(mut a: u16, mut b: u16) -> u8 {
        let mut product = 0;
        while b != 0 {
            if b & 1 != 0 {
                product ^= a;
            }
            a <<= 1;
            if a & 0x100 != 0 {
                a ^= 0x11d;
            }
            b >>= 1;
        }
        product as u8
    }

    #[test]
    fn tables_agree_with_polynomial_arithmetic() {
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                assert_eq!(mul(a, b), slow(a.into(), b.into()));
                if b != 0 {
                    assert_eq!(mul(div(a, b), b), a);
                }
            }
        }
    }
}
