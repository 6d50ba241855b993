//! The decoder against an encoder, another decoder, and anything at all.

use proptest::prelude::*;
use qrcode::bits::Bits as Writer;
use qrcode::{Color, QrCode, Version};

use super::*;
use crate::qr::code::{Content, EcLevel, Fnc1};

const LEVELS: [(EcLevel, qrcode::EcLevel); 4] = [
    (EcLevel::L, qrcode::EcLevel::L),
    (EcLevel::M, qrcode::EcLevel::M),
    (EcLevel::Q, qrcode::EcLevel::Q),
    (EcLevel::H, qrcode::EcLevel::H),
];

fn modules_of(code: &QrCode) -> Modules {
    let mut modules = Modules::default();
    modules.reset(code.width());
    for y in 0..code.width() {
        for x in 0..code.width() {
            let dark = code[(x, y)] == Color::Dark;
            modules.set(x, y, if dark { 127 } else { -127 });
        }
    }
    modules
}

fn decode(modules: &Modules) -> Result<Code, DecodeError> {
    let mut code = Code::default();
    Decoder::new().decode(modules, &mut code).map(|()| code)
}

/// Writes segments by hand and decodes the symbol.
fn written(write: impl Fn(&mut Writer) -> qrcode::QrResult<()>) -> Content {
    let mut bits = Writer::new(Version::Normal(5));
    write(&mut bits).expect("fits");
    bits.push_terminator(qrcode::EcLevel::M).expect("fits");
    let code = QrCode::with_bits(bits, qrcode::EcLevel::M).expect("fits");
    decode(&modules_of(&code)).expect("a whole symbol").content
}

#[test]
fn every_version_and_level_reads_back() {
    let mut random = fastrand::Rng::with_seed(6);
    for version in 1..=40 {
        for (level, theirs) in LEVELS {
            let room = Blocks::of(version, level).expect("a version").data() - 3;
            let data: Vec<u8> = (0..room).map(|_| random.u8(b'a'..=b'z')).collect();
            let code =
                QrCode::with_version(&data, Version::Normal(version.into()), theirs).expect("fits");
            let mut modules = modules_of(&code);
            for mirrored in [false, true] {
                let read =
                    decode(&modules).unwrap_or_else(|e| panic!("{version} {level:?}: {e:?}"));
                assert_eq!(read.content.bytes, data);
                assert!(read.content.is_text && read.content.text.as_bytes() == data);
                assert_eq!((read.version, read.level), (version, level));
                assert_eq!(read.mirrored, mirrored);
                assert_eq!((read.corrected, read.quality.uec), (0, 1.0));
                assert_eq!(read.method, Method::Plain);
                modules.transpose();
            }
        }
    }
}

#[test]
fn the_example_of_annex_i() {
    let code =
        QrCode::with_version(b"01234567", Version::Normal(1), qrcode::EcLevel::M).expect("fits");
    let read = decode(&modules_of(&code)).expect("reads");
    assert_eq!(read.content.text, "01234567");
    assert_eq!(read.content.aim_modifier, 1);
    assert_eq!(read.level, EcLevel::M);
}

#[test]
fn modes_and_declarations() {
    let kanji = written(|b| b.push_kanji_data(b"\x93\x5f\xe4\xaa"));
    assert_eq!(kanji.text, "点茗");
    assert_eq!(kanji.bytes, b"\x93\x5f\xe4\xaa");
    let greek = written(|b| {
        b.push_eci_designator(9)?;
        b.push_byte_data(b"\xa1\xa2\xa3\xa4\xa5")
    });
    assert_eq!(greek.aim_modifier, 2);
    assert_eq!(greek.text, "‘’£€₯");
    let gs1 = written(|b| {
        b.push_fnc1_first_position()?;
        b.push_numeric_data(b"0109506000134352")?;
        b.push_alphanumeric_data(b"10AB%%1%21X")
    });
    assert_eq!(gs1.fnc1, Some(Fnc1::Gs1));
    assert_eq!(gs1.aim_modifier, 3);
    assert_eq!(gs1.text, "010950600013435210AB%1\u{1d}21X");
    let industry = written(|b| {
        b.push_eci_designator(26)?;
        b.push_fnc1_second_position(37)?;
        b.push_alphanumeric_data(b"AA1234BBB112")
    });
    assert_eq!(industry.fnc1, Some(Fnc1::Industry(37)));
    assert_eq!(industry.aim_modifier, 6);
    let plain = written(|b| b.push_alphanumeric_data(b"100%%"));
    assert_eq!(plain.text, "100%%");
}

#[test]
fn character_sets_declared_and_guessed() {
    let eci = |number: u32, bytes: &'static [u8]| {
        written(move |b| {
            b.push_eci_designator(number)?;
            b.push_byte_data(bytes)
        })
    };
    assert_eq!(eci(3, b"\xe4\x80").text, "ä\u{80}");
    assert_eq!(eci(26, "ä€".as_bytes()).text, "ä€");
    assert_eq!(eci(25, b"\x00\xe4\x20\xac").text, "ä€");
    assert_eq!(eci(34, b"\x00\x01\xf6\x00").text, "😀");
    assert_eq!(eci(2, b"\x80\xe1\xff").text, "Çß\u{a0}");
    assert_eq!(eci(20, b"\x93\x5f").text, "点");
    assert_eq!(eci(32, b"\xd6\xd0").text, "中");
    for (number, bytes) in [
        (26, b"\xff\xfe".as_slice()),
        (899, b"abc"),
        (123456, b"abc"),
        (27, b"\x80"),
        (34, b"\x00\x11\x00\x00\x00"),
    ] {
        let content = eci(number, bytes);
        assert!(!content.is_text && content.text.is_empty(), "{number}");
        assert_eq!(content.bytes, bytes);
        assert_eq!(content.aim_modifier, 2);
    }
    let guess = |bytes: &'static [u8]| written(move |b| b.push_byte_data(bytes));
    assert_eq!(guess("Grüße".as_bytes()).text, "Grüße");
    assert_eq!(guess(b"Gr\xfc\xdfe").text, "Grüße");
    assert_eq!(guess(b"\x93\x5f\x8e\xae").text, "点式");
    assert_eq!(guess(b"\xb6\xc5\xb6\xc5").text, "ｶﾅｶﾅ");
    assert_eq!(
        guess(b"\x01\x10AD:SUB:\xb0\xa2;;").text,
        "\x01\x10AD:SUB:阿;;"
    );
    assert_eq!(guess(b"INFORMA\xc7\xc3O").text, "INFORMAÇÃO");
    assert_eq!(guess(b"20 \xb0C").text, "20 °C");
    assert!(!guess(b"\x00\x01\x02\xff").is_text);
    assert_eq!(
        guess(b"[)>\x1e06\x1d17V1\x1e\x04").text,
        "[)>\u{1e}06\u{1d}17V1\u{1e}\u{4}"
    );
    // A byte-blind encoder cuts UTF-8 into Kanji mode where the pairs fit.
    let cut = written(|b| {
        let bytes = "ああ".as_bytes();
        b.push_kanji_data(&bytes[..2])?;
        b.push_byte_data(&bytes[2..])
    });
    assert_eq!(cut.text, "ああ");
}

/// Micro QR codes drawn by another encoder, read by another decoder.
#[test]
fn micro_symbols_of_other_makers() {
    for (text, version, level, mask, picture) in [
        (
            "12345",
            1,
            EcLevel::L,
            2,
            "#######.#.#/#.....#.##./#.###.#.#../#.###.#..../#.###.#.###/#.....#..##/#######.#../\
             .........##/##..###..##/.#.#...##../####.....##",
        ),
        (
            "01234567",
            2,
            EcLevel::L,
            1,
            "#######.#.#.#/#.....#.###.#/#.###.#..##.#/#.###.#..####/#.###.#.###../#.....#.#...#/\
             #######..####/.........##../##.#....#...#/.##.#.#.#.#.#/###..#######./...#.#....##./\
             ###.#..##.###",
        ),
        (
            "AB12",
            2,
            EcLevel::M,
            0,
            "#######.#.#.#/#.....#.#####/#.###.#.####./#.###.#....../#.###.#..####/#.....#.#.#.#/\
             #######..###./..........##./###..#######./..#.#..###.##/#..###.....##/...#.#..#..../\
             ##.####...#..",
        ),
        (
            "12345678901234567890",
            3,
            EcLevel::L,
            2,
            "#######.#.#.#.#/#.....#.......#/#.###.#.###.##./#.###.#.#.#..##/#.###.#..#.#.../\
             #.....#.#.##.##/#######..#.###./..........#.#.#/######....###.#/.##########..#./\
             #..##.#...###.#/.#.##..#..##.../##.#......##.#./...#..####.#.#./###..#..#...##.",
        ),
        (
            "abcdef",
            3,
            EcLevel::M,
            1,
            "#######.#.#.#.#/#.....#.#..#.##/#.###.#.......#/#.###.#....###./#.###.#.#.####./\
             #.....#..#..###/#######.##....#/........#.####./#.....###..##.#/...#####...####/\
             #.#.#...###...#/..###....#####./###.#..##..###./....#...#.....#/###..#.#.###..#",
        ),
        (
            "Beltscan 4",
            4,
            EcLevel::M,
            2,
            "#######.#.#.#.#.#/#.....#.....#.#../#.###.#.###.#.#../#.###.#.#.#.###../\
             #.###.#..#.##.#../#.....#..#.###.##/#######.##..#...#/........####.##.#/\
             #.#.####.##.#.#.#/.#..####..#.###../#.####..#####..#./.....##..###....#/\
             ##...###...##...#/.###.#..##....#.#/#...##.##..#.###./.#.#.#.##.#...#.#/\
             #####..####.###..",
        ),
        (
            "123456789",
            4,
            EcLevel::Q,
            2,
            "#######.#.#.#.#.#/#.....#.#..####.#/#.###.#..##..##.#/#.###.#.#.#.#...#/\
             #.###.#.##.#...../#.....#...##...../#######..##..##../.........######.#/\
             #.#####.######..#/..##..###.#.#.##./#......##.#...#.#/.#.#....##.#....#/\
             ###..##......###./.#..#....#.##..../#..##.####..###.#/.#.#..##..####..#/\
             ###.####.####.##.",
        ),
    ] {
        let rows: Vec<&str> = picture.split('/').collect();
        let mut modules = Modules::default();
        modules.reset(rows.len());
        for (y, row) in rows.iter().enumerate() {
            for (x, module) in row.bytes().enumerate() {
                modules.set(x, y, if module == b'#' { 127 } else { -127 });
            }
        }
        for mirrored in [false, true] {
            let read = decode(&modules).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(read.content.text, text);
            assert_eq!(read.symbology, Symbology::MicroQr);
            assert_eq!(
                (read.version, read.level, read.mask),
                (version, level, mask)
            );
            assert_eq!((read.mirrored, read.corrected), (mirrored, 0));
            modules.transpose();
        }
    }
}

/// Every bound of table 9 for Micro QR codes: damage within it is put right.
#[test]
fn damaged_micro_symbols_read_back() {
    let mut random = fastrand::Rng::with_seed(10);
    for (version, levels) in [(2, &LEVELS[..2]), (3, &LEVELS[..2]), (4, &LEVELS[..3])] {
        for &(level, _) in levels {
            let blocks = Blocks::of_micro(version, level).expect("there is one");
            let order = Layout::of_micro(version).expect("a version").order();
            let whole = crate::qr::encode_micro("123", level, Some(version)).expect("fits");
            for _ in 0..200 {
                let mut modules = whole.modules();
                let erased = random.usize(0..=blocks.capacity());
                let errors = (blocks.capacity() - erased) / 2;
                let places = random.choose_multiple(0..blocks.codewords, erased + errors);
                for (i, place) in places.into_iter().enumerate() {
                    // Codewords after one of four bits begin four modules earlier.
                    let half = blocks.half && place >= blocks.data();
                    let short = blocks.half && place == blocks.data() - 1;
                    let first = place * 8 - if half { 4 } else { 0 };
                    let count = if short { 4 } else { 8 };
                    let wrong = random.usize(0..count);
                    for (bit, &index) in order[first..first + count].iter().enumerate() {
                        let (x, y) = (
                            usize::from(index) % modules.side(),
                            usize::from(index) / modules.side(),
                        );
                        if i < erased {
                            modules.set(x, y, 0);
                        } else if bit == wrong || random.bool() {
                            modules.set(x, y, -modules.get(x, y));
                        }
                    }
                }
                let mut read = Code::default();
                let mut decoder = Decoder::new();
                decoder.set_limit(1.0 + 1e-9);
                assert_eq!(
                    decoder.decode(&modules, &mut read),
                    Ok(()),
                    "M{version} {level:?}"
                );
                assert_eq!(read.content.text, "123", "M{version} {level:?} {erased}");
            }
        }
    }
}

#[test]
fn odd_squares_are_refused() {
    let mut modules = Modules::default();
    for side in 0..=177 {
        modules.reset(side);
        let expected = match version_of(side).or(micro_version_of(side)) {
            Some(_) => DecodeError::Format,
            None => DecodeError::NotASymbol(side),
        };
        assert_eq!(decode(&modules).err(), Some(expected));
    }
}

#[test]
fn a_wrong_side_is_told_by_the_version_information() {
    // Version 7 put into the corner of the square of version 8 keeps its own
    // lower left and upper right information only by chance; build it instead.
    let seven =
        QrCode::with_version(b"seven", Version::Normal(7), qrcode::EcLevel::M).expect("fits");
    let eight =
        QrCode::with_version(b"eight", Version::Normal(8), qrcode::EcLevel::M).expect("fits");
    let (seven, mut modules) = (modules_of(&seven), modules_of(&eight));
    for bit in 0..18 {
        let from = version_places(45, bit);
        for (to, from) in version_places(49, bit).into_iter().zip(from) {
            modules.set(to.0, to.1, seven.get(from.0, from.1));
        }
    }
    // The data still decodes: error correction is the better judge.
    assert_eq!(decode(&modules).expect("reads").content.text, "eight");
    let mut random = fastrand::Rng::with_seed(7);
    for i in 0..49 {
        for j in 12..36 {
            modules.set(i, j, if random.bool() { 127 } else { -127 });
        }
    }
    assert_eq!(decode(&modules).err(), Some(DecodeError::Version(7)));
}

#[test]
fn few_random_squares_pass_for_a_format() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut modules = Modules::default();
    let (mut passed, trials) = (0, 2000);
    for _ in 0..trials {
        modules.reset(25);
        for y in 0..25 {
            for x in 0..25 {
                modules.set(x, y, if random.bool() { 90 } else { -90 });
            }
        }
        match decode(&modules) {
            Err(DecodeError::Format) => {}
            Err(_) => passed += 1,
            Ok(code) => panic!("random modules read as {:?}", code.content),
        }
    }
    assert!((100..trials / 4).contains(&passed), "{passed} of {trials}");
}

/// rqrr's decoder over our bits.
struct Oracle<'a>(&'a Modules);

impl rqrr::BitGrid for Oracle<'_> {
    fn size(&self) -> usize {
        self.0.side()
    }

    fn bit(&self, y: usize, x: usize) -> bool {
        self.0.dark(x, y)
    }
}

/// Anything that may be encoded, at some level and version that holds it.
fn symbols() -> impl Strategy<Value = (Vec<u8>, usize, i16)> {
    let data = prop_oneof![
        "[0-9]{1,60}".prop_map(String::into_bytes),
        "[0-9A-Z $%*+./:-]{1,60}".prop_map(String::into_bytes),
        "[ -~]{1,60}".prop_map(String::into_bytes),
        "\\PC{1,30}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..60),
    ];
    (data, 0..4usize, 0..12i16)
}

fn symbol(data: &[u8], level: usize, grow: i16) -> QrCode {
    let smallest =
        QrCode::with_error_correction_level(data, LEVELS[level].1).expect("fits version 40");
    let Version::Normal(version) = smallest.version() else {
        unreachable!("no micro version was asked for");
    };
    QrCode::with_version(
        data,
        Version::Normal((version + grow).min(40)),
        LEVELS[level].1,
    )
    .expect("fits")
}

proptest! {
    #[test]
    fn whatever_is_encoded_reads_back((data, level, grow) in symbols()) {
        let code = symbol(&data, level, grow);
        let read = decode(&modules_of(&code)).expect("whole");
        prop_assert_eq!(&read.content.bytes, &data);
        if let Ok(text) = std::str::from_utf8(&data) && !text.bytes().any(|b| b < 32 || b == 127) {
            prop_assert_eq!(&read.content.text, text);
        }
    }

    #[test]
    fn rqrr_reads_the_same((data, level, grow) in symbols(), flips in 0..12usize, seed: u64) {
        let mut modules = modules_of(&symbol(&data, level, grow));
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..flips {
            let (x, y) = (random.usize(9..modules.side()), random.usize(9..modules.side()));
            modules.set(x, y, modules.get(x, y).saturating_neg());
        }
        let mut theirs = Vec::new();
        if let Ok(meta) = rqrr::Grid::new(Oracle(&modules)).decode_to(&mut theirs) {
            let ours = match decode(&modules) {
                Ok(ours) => ours,
                Err(error) => {
                    // It keeps nothing for misdecode protection.
                    let version = meta.version.0 as u8;
                    let blocks = Blocks::of(version, LEVELS[level].0).expect("a version");
                    prop_assert!(error == DecodeError::Checksum && blocks.protect > 0);
                    return Ok(());
                }
            };
            prop_assert_eq!(&ours.content.bytes, &theirs);
            prop_assert_eq!(usize::from(ours.version), meta.version.0);
            prop_assert_eq!(u16::from(ours.mask), meta.mask);
        }
    }

    /// Errors and erasures in codewords up to 2e + s <= n - k - p, block by block.
    #[test]
    fn damage_within_the_bound_reads_back(
        (data, level, grow) in symbols(), share in 0.0..=1.0f64, seed: u64,
    ) {
        let code = symbol(&data, level, grow);
        let Version::Normal(version) = code.version() else { unreachable!("no micro") };
        let version = version as u8;
        let mut modules = modules_of(&code);
        let mut random = fastrand::Rng::with_seed(seed);
        let blocks = Blocks::of(version, LEVELS[level].0).expect("a version");
        let order = Layout::of(version).expect("a version").order();
        let side = modules.side();
        for block in 0..blocks.count {
            let erased = (share * blocks.capacity() as f64) as usize;
            let errors = (blocks.capacity() - erased) / 2;
            let places = random.choose_multiple(0..blocks.length(block), erased + errors);
            for (i, index) in places.into_iter().enumerate() {
                let first = blocks.place(block, index) * 8;
                let change = random.u8(1..);
                for bit in 0..8 {
                    let index = usize::from(order[first + bit]);
                    let (x, y) = (index % side, index / side);
                    if i < erased {
                        modules.set(x, y, 0);
                    } else if change >> bit & 1 == 1 {
                        modules.set(x, y, -modules.get(x, y));
                    }
                }
            }
        }
        let mut read = Code::default();
        let mut decoder = Decoder::new();
        decoder.set_limit(1.0 + 1e-9);
        prop_assert_eq!(decoder.decode(&modules, &mut read), Ok(()));
        prop_assert_eq!(&read.content.bytes, &data);
        prop_assert!((0.0..=1.0).contains(&read.quality.uec));
    }

    #[test]
    fn random_modules_never_panic(side in 0..=177usize, seed: u64, erased in 0..4u8) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut modules = Modules::default();
        modules.reset(side);
        for y in 0..side {
            for x in 0..side {
                let value = if random.u8(0..4) < erased { 0 } else { random.i8(..) };
                modules.set(x, y, value);
            }
        }
        // Half of them with a whole format word, so that the rest is reached.
        if version_of(side).is_some() && seed % 2 == 0 {
            for bit in 0..15 {
                for (x, y) in format_places(side, bit) {
                    modules.set(x, y, if 0x5412 >> bit & 1 == 1 { 127 } else { -127 });
                }
            }
        }
        let mut code = Code::default();
        let mut decoder = Decoder::new();
        let _ = decoder.decode(&modules, &mut code);
        prop_assert!(code.content.text.len() <= 3 * 8896);
    }

    #[test]
    fn random_segments_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in 1..=40u8) {
        let mut content = Content::default();
        let _ = read_data(&bytes, version, &mut content);
        prop_assert!(content.text.len() <= 8 * bytes.len() + 16);
    }
}

/// A round glare over data modules, `area` of the symbol: `soft` knows of it,
/// `hard` has random modules there.
fn glare(modules: &Modules, area: f64, random: &mut fastrand::Rng) -> (Modules, Modules) {
    let side = modules.side();
    let radius = (area * (side * side) as f64 / std::f64::consts::PI).sqrt();
    let mut place = || 9.0 + random.f64() * (side as f64 - 9.0);
    let (cx, cy) = (place(), place());
    let (mut soft, mut hard) = (modules.clone(), modules.clone());
    for y in 0..side {
        for x in 0..side {
            let (right, down) = (x as f64 + 0.5 - cx, y as f64 + 0.5 - cy);
            if right * right + down * down < radius * radius {
                soft.set(x, y, 0);
                hard.set(x, y, if random.bool() { 127 } else { -127 });
            }
        }
    }
    (soft, hard)
}

/// Would 2e + s <= n - k - p hold for whoever knows every erased codeword?
fn within_bound(modules: &Modules, version: u8, level: EcLevel) -> bool {
    let blocks = Blocks::of(version, level).expect("a version");
    let order = Layout::of(version).expect("a version").order();
    let erased = |place: usize| {
        order[place * 8..][..8]
            .iter()
            .any(|&i| modules.soft()[usize::from(i)] == 0)
    };
    (0..blocks.count).all(|block| {
        let count = (0..blocks.length(block))
            .filter(|&i| erased(blocks.place(block, i)))
            .count();
        count <= blocks.capacity()
    })
}

#[test]
fn glare_that_is_known_is_read_to_near_the_bound() {
    let mut random = fastrand::Rng::with_seed(9);
    let (mut plain, mut erased, mut relaxed, mut bound) = (0, 0, 0, 0);
    let mut decoder = Decoder::new();
    let mut read = Code::default();
    for (version, level, area) in [(2, 1, 0.12), (2, 2, 0.2), (3, 1, 0.16), (5, 1, 0.2)] {
        let (level, theirs) = LEVELS[level];
        for _ in 0..100 {
            let room = Blocks::of(version, level).expect("a version").data() * 2 / 3;
            let data: Vec<u8> = (0..room).map(|_| random.u8(b'A'..=b'z')).collect();
            let code =
                QrCode::with_version(&data, Version::Normal(version.into()), theirs).expect("fits");
            let (soft, hard) = glare(&modules_of(&code), area, &mut random);
            bound += u32::from(within_bound(&soft, version, level));
            plain += u32::from(decode(&hard).is_ok_and(|code| code.content.bytes == data));
            for (limit, count) in [(1e-10, &mut erased), (1e-5, &mut relaxed)] {
                decoder.set_limit(limit);
                if decoder.decode(&soft, &mut read).is_ok() {
                    assert_eq!(read.content.bytes, data);
                    assert!(decoder.risk() <= limit);
                    *count += 1;
                }
            }
        }
    }
    // Out of 400.
    assert!(erased * 100 >= bound * 93, "{erased} of {bound}");
    assert!(relaxed * 100 >= bound * 97, "{relaxed} of {bound}");
    assert!(plain * 2 < erased, "{plain} against {erased}");
}

/// Single modules are erased all over the symbol: far more codewords than could be
/// left out, but few bits.
#[test]
fn erased_modules_that_hurt_too_many_codewords_are_solved_for() {
    let mut random = fastrand::Rng::with_seed(13);
    let mut decoder = Decoder::new();
    let mut read = Code::default();
    for (version, level) in [(1, 1), (2, 0), (2, 1), (3, 2), (4, 3), (7, 1)] {
        let (level, theirs) = LEVELS[level];
        let blocks = Blocks::of(version, level).expect("a version");
        let data: Vec<u8> = (0..blocks.data() - 3)
            .map(|_| random.u8(b'A'..=b'z'))
            .collect();
        let code =
            QrCode::with_version(&data, Version::Normal(version.into()), theirs).expect("fits");
        let order = Layout::of(version).expect("a version").order();
        for _ in 0..20 {
            let mut modules = modules_of(&code);
            let side = modules.side();
            for block in 0..blocks.count {
                // What is left over makes 2^-48.
                let bits = (8 * blocks.parity - 48).min(blocks.length(block));
                for index in random.choose_multiple(0..blocks.length(block), bits) {
                    let module = 8 * blocks.place(block, index) + random.usize(..8);
                    let at = usize::from(order[module]);
                    modules.set(at % side, at / side, 0);
                }
            }
            let done = decoder.decode(&modules, &mut read);
            assert_eq!(done, Ok(()), "{version} {level:?}");
            assert_eq!(read.content.bytes, data);
            assert!(decoder.risk() <= 1e-10);
        }
    }
}

/// A symbol of which so much is random that it cannot be read, its format
/// information and a share of its codewords left whole; some modules erased, all
/// of different confidence.
fn ruined(random: &mut fastrand::Rng, version: i16, level: usize, share: f64) -> Modules {
    let room = Blocks::of(version as u8, LEVELS[level].0)
        .expect("a version")
        .data()
        * 2
        / 3;
    let data: Vec<u8> = (0..room).map(|_| random.u8(b'A'..=b'z')).collect();
    let code =
        QrCode::with_version(&data, Version::Normal(version), LEVELS[level].1).expect("fits");
    let mut modules = modules_of(&code);
    let side = modules.side();
    for codeword in Layout::of(version as u8)
        .expect("a version")
        .order()
        .chunks(8)
    {
        let ruin = random.f64() < share;
        let erased = random.f64() < 0.3;
        for &index in codeword {
            let (x, y) = (usize::from(index) % side, usize::from(index) / side);
            if ruin {
                modules.set(x, y, if erased { 0 } else { random.i8(-127..) });
            }
        }
    }
    modules
}

/// The promise that everything rests on: no more false reads than the limit.
/// Checked where it is coarse enough to be counted.
#[test]
fn false_reads_are_no_more_than_the_limit() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut decoder = Decoder::new();
    let mut code = Code::default();
    let limit = 0.02;
    decoder.set_limit(limit);
    for (version, level, share) in [
        (1, 0, 1.0),
        (2, 1, 1.0),
        (1, 1, 0.7),
        (2, 0, 0.6),
        (3, 1, 0.7),
    ] {
        let trials = 1500;
        let mut read = 0;
        let mut told = 0.0;
        for _ in 0..trials {
            let modules = ruined(&mut random, version, level, share);
            let done = decoder.decode(&modules, &mut code);
            told += decoder.risk();
            read += u32::from(done.is_ok());
        }
        assert!(
            f64::from(read) < limit * f64::from(trials),
            "{version} {level}: {read}"
        );
        assert!(told <= limit * f64::from(trials));
    }
    decoder.set_limit(1e-10);
    for _ in 0..1500 {
        let modules = ruined(&mut random, 2, 1, 0.8);
        assert!(decoder.decode(&modules, &mut code).is_err());
        assert!(decoder.risk() <= 1e-10);
    }
}
