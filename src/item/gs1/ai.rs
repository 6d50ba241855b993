//! The application identifiers: what each may hold, what it must go with, and
//! what part it plays in a Digital Link (GS1 General Specifications, section 3;
//! GS1 Digital Link Standard, URI Syntax). Data only: the checks are in
//! [`super::check`].

/// Which characters a part of a value may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Digits.
    Digits,
    /// The 82 characters of the General Specifications, figure 7.11-1.
    Text,
    /// The 39 of figure 7.11-2.
    Upper,
    /// The 64 of figure 7.11-3, and `=`.
    Base64,
}

/// What is asked of a part beyond its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Last digit is the check digit.
    Digit,
    /// Last two characters are the check pair.
    Pair,
    /// Begins with a GS1 company prefix: four digits at least.
    Prefix,
    /// YYMMDD.
    Date,
    /// YYMMDD, where day 00 is the month's last.
    DateOrMonth,
    /// YYYYMMDD.
    LongDate,
    /// HHMM.
    Time,
    /// HH.
    Hour,
    /// MM, and seconds as well.
    Sixtieth,
    /// Numeric country.
    Country,
    /// The same, or 999 for several.
    CountryOrMany,
    /// Country of two letters.
    CountryAlpha,
    /// Numeric currency.
    Currency,
    /// `%` followed by two hexadecimal digits, or none.
    Percent,
    /// 0 or 1.
    YesNo,
    /// Not more than this.
    AtMost(u64),
    /// A hyphen.
    Hyphen,
    /// Media type: 01 to 10, 80 to 99.
    Media,
    /// Sex by ISO/IEC 5218: 0, 1, 2, 9.
    Sex,
    /// `a/b` with a not above b.
    PlaceOf,
    /// Two digits of two, the first not above the second, neither zero.
    PieceOf,
    /// Not zero.
    NonZero,
    /// Zero.
    Zero,
    /// Winding direction: 0, 1, 9.
    Winding,
    /// Account number of ISO 13616.
    Iban,
    /// Importer index of (EU) 2018/574: one character of base 64.
    Importer,
    /// No zero in front.
    NoZero,
    /// Something that is no digit.
    NonDigit,
}

/// A part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub set: Set,
    pub min: usize,
    pub max: usize,
    /// May be left out, with all that follow it.
    pub optional: bool,
    pub checks: &'static [Check],
}

impl Part {
    const fn optional(self) -> Part {
        Part {
            optional: true,
            ..self
        }
    }
}

/// `count` digits.
const fn n(count: usize, checks: &'static [Check]) -> Part {
    part(Set::Digits, count, count, checks)
}

/// Up to `most` digits.
const fn n_to(most: usize, checks: &'static [Check]) -> Part {
    part(Set::Digits, 1, most, checks)
}

/// `count` characters.
const fn x(count: usize, checks: &'static [Check]) -> Part {
    part(Set::Text, count, count, checks)
}

/// Up to `most` characters.
const fn x_to(most: usize, checks: &'static [Check]) -> Part {
    part(Set::Text, 1, most, checks)
}

const fn part(set: Set, min: usize, max: usize, checks: &'static [Check]) -> Part {
    Part {
        set,
        min,
        max,
        optional: false,
        checks,
    }
}

/// What an identifier does in a Digital Link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing by itself: it may qualify a key, or not be there at all.
    No,
    /// A data attribute.
    Attribute,
    /// A primary key, with the sequences of qualifiers that it may have.
    Key(&'static [&'static [&'static str]]),
}

/// Identifiers that have the same rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// All of them, with a last digit to be added if `last` says so.
    stems: &'static [&'static str],
    /// Greatest last digit that is not in the stem: a decimal place, mostly.
    last: Option<u8>,
    pub parts: &'static [Part],
    /// Each line names identifiers of which one must be there too: `+` joins
    /// those that must be there together, `n` stands for any digit.
    pub needs: &'static [&'static str],
    /// Identifiers that must not be there too.
    pub excludes: &'static str,
    pub link: Link,
}

impl Rules {
    /// Two identifiers with the same stem (other decimal places, say) exclude
    /// each other, where the last digit is one of several.
    pub fn excludes_own_stem(&self, ai: &str) -> Option<&'static str> {
        self.last?;
        let stem = self.stems.iter().find(|stem| ai.starts_with(**stem))?;
        stem.starts_with('3').then_some(*stem)
    }

    /// Does this row hold `ai`?
    fn holds(&self, ai: &str) -> bool {
        match self.last {
            None => self.stems.contains(&ai),
            Some(most) => match ai.split_at_checked(ai.len().saturating_sub(1)) {
                Some((stem, digit)) => {
                    self.stems.contains(&stem) && matches!(digit.parse::<u8>(), Ok(d) if d <= most)
                }
                None => false,
            },
        }
    }
}

/// The rules of `ai`, if it is assigned.
pub(super) fn rules(ai: &str) -> Option<&'static Rules> {
    TABLE.iter().find(|row| row.holds(ai))
}

/// The identifier with which `text` begins, and its rules. None is the beginning
/// of another.
pub(super) fn leading(text: &str) -> Option<(&str, &'static Rules)> {
    (2..=4).find_map(|length| {
        let ai = text.get(..length)?;
        Some((ai, rules(ai)?))
    })
}

/// A trade item, by itself or as content.
const ITEM: &str = "01 02";
/// A trade item or a part of one.
const ITEM_OR_PIECE: &str = "01 02 8006 8026";
/// The same, made to order included.
const ANY_ITEM: &str = "01 02 03 8006 8026";
/// A logistic unit.
const UNIT: &str = "00";
/// A measure or a count, for a price by it.
const MEASURE: &str = "30 31nn 32nn 35nn 36nn";

const NUMBER_18: &[Part] = &[n(18, &[Check::Digit])];
const NUMBER_14: &[Part] = &[n(14, &[Check::Digit])];
const NUMBER_13: &[Part] = &[n(13, &[Check::Digit])];
const DAY: &[Part] = &[n(6, &[Check::DateOrMonth])];
const TEXT_20: &[Part] = &[x_to(20, &[])];
const TEXT_25: &[Part] = &[x_to(25, &[])];
const TEXT_30: &[Part] = &[x_to(30, &[])];
const KEY_30: &[Part] = &[x_to(30, &[Check::Prefix])];
const SIX: &[Part] = &[n(6, &[])];
const COUNTRIES: &[Part] = &[
    n(3, &[Check::Country]),
    n(3, &[Check::Country]).optional(),
    n(3, &[Check::Country]).optional(),
    n(3, &[Check::Country]).optional(),
    n(3, &[Check::Country]).optional(),
];
const TEMPERATURE: &[Part] = &[n(6, &[]), x(1, &[Check::Hyphen]).optional()];
const DAY_TIME: &[Part] = &[n(6, &[Check::DateOrMonth]), n(4, &[Check::Time])];
const PIECE: &[Part] = &[n(14, &[Check::Digit]), n(4, &[Check::PieceOf])];

/// Rules of identifiers that need nothing and exclude nothing.
const fn row(stems: &'static [&'static str], parts: &'static [Part]) -> Rules {
    Rules {
        stems,
        last: None,
        parts,
        needs: &[],
        excludes: "",
        link: Link::Attribute,
    }
}

impl Rules {
    const fn last(self, most: u8) -> Rules {
        Rules {
            last: Some(most),
            ..self
        }
    }

    const fn needs(self, needs: &'static [&'static str]) -> Rules {
        Rules { needs, ..self }
    }

    const fn excludes(self, excludes: &'static str) -> Rules {
        Rules { excludes, ..self }
    }

    const fn key(self, qualifiers: &'static [&'static [&'static str]]) -> Rules {
        Rules {
            link: Link::Key(qualifiers),
            ..self
        }
    }

    const fn not_in_links(self) -> Rules {
        Rules {
            link: Link::No,
            ..self
        }
    }
}

#[rustfmt::skip]
static TABLE: &[Rules] = &[
    row(&["00"], NUMBER_18).key(&[&[]]),
    row(&["01"], NUMBER_14).excludes("255 37").key(&[&["22", "10", "21"], &["235"]]),
    row(&["02"], NUMBER_14).needs(&["37"]).excludes("01 03"),
    row(&["03"], NUMBER_14).excludes("01 02 37").not_in_links(),
    row(&["10"], TEXT_20).needs(&[ANY_ITEM]),
    row(&["11", "13", "15", "16"], DAY).needs(&[ANY_ITEM]),
    row(&["12"], DAY).needs(&["8020"]),
    row(&["17"], DAY).needs(&["01 02 03 255 8006 8026"]),
    row(&["20"], &[n(2, &[])]).needs(&[ITEM_OR_PIECE]),
    row(&["21"], TEXT_20).needs(&["01 03 8006"]).excludes("235").not_in_links(),
    row(&["22"], TEXT_20).needs(&["01"]).not_in_links(),
    row(&["235"], &[x_to(28, &[])]).needs(&["01"]).not_in_links(),
    row(&["240", "241"], TEXT_30).needs(&[ITEM_OR_PIECE]),
    row(&["242"], &[n_to(6, &[])]).needs(&[ITEM_OR_PIECE]),
    row(&["243"], TEXT_20).needs(&["01"]),
    row(&["250"], TEXT_30).needs(&["01 8006", "21"]),
    row(&["251"], TEXT_30).needs(&["01 8006"]),
    row(&["253"], &[n(13, &[Check::Digit]), x_to(17, &[]).optional()]).key(&[&[]]),
    row(&["254"], TEXT_20).needs(&["414"]).not_in_links(),
    row(&["255"], &[n(13, &[Check::Digit]), n_to(12, &[]).optional()])
        .excludes("01 02 415 8006 8020 8026").key(&[&[]]),
    row(&["30"], &[n_to(8, &[])]).needs(&[ITEM]),
    row(&["310", "311", "312", "313", "314", "315", "316", "320", "321", "322", "323", "324",
          "325", "326", "327", "328", "329", "350", "351", "352", "356", "357", "360", "361",
          "364", "365", "366"], SIX).last(5).needs(&[ITEM]),
    row(&["330", "331", "332", "333", "334", "335", "336", "340", "341", "342", "343", "344",
          "345", "346", "347", "348", "349", "353", "354", "355", "362", "363", "367", "368",
          "369"], SIX).last(5).needs(&["00 01"]),
    row(&["337"], SIX).last(5).needs(&["01"]),
    row(&["37"], &[n_to(8, &[])]).needs(&["00", "02 8026"]),
    row(&["390"], &[n_to(15, &[])]).last(9).needs(&["255 8020"]).excludes("391n 394n 8111"),
    row(&["391"], &[n(3, &[Check::Currency]), n_to(15, &[])]).last(9).needs(&["8020"]),
    row(&["392"], &[n_to(15, &[])]).last(9).needs(&["01", MEASURE]).excludes("393n"),
    row(&["393"], &[n(3, &[Check::Currency]), n_to(15, &[])]).last(9).needs(&[MEASURE]),
    row(&["394"], &[n(4, &[])]).last(3).needs(&["255"]).excludes("8111"),
    row(&["395"], SIX).last(5).needs(&[MEASURE]).excludes("392n 393n 8005"),
    row(&["400"], TEXT_30),
    row(&["401"], KEY_30).key(&[&[]]),
    row(&["402"], &[n(17, &[Check::Digit])]).key(&[&[]]),
    row(&["403"], TEXT_30).needs(&[UNIT]),
    row(&["410", "411", "412", "413", "416"], NUMBER_13),
    row(&["414"], NUMBER_13).key(&[&["254"], &["7040"]]),
    row(&["415"], NUMBER_13).needs(&["8020"]).key(&[&["8020"]]),
    row(&["417"], NUMBER_13).key(&[&["7040"]]),
    row(&["420"], TEXT_20).excludes("421"),
    row(&["421"], &[n(3, &[Check::Country]), x_to(9, &[])]).excludes("4307"),
    row(&["422"], &[n(3, &[Check::Country])]).needs(&[ITEM_OR_PIECE]).excludes("426"),
    row(&["423", "425"], COUNTRIES).needs(&[ITEM]).excludes("426"),
    row(&["424"], &[n(3, &[Check::Country])]).needs(&[ITEM]).excludes("426"),
    row(&["426"], &[n(3, &[Check::Country])]).needs(&[ITEM]),
    row(&["427"], &[x_to(3, &[])]).needs(&[ITEM, "422"]),
    row(&["4300", "4301", "4310", "4311", "4320"], &[x_to(35, &[Check::Percent])]).needs(&[UNIT]),
    row(&["4302", "4304", "4305", "4306", "4312", "4314", "4315", "4316"],
        &[x_to(70, &[Check::Percent])]).needs(&[UNIT]),
    row(&["4303"], &[x_to(70, &[Check::Percent])]).needs(&["4302"]),
    row(&["4313"], &[x_to(70, &[Check::Percent])]).needs(&["4312"]),
    row(&["4307", "4317"], &[x(2, &[Check::CountryAlpha])]).needs(&[UNIT]),
    row(&["4308", "4319"], TEXT_30).needs(&[UNIT]),
    row(&["4309"], &[n(10, &[Check::AtMost(1_800_000_000)]), n(10, &[Check::AtMost(3_600_000_000)])])
        .needs(&[UNIT]),
    row(&["4318"], TEXT_20).needs(&[UNIT]),
    row(&["4321", "4322", "4323"], &[n(1, &[Check::YesNo])]).needs(&[UNIT]),
    row(&["4324", "4325"], DAY_TIME).needs(&[UNIT]),
    row(&["4326"], &[n(6, &[Check::Date])]).needs(&[UNIT]),
    row(&["4330"], TEMPERATURE).needs(&[UNIT]).excludes("4331"),
    row(&["4331"], TEMPERATURE).needs(&[UNIT]).excludes("4330"),
    row(&["4332"], TEMPERATURE).needs(&[UNIT]).excludes("4333"),
    row(&["4333"], TEMPERATURE).needs(&[UNIT]).excludes("4332"),
    row(&["7001"], &[n(13, &[])]).needs(&[ITEM_OR_PIECE]),
    row(&["7002"], TEXT_30).needs(&[ITEM]),
    row(&["7003"], &[n(6, &[Check::Date]), n(4, &[Check::Time])]).needs(&[ITEM]),
    row(&["7004"], &[n_to(4, &[])]).needs(&["01", "10"]),
    row(&["7005"], &[x_to(12, &[])]).needs(&[ITEM]),
    row(&["7006"], &[n(6, &[Check::Date])]).needs(&[ITEM]),
    row(&["7007"], &[n(6, &[Check::Date]), n(6, &[Check::Date]).optional()]).needs(&[ITEM]),
    row(&["7008"], &[x_to(3, &[])]).needs(&[ITEM]),
    row(&["7009"], &[x_to(10, &[])]).needs(&[ITEM]),
    row(&["7010"], &[x_to(2, &[])]).needs(&[ITEM]),
    row(&["7011"], &[n(6, &[Check::Date]), n(4, &[Check::Time]).optional()]).needs(&[ITEM]),
    row(&["7020"], TEXT_20).needs(&["01 8006", "416"]),
    row(&["7021"], TEXT_20).needs(&["01 8006"]),
    row(&["7022"], TEXT_20).needs(&["7021"]),
    row(&["7023"], KEY_30),
    row(&["703"], &[n(3, &[Check::CountryOrMany]), x_to(27, &[])]).last(9).needs(&[ITEM]),
    row(&["7040"], &[n(1, &[]), x(1, &[]), x(1, &[]), x(1, &[Check::Importer])]).not_in_links(),
    row(&["7041"], &[x_to(4, &[])]).needs(&[UNIT]).not_in_links(),
    row(&["710", "711", "712", "713", "714", "715", "716"], TEXT_20).needs(&["01"]),
    row(&["723"], &[x(2, &[]), x_to(28, &[])]).last(9).needs(&["01 8004"]),
    row(&["7240"], TEXT_20).needs(&["01 8006"]),
    row(&["7241"], &[n(2, &[Check::Media])]).needs(&["8017 8018"]),
    row(&["7242"], TEXT_25).needs(&["8017 8018"]),
    row(&["7250"], &[n(8, &[Check::LongDate])]).needs(&["8018"]).excludes("7251"),
    row(&["7251"], &[n(8, &[Check::LongDate]), n(4, &[Check::Time])])
        .needs(&["8018"]).excludes("7250"),
    row(&["7252"], &[n(1, &[Check::Sex])]).needs(&["8018"]),
    row(&["7253", "7254"], &[x_to(40, &[Check::Percent])]).needs(&["8017 8018"])
        .excludes("7256 7259"),
    row(&["7255"], &[x_to(10, &[])]).needs(&["8017 8018"]).excludes("7256 7259"),
    row(&["7256"], &[x_to(90, &[Check::Percent])]).needs(&["8017 8018"]),
    row(&["7257"], &[x_to(70, &[Check::Percent])]).needs(&["8018"]),
    row(&["7258"], &[x(3, &[Check::PlaceOf])]).needs(&["8018+7259"]),
    row(&["7259"], &[x_to(40, &[Check::Percent])]).needs(&["8018"]).excludes("7256"),
    row(&["8001"], &[n(4, &[Check::NonZero]), n(5, &[Check::NonZero]), n(3, &[Check::NonZero]),
                     n(1, &[Check::Winding]), n(1, &[])]).needs(&["01"]),
    row(&["8002"], TEXT_20),
    row(&["8003"], &[n(1, &[Check::Zero]), n(13, &[Check::Digit]), x_to(16, &[]).optional()])
        .key(&[&[]]),
    row(&["8004"], KEY_30).key(&[&["7040"]]),
    row(&["8005"], SIX).needs(&[ITEM]),
    row(&["8006"], PIECE).excludes("01 37").key(&[&["22", "10", "21"]]),
    row(&["8007"], &[x_to(34, &[Check::Iban])]).needs(&["415"]),
    row(&["8008"], &[n(6, &[Check::Date]), n(2, &[Check::Hour]),
                     n(2, &[Check::Sixtieth]).optional(), n(2, &[Check::Sixtieth]).optional()])
        .needs(&[ITEM]),
    row(&["8009"], &[x_to(50, &[])]).needs(&["00 01"]),
    row(&["8010"], &[part(Set::Upper, 1, 30, &[Check::Prefix])]).key(&[&["8011"]]),
    row(&["8011"], &[n_to(12, &[Check::NoZero])]).needs(&["8010"]).not_in_links(),
    row(&["8012"], TEXT_20).needs(&["01 8006"]),
    row(&["8013"], &[x_to(25, &[Check::Pair, Check::Prefix])]).key(&[&[]]),
    row(&["8014"], &[x_to(25, &[Check::Pair, Check::Prefix, Check::NonDigit])]).needs(&["01"])
        .not_in_links(),
    row(&["8017"], NUMBER_18).excludes("8018").key(&[&["8019"]]),
    row(&["8018"], NUMBER_18).excludes("8017").key(&[&["8019"]]),
    row(&["8019"], &[n_to(10, &[])]).needs(&["8017 8018"]).not_in_links(),
    row(&["8020"], TEXT_25).needs(&["415"]).not_in_links(),
    row(&["8026"], PIECE).needs(&["37"]).excludes("02 8006"),
    row(&["8030"], &[part(Set::Base64, 1, 90, &[])])
        .needs(&["00 01+21 253 255 8003 8004 8006+21 8010+8011 8017 8018"]),
    row(&["8110", "8112"], &[x_to(70, &[])]),
    row(&["8111"], &[n(4, &[])]).needs(&["255"]),
    row(&["8200"], &[x_to(70, &[])]).needs(&["01"]).not_in_links(),
    row(&["90"], TEXT_30),
    row(&["91", "92", "93", "94", "95", "96", "97", "98", "99"], &[x_to(90, &[])]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::encode::predefined_length;

    /// Every identifier there is.
    fn all() -> Vec<String> {
        (0..10_000)
            .flat_map(|i| [format!("{i:04}"), format!("{i:03}"), format!("{i:02}")])
            .filter(|ai| ai.len() <= 4 && rules(ai).is_some())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn no_identifier_begins_another_and_none_is_there_twice() {
        let all = all();
        assert!(all.len() > 450, "{}", all.len());
        for a in &all {
            assert_eq!(TABLE.iter().filter(|row| row.holds(a)).count(), 1, "{a}");
            for b in &all {
                assert!(a == b || !b.starts_with(a.as_str()), "{a} {b}");
            }
        }
    }

    #[test]
    fn predefined_lengths_are_those_of_the_general_specifications() {
        for ai in all() {
            if !predefined_length(&ai) {
                continue;
            }
            let length: usize = rules(&ai)
                .expect("listed")
                .parts
                .iter()
                .map(|p| p.max)
                .sum();
            let expected = match &ai[..2] {
                "00" => 18,
                "01" | "02" | "03" => 14,
                "11" | "12" | "13" | "15" | "16" | "17" => 6,
                "20" => 2,
                "41" => 13,
                _ => 6,
            };
            assert_eq!(length, expected, "{ai}");
        }
    }

    #[test]
    fn whatever_a_row_names_is_assigned() {
        for row in TABLE {
            let named = row.needs.iter().chain(std::iter::once(&row.excludes));
            for pattern in named
                .flat_map(|line| line.split([' ', '+']))
                .filter(|p| !p.is_empty())
            {
                let example = pattern.replace('n', "1").replace("3511", "3501");
                let known = rules(&example).is_some()
                    || all().iter().any(|ai| {
                        ai.len() == pattern.len()
                            && ai
                                .bytes()
                                .zip(pattern.bytes())
                                .all(|(a, p)| a == p || p == b'n')
                    });
                assert!(known, "{pattern}");
            }
            if let Link::Key(sequences) = row.link {
                for ai in sequences.iter().copied().flatten() {
                    assert!(rules(ai).is_some());
                }
            }
        }
    }
}
