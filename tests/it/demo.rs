//! What `make run` sells.

use onsale::{archive::CatalogFile, domain::catalog::Show};

#[test]
fn the_demonstration_is_a_catalog_of_a_club_a_theatre_and_a_stadium() {
    let file = CatalogFile::parse(include_str!("../../docs/demo.yaml")).unwrap();
    let seats = |(concert, show): (usize, usize)| {
        Show::layout(&file.concerts[concert].shows[show].sections).unwrap().1.len()
    };
    assert_eq!([(0, 0), (1, 0), (1, 1), (2, 0)].map(seats), [50, 652, 652, 50_000]);
}
