//! Characters that are printed so much alike that only the pattern tells which.

/// One shape in many fonts, or the same shape in two sizes, of which a line that
/// is scaled to one height says nothing.
const SAME: f32 = 1.0;
/// Told apart in clean print, not always in bad print.
const NEAR: f32 = 0.5;

/// What `character` may be taken for, and how far that counts for it.
pub(crate) fn alike(character: char) -> &'static [(char, f32)] {
    match character {
        '0' => &[('O', SAME), ('o', SAME), ('Q', NEAR), ('D', NEAR)],
        'O' => &[('0', SAME), ('o', SAME), ('Q', NEAR), ('D', NEAR)],
        'o' => &[('O', SAME), ('0', SAME)],
        '1' => &[
            ('I', SAME),
            ('l', SAME),
            ('|', SAME),
            ('i', NEAR),
            ('!', NEAR),
            ('7', NEAR),
            ('J', NEAR),
        ],
        'I' => &[
            ('1', SAME),
            ('l', SAME),
            ('|', SAME),
            ('i', NEAR),
            ('!', NEAR),
        ],
        'l' => &[('I', SAME), ('1', SAME), ('|', SAME), ('i', NEAR)],
        '2' => &[('Z', SAME), ('z', SAME)],
        'Z' => &[('z', SAME), ('2', SAME)],
        'z' => &[('Z', SAME), ('2', NEAR)],
        '3' => &[('8', NEAR), ('B', NEAR)],
        '4' => &[('A', NEAR), ('h', NEAR)],
        '5' => &[('S', SAME), ('s', SAME)],
        'S' => &[('s', SAME), ('5', SAME)],
        's' => &[('S', SAME), ('5', NEAR)],
        '6' => &[('G', NEAR), ('b', NEAR)],
        'G' => &[('6', NEAR), ('C', NEAR)],
        '7' => &[('1', NEAR), ('T', NEAR), ('?', NEAR)],
        '8' => &[('B', SAME), ('3', NEAR)],
        'B' => &[('8', SAME), ('3', NEAR)],
        '9' => &[('g', NEAR), ('q', NEAR)],
        'C' => &[('c', SAME), ('G', NEAR), ('(', NEAR)],
        'c' => &[('C', SAME)],
        'D' => &[('0', NEAR), ('O', NEAR)],
        'J' => &[('j', NEAR), ('1', NEAR)],
        'K' => &[('k', SAME)],
        'k' => &[('K', SAME)],
        'M' => &[('m', NEAR)],
        'P' => &[('p', SAME)],
        'p' => &[('P', SAME)],
        'T' => &[('7', NEAR), ('t', NEAR)],
        'U' => &[('u', SAME), ('V', NEAR)],
        'u' => &[('U', SAME)],
        'V' => &[('v', SAME), ('U', NEAR)],
        'v' => &[('V', SAME)],
        'W' => &[('w', SAME)],
        'w' => &[('W', SAME)],
        'X' => &[('x', SAME)],
        'x' => &[('X', SAME)],
        'Y' => &[('y', NEAR)],
        '.' => &[(',', SAME), ('·', SAME), ('-', NEAR)],
        ',' => &[('.', SAME)],
        ':' => &[(';', SAME), ('：', SAME), ('.', NEAR)],
        '-' => &[('–', SAME), ('—', SAME), ('_', SAME), ('~', NEAR)],
        '/' => &[('|', NEAR), ('l', NEAR), ('I', NEAR), ('1', NEAR)],
        '(' => &[('（', SAME), ('[', NEAR), ('C', NEAR)],
        ')' => &[('）', SAME), (']', NEAR)],
        _ => &[],
    }
}
