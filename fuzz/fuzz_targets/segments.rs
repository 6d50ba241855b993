//! Data codewords of any kind: the first byte says the version.
#![no_main]

use beltscan::qr::Content;
use beltscan::qr::decode::read_data;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&version, data)) = data.split_first() else {
        return;
    };
    let mut content = Content::default();
    if read_data(data, version % 40 + 1, &mut content) {
        // Ten bits make three digits, and a byte at most three of UTF-8.
        assert!(content.bytes.len() <= data.len() * 8 / 3 + 1);
        assert!(content.text.len() <= content.bytes.len() * 3);
        assert!(content.is_text || content.text.is_empty());
        assert!((1..=6).contains(&content.aim_modifier));
    }
});
