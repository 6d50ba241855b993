//! Sampled modules of any side: the first byte says the side, the others are the
//! confidences. Whatever decodes must keep to the bounds of its kind.
#![no_main]

use beltscan::qr::{Code, Decoder, Modules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, confidences)) = data.split_first() else {
        return;
    };
    let side = match first % 48 {
        // Every symbol there is, and what is none.
        i @ 0..4 => 11 + 2 * usize::from(i),
        i @ 4..44 => 21 + 4 * usize::from(i - 4),
        i => usize::from(i),
    };
    let mut modules = Modules::default();
    modules.reset(side);
    let bits = first >= 192;
    for (i, (y, x)) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))).enumerate() {
        // Bits reach further with the same number of bytes.
        let confidence = if bits {
            match confidences.get(i / 8) {
                Some(byte) if byte >> (i % 8) & 1 == 1 => 100,
                Some(_) => -100,
                None => 0,
            }
        } else {
            confidences.get(i).map_or(0, |&byte| byte as i8)
        };
        modules.set(x, y, confidence);
    }
    let mut code = Code::default();
    let mut decoder = Decoder::new();
    if decoder.decode(&modules, &mut code).is_ok() {
        assert!(code.content.bytes.len() <= 7089);
        assert!((1..=40).contains(&code.version) && code.mask < 8);
        assert!((0.0..=1.0).contains(&code.quality.uec));
        assert!(code.content.is_text || code.content.text.is_empty());
    }
    assert!(decoder.risk() >= 0.0);
});
