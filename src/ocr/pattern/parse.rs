//! From the text of a pattern to its tree.

use super::PatternError;

/// Deepest nesting of groups.
const DEEPEST: usize = 32;
/// Largest count of a repeat.
const MOST_REPEATS: u32 = 256;

/// Characters from the first to the last, both included.
pub(super) type Range = (char, char);

/// A pattern as a tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// One character out of sorted ranges that do not touch.
    Class(Vec<Range>),
    /// One after the other; the empty text if there is none.
    Row(Vec<Node>),
    /// Any one of them.
    Either(Vec<Node>),
    /// The node so many times; without an end if the second is `None`.
    Repeat(Box<Node>, u32, Option<u32>),
}

pub(super) fn parse(source: &str) -> Result<Node, PatternError> {
    let mut parser = Parser {
        source,
        at: usize::from(source.starts_with('^')),
        depth: 0,
    };
    let node = parser.either()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.wrong(parser.at, "this parenthesis closes nothing")),
    }
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.source[self.at..].starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn wrong(&self, at: usize, what: &str) -> PatternError {
        PatternError {
            at,
            what: what.into(),
        }
    }

    fn either(&mut self) -> Result<Node, PatternError> {
        let mut ways = vec![self.row()?];
        while self.eat("|") {
            ways.push(self.row()?);
        }
        Ok(match ways.len() {
            1 => ways.remove(0),
            _ => Node::Either(ways),
        })
    }

    fn row(&mut self) -> Result<Node, PatternError> {
        let mut row = Vec::new();
        loop {
            let at = self.at;
            let node = match self.peek() {
                None | Some('|' | ')') => return Ok(Node::Row(row)),
                Some('*' | '+' | '?' | '{') => {
                    return Err(self.wrong(at, "there is nothing to repeat here"));
                }
                Some('^') => return Err(self.wrong(at, "^ may stand at the start only")),
                Some('$') if self.at + 1 == self.source.len() => {
                    self.at += 1;
                    return Ok(Node::Row(row));
                }
                Some('$') => return Err(self.wrong(at, "$ may stand at the end only")),
                Some('(') => self.group()?,
                Some('[') => self.class()?,
                Some(character) => {
                    self.at += character.len_utf8();
                    match character {
                        '.' => Node::Class(vec![('\0', '\t'), ('\u{b}', char::MAX)]),
                        '\\' => Node::Class(self.escape(at)?),
                        _ => Node::Class(vec![(character, character)]),
                    }
                }
            };
            let node = self.repeats(node)?;
            row.push(node);
        }
    }

    fn group(&mut self) -> Result<Node, PatternError> {
        let at = self.at;
        self.at += 1;
        if !self.eat("?:") && self.peek() == Some('?') {
            return Err(self.wrong(at, "of groups with a question mark only (?:…) is known"));
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(at, "groups are nested too deeply"));
        }
        let node = self.either()?;
        self.depth -= 1;
        match self.eat(")") {
            true => Ok(node),
            false => Err(self.wrong(at, "this parenthesis is never closed")),
        }
    }

    fn repeats(&mut self, node: Node) -> Result<Node, PatternError> {
        let at = self.at;
        let (least, most) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.at += 1;
                let counts = self.counts(at)?;
                return self.once(Node::Repeat(Box::new(node), counts.0, counts.1));
            }
            _ => return Ok(node),
        };
        self.at += 1;
        self.once(Node::Repeat(Box::new(node), least, most))
    }

    /// A repeat is not repeated again without a group: `a+?` means something else
    /// to other engines.
    fn once(&self, node: Node) -> Result<Node, PatternError> {
        match self.peek() {
            Some('?' | '*' | '+' | '{') => {
                Err(self.wrong(self.at, "there is nothing to repeat here"))
            }
            _ => Ok(node),
        }
    }

    /// `2}`, `2,}` or `2,5}`.
    fn counts(&mut self, at: usize) -> Result<(u32, Option<u32>), PatternError> {
        let unclear = "a count is written {2}, {2,} or {2,5}";
        let least = self.number().ok_or_else(|| self.wrong(at, unclear))?;
        let most = match self.eat(",") {
            false => Some(least),
            true if self.peek() == Some('}') => None,
            true => Some(self.number().ok_or_else(|| self.wrong(at, unclear))?),
        };
        if !self.eat("}") {
            return Err(self.wrong(at, unclear));
        }
        if most.is_some_and(|most| least > most) {
            return Err(self.wrong(at, "it is to be repeated more than its largest count"));
        }
        if least.max(most.unwrap_or(0)) > MOST_REPEATS {
            return Err(self.wrong(at, &format!("a count is at most {MOST_REPEATS}")));
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.source[self.at..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let number = self.source[self.at..][..digits].parse().ok()?;
        self.at += digits;
        Some(number)
    }

    /// What follows a backslash at `at`.
    fn escape(&mut self, at: usize) -> Result<Vec<Range>, PatternError> {
        match self.next() {
            Some('d') => Ok(vec![('0', '9')]),
            Some('w') => Ok(vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            Some('s') => Ok(vec![(' ', ' ')]),
            Some(character) if character.is_ascii_punctuation() || character == ' ' => {
                Ok(vec![(character, character)])
            }
            _ => Err(self.wrong(
                at,
                "unknown escape: write \\d, \\w, \\s or \\ before punctuation",
            )),
        }
    }

    fn class(&mut self) -> Result<Node, PatternError> {
        let at = self.at;
        self.at += 1;
        let negated = self.eat("^");
        let first = self.at;
        let mut ranges: Vec<Range> = Vec::new();
        loop {
            let from = self.at;
            match self.next() {
                None => return Err(self.wrong(at, "this bracket is never closed")),
                Some(']') if from > first => break,
                Some('\\') => {
                    let escaped = self.escape(from)?;
                    match escaped[..] {
                        [(low, high)] if low == high => self.range(low, from, &mut ranges)?,
                        _ => ranges.extend(escaped),
                    }
                }
                Some(character) => self.range(character, from, &mut ranges)?,
            }
        }
        let ranges = merged(ranges);
        Ok(Node::Class(if negated { others(&ranges) } else { ranges }))
    }

    /// `low` alone, or up to what follows a hyphen.
    fn range(
        &mut self,
        low: char,
        from: usize,
        ranges: &mut Vec<Range>,
    ) -> Result<(), PatternError> {
        let rest = &self.source[self.at..];
        let mut high = low;
        if rest.starts_with('-') && !rest.starts_with("-]") && rest.len() > 1 {
            self.at += 1;
            high = match self.next() {
                Some('\\') => match self.escape(self.at - 1)?[..] {
                    [(one, same)] if one == same => one,
                    _ => return Err(self.wrong(from, "a range ends with a single character")),
                },
                Some(character) => character,
                None => low,
            };
        }
        if high < low {
            return Err(self.wrong(from, "this range runs backwards"));
        }
        ranges.push((low, high));
        Ok(())
    }
}

/// The same characters in sorted ranges that do not touch.
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low as u32 <= last.1 as u32 + 1 => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}

/// All characters but these and the line feed.
fn others(ranges: &[Range]) -> Vec<Range> {
    let mut left_out = ranges.to_vec();
    left_out.push(('\n', '\n'));
    let mut others = Vec::new();
    let mut next = 0u32;
    for (low, high) in merged(left_out) {
        if next < low as u32 {
            others.extend(between(next, low as u32 - 1));
        }
        next = high as u32 + 1;
    }
    others.extend(between(next, char::MAX as u32));
    others
}

/// The characters of these numbers, without the surrogates.
fn between(low: u32, high: u32) -> Option<Range> {
    let low = if (0xd800..0xe000).contains(&low) {
        0xe000
    } else {
        low
    };
    let high = if (0xd800..0xe000).contains(&high) {
        0xd7ff
    } else {
        high
    };
    (low <= high).then_some((char::from_u32(low)?, char::from_u32(high)?))
}
