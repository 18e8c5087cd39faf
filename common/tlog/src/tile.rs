//! How a log's files are called, and which of a tree's hashes each holds (C2SP tlog-tiles).

use std::fmt;
use std::str::FromStr;

use crate::tree::TILE_HEIGHT;
use crate::{Error, MAX_SIZE};

/// Hashes in a full tile, entries in a full bundle.
pub(crate) const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of this level, from 0: each covers 256^level entries.
    Hashes(u8),
    /// The entries themselves, each after its length in 16 bits.
    Entries,
}

/// The name of one file of a log (C2SP tlog-tiles): `tile/0/x001/x234/067`, or with `.p/12` at
/// the end while it holds 12 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its number within its level, from 0.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile that holds number `number` of a level, as full as it is in a tree of `size`
    /// entries; `None` if it does not hold it then.
    pub fn holding(kind: TileKind, number: u64, size: u64) -> Option<Self> {
        let index = number / TILE_WIDTH as u64;
        let there = match kind {
            TileKind::Entries => size,
            TileKind::Hashes(level) => complete(level, size),
        };
        let before = index * TILE_WIDTH as u64;
        let width = there.checked_sub(before)?.min(TILE_WIDTH as u64) as u16;
        (number < there).then_some(Self { kind, index, width })
    }

    /// The partial tile of a level in a tree of `size` entries, if it is not empty.
    pub(crate) fn partial(level: u8, size: u64) -> Option<Self> {
        let last = complete(level, size).checked_sub(1)?;
        Self::holding(TileKind::Hashes(level), last, size).filter(|tile| !tile.is_full())
    }

    /// The tile of a level that the last of `size` entries filled.
    pub(crate) fn last_full(level: u8, size: u64) -> Self {
        Self {
            kind: TileKind::Hashes(level),
            index: (complete(level, size) / TILE_WIDTH as u64).saturating_sub(1),
            width: TILE_WIDTH as u16,
        }
    }

    /// Whether nothing will ever be added to it.
    pub fn is_full(&self) -> bool {
        usize::from(self.width) == TILE_WIDTH
    }

    /// The same tile once it is full.
    pub fn filled(self) -> Self {
        let width = TILE_WIDTH as u16;
        Self { width, ..self }
    }

    /// The directory of its partial forms.
    pub(crate) fn partial_directory(&self) -> String {
        format!("{}.p", self.filled())
    }
}

/// How many full subtrees of a level a tree of `size` entries has.
fn complete(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * TILE_HEIGHT)
        .unwrap_or(0)
}

/// The path below the log's directory or URL.
impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => formatter.write_str("tile/entries/")?,
            TileKind::Hashes(level) => write!(formatter, "tile/{level}/")?,
        }
        write_number(formatter, self.index)?;
        if self.is_full() {
            return Ok(());
        }
        write!(formatter, ".p/{}", self.width)
    }
}

/// `x001/x234/067`
fn write_number(formatter: &mut fmt::Formatter<'_>, number: u64) -> fmt::Result {
    fn leading(formatter: &mut fmt::Formatter<'_>, number: u64) -> fmt::Result {
        if number >= 1000 {
            leading(formatter, number / 1000)?;
        }
        write!(formatter, "x{:03}/", number % 1000)
    }
    if number >= 1000 {
        leading(formatter, number / 1000)?;
    }
    write!(formatter, "{:03}", number % 1000)
}

/// Reads a path that could be of a tile, and no other: nothing in it leads elsewhere.
impl FromStr for Tile {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        let malformed = || Error::malformed("tile path", "not tile/<L>/<N>[.p/<W>]");
        let rest = path.strip_prefix("tile/").ok_or_else(malformed)?;
        let (kind, rest) = rest.split_once('/').ok_or_else(malformed)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(level.parse().map_err(|_| malformed())?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().map_err(|_| malformed())?),
            None => (rest, TILE_WIDTH as u16),
        };
        let index = read_number(number).ok_or_else(malformed)?;
        let tile = Self { kind, index, width };
        // Whatever else would be read the same way is written another way.
        let canonical = tile.to_string() == path && (1..=TILE_WIDTH as u16).contains(&width);
        let level = !matches!(kind, TileKind::Hashes(64..));
        (canonical && level).then_some(tile).ok_or_else(malformed)
    }
}

fn read_number(path: &str) -> Option<u64> {
    let mut number = 0_u64;
    for element in path.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        let digits: u64 = digits.parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(digits)?;
    }
    (number < MAX_SIZE).then_some(number)
}
