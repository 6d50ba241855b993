//! Any text as element strings, as a Digital Link, and as what the encoder takes.
#![no_main]

use beltscan::item::gs1;
use beltscan::qr::{EcLevel, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let today = jiff::civil::date(2026, 2, 28);
    for parsed in [
        Some(gs1::parse_elements(text, today)),
        gs1::parse_digital_link(text, today),
    ]
    .into_iter()
    .flatten()
    {
        match parsed {
            Ok(elements) => {
                assert!(!elements.is_empty());
                let _ = gs1::check_associations(&elements);
                let _ = gs1::expiry(&elements, today);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if text.len() < 60 {
        let _ = encode(text, EcLevel::L, None, true);
    }
});
