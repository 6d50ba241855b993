//! GS1 Digital Link URIs, uncompressed (GS1 Digital Link Standard: URI Syntax).
//! The compressed form is left alone: it is no longer part of the standard.

use jiff::civil::Date;

use super::super::Gs1Elements;
use super::ai::{self, Link};
use super::{Gs1Error, add};

/// Takes a GS1 Digital Link apart: a primary key with its qualifiers from the
/// path, attributes from the query. `None` if `uri` is not one: no http or https
/// URI with a primary key in its path. A GTIN of 8, 12 or 13 digits gets its
/// leading zeros. Query keys that are not all digits are other people's.
pub fn parse_digital_link(uri: &str, today: Date) -> Option<Result<Gs1Elements, Gs1Error>> {
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let rest = rest.split('#').next()?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/')?;
    if host.is_empty() {
        return None;
    }
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let pairs = keyed_pairs(&segments)?;
    Some(elements(pairs, query, today))
}

/// The identifiers and values at the end of the path, from the primary key on.
/// Whatever stands before it is the resolver's own.
fn keyed_pairs<'a>(segments: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let mut start = segments.len();
    while start >= 2 {
        start -= 2;
        match ai::rules(segments[start])?.link {
            Link::Key(_) => return Some(&segments[start..]),
            _ => continue,
        }
    }
    None
}

fn elements(pairs: &[&str], query: &str, today: Date) -> Result<Gs1Elements, Gs1Error> {
    let mut elements = Gs1Elements::new();
    let qualifiers = || pairs.iter().step_by(2).skip(1).copied();
    let in_order = match ai::rules(pairs[0]).map(|rules| rules.link) {
        Some(Link::Key(sequences)) => sequences.iter().any(|sequence| {
            let mut allowed = sequence.iter();
            qualifiers().all(|qualifier| allowed.any(|&a| a == qualifier))
        }),
        _ => false,
    };
    if !in_order {
        return Err(Gs1Error::Link(
            "has qualifiers that its key does not take, or in the wrong order",
        ));
    }
    for pair in pairs.chunks_exact(2) {
        put(&mut elements, pair[0], pair[1], today)?;
    }
    for part in query.split(['&', ';']).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        match ai::rules(key).map(|rules| rules.link) {
            None => return Err(Gs1Error::UnknownAi(key.to_owned())),
            Some(Link::Attribute) => put(&mut elements, key, value, today)?,
            Some(_) => {
                return Err(Gs1Error::Link(
                    "has an identifier in its query that belongs into the path",
                ));
            }
        }
    }
    Ok(elements)
}

fn put(elements: &mut Gs1Elements, ai: &str, value: &str, today: Date) -> Result<(), Gs1Error> {
    let value = decoded(value).ok_or(Gs1Error::Link("has a % that stands for no character"))?;
    let shortened = matches!(ai, "01" | "02") && matches!(value.len(), 8 | 12 | 13);
    if shortened && value.is_ascii() {
        add(elements, ai, &format!("{value:0>14}"), today)
    } else {
        add(elements, ai, &value, today)
    }
}

/// Percent-decoding; `None` for a lone `%` or what is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            (digit(rest.next()?)? * 16 + digit(rest.next()?)?) as u8
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn parse(uri: &str) -> Option<Result<String, String>> {
        parse_digital_link(uri, date(2026, 11, 22)).map(|result| match result {
            Ok(elements) => Ok(elements
                .into_iter()
                .map(|(ai, value)| format!("({ai}){value}"))
                .collect()),
            Err(error) => Err(error.to_string()),
        })
    }

    #[test]
    fn links_are_taken_apart() {
        for (uri, expected) in [
            ("https://id.gs1.org/01/09506000134352", "(01)09506000134352"),
            (
                "https://example.com/some/path/01/09506000134352/10/ABC%2F1/21/12345?17=270200&linkType=gs1:pip",
                "(01)09506000134352(10)ABC/1(17)270200(21)12345",
            ),
            (
                "HTTP://example.com/01/9506000134352/22/2A",
                "(01)09506000134352(22)2A",
            ),
            (
                "https://example.com/00/006141411234567890/",
                "(00)006141411234567890",
            ),
            (
                "https://example.com/01/09506000134352?3103=000195;3922=0299#top",
                "(01)09506000134352(3103)000195(3922)0299",
            ),
            (
                "https://example.com/414/4006381333931/254/B%25",
                "(254)B%(414)4006381333931",
            ),
            (
                "https://example.com/8006/095060001343520102",
                "(8006)095060001343520102",
            ),
            (
                "https://example.com/01/09506000134352/235/x",
                "(01)09506000134352(235)x",
            ),
        ] {
            assert_eq!(parse(uri), Some(Ok(expected.to_owned())), "{uri}");
        }
    }

    #[test]
    fn other_uris_are_left_alone() {
        for uri in [
            "https://example.com",
            "https://example.com/",
            "https://example.com/index.html?01=09506000134352",
            "https://example.com/10/ABC",
            "https://example.com/a/b/c/d",
            "ftp://example.com/01/09506000134352",
            "01/09506000134352",
            "https:///01/09506000134352",
            "",
            "plain text",
        ] {
            assert_eq!(parse(uri), None, "{uri}");
        }
    }

    #[test]
    fn faulty_links_say_why() {
        for (uri, why) in [
            (
                "https://example.com/01/09506000134353",
                "(01)09506000134353 has a wrong check digit",
            ),
            (
                "https://example.com/01/09506000134352/21/1/10/A",
                "the GS1 Digital Link has qualifiers that its key does not take, or in the wrong order",
            ),
            (
                "https://example.com/01/09506000134352/10/A/235/B",
                "the GS1 Digital Link has qualifiers that its key does not take, or in the wrong order",
            ),
            (
                "https://example.com/01/09506000134352?10=A&05=1",
                "\"05\" begins with no GS1 application identifier",
            ),
            (
                "https://example.com/01/09506000134352?21=A",
                "the GS1 Digital Link has an identifier in its query that belongs into the path",
            ),
            (
                "https://example.com/01/09506000134352/10/%G1",
                "the GS1 Digital Link has a % that stands for no character",
            ),
            (
                "https://example.com/01/09506000134352/10/%",
                "the GS1 Digital Link has a % that stands for no character",
            ),
        ] {
            assert_eq!(parse(uri), Some(Err(why.to_owned())), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn anything_at_all_is_taken_or_refused(text in "\\PC{0,60}|https://[a-z]{0,3}/01/[0-9%/?&=é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
