//! The names of tiles are those of C2SP tlog-tiles.

use proptest::prelude::*;
use scb_tlog::{Tile, TileKind};

#[test]
fn numbers_are_written_in_groups_of_three() {
    for (index, width, path) in [
        (0, 256, "tile/0/000"),
        (7, 12, "tile/0/007.p/12"),
        (999, 256, "tile/0/999"),
        (1000, 256, "tile/0/x001/000"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
        (1_234_067, 1, "tile/0/x001/x234/067.p/1"),
    ] {
        let kind = TileKind::Hashes(0);
        let tile = Tile { kind, index, width };
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse::<Tile>().unwrap(), tile);
    }
    let entries: Tile = "tile/entries/x001/000.p/255".parse().unwrap();
    assert_eq!((entries.kind, entries.index), (TileKind::Entries, 1000));
}

#[test]
fn other_paths_are_none_of_a_tile() {
    for path in [
        "",
        "tile",
        "tile/0/",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/+1/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/../../keys/log.pem",
        "tile/0/x../000",
        "tile/entries/000.p/1/..",
        "/tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
}

#[test]
fn the_tiles_of_a_tree_are_as_wide_as_the_specification_says() {
    let width = |level, number| {
        let tile = Tile::holding(TileKind::Hashes(level), number, 70_000);
        tile.map(|tile| (tile.index, tile.width))
    };
    assert_eq!(width(0, 69_999), Some((273, 112)));
    assert_eq!(width(0, 69_887), Some((272, 256)));
    assert_eq!(width(0, 70_000), None);
    assert_eq!(width(1, 0), Some((0, 256)));
    assert_eq!(width(1, 272), Some((1, 17)));
    assert_eq!(width(1, 273), None);
    assert_eq!(width(2, 0), Some((0, 1)));
    assert_eq!(width(2, 1), None);
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(path in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }
}
