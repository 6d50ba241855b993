//! Any text as the configuration: refused with reasons, or good for a plan.
#![no_main]

use beltscan::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Files and devices are not what is looked for.
    if text.contains('/') {
        return;
    }
    match Config::parse(text) {
        Ok(config) => {
            assert!(config.plan().is_ok());
            assert!(!config.hash().is_empty());
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
});
