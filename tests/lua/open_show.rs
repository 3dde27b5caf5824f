//! `open_show`: a show goes on sale, or grows.

use super::call::Call;
use super::promise::stops_when_the_log_was_lost;
use super::world::World;

fn open_show(show: u32, seats: &str, catalog: &str) -> Call {
    Call::one("open_show", &[&show.to_string(), seats, catalog]).shows(&[show])
}

#[tokio::test]
async fn all_seats_of_a_new_show_are_available() {
    let mut world = World::born().await;
    world.run(&open_show(12, "5", "3")).is(
        &["opened"],
        &["show 12 5 3"],
        &["meta/catalog: 3", "meta/sellable: 5", "meta/shows: 1", "meta/v:12: 2", "seats:12: 00000"],
    );
    world.run(&open_show(13, "2", "3")).is(
        &["opened"],
        &["show 13 2 3"],
        &["meta/sellable: 7", "meta/shows: 2", "meta/v:13: 3", "seats:13: 00"],
    );
}

#[tokio::test]
async fn the_same_again_changes_nothing() {
    let mut world = World::born().await;
    world.run(&open_show(12, "5", "3"));
    world.run(&open_show(12, "5", "3")).refuses(&["opened"]);
    world.run(&open_show(12, "5", "2")).refuses(&["opened"]);
}

#[tokio::test]
async fn a_show_grows_behind_its_last_seat() {
    let mut world = World::born().await;
    world.run(&open_show(12, "3", "3"));
    world.command(&["SETRANGE", "{c7}:seats:12", "1", "2"]);
    world.run(&open_show(12, "5", "4")).is(
        &["opened"],
        &["show 12 5 4"],
        &["meta/catalog: 4", "meta/sellable: 5", "meta/v:12: 3", "seats:12: 02000"],
    );
}

#[tokio::test]
async fn an_entry_names_the_catalog_that_is_in_force() {
    let mut world = World::born().await;
    world.run(&open_show(12, "3", "3"));
    world.run(&open_show(13, "1", "2")).is(
        &["opened"],
        &["show 13 1 3"],
        &["meta/sellable: 4", "meta/shows: 2", "meta/v:13: 3", "seats:13: 0"],
    );
}

#[tokio::test]
async fn a_newer_catalog_of_the_same_seats_is_told() {
    let mut world = World::born().await;
    world.run(&open_show(12, "3", "3"));
    let changes = ["meta/catalog: 4", "meta/v:12: 3"];
    world.run(&open_show(12, "3", "4")).is(&["opened"], &["show 12 3 4"], &changes);
}

#[tokio::test]
async fn a_seat_is_never_taken_back() {
    let mut world = World::born().await;
    world.run(&open_show(12, "3", "3"));
    world.run(&open_show(12, "2", "4")).refuses(&["too_few_seats 3"]);
}

#[tokio::test]
async fn a_show_as_large_as_a_stadium() {
    let mut world = World::born().await;
    assert_eq!(world.run(&open_show(12, "100000", "1")).outcome(), "opened");
    assert_eq!(world.state().get("seats:12").unwrap(), "0".repeat(100_000));
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = World::on_sale(9).await;
    stops_when_the_log_was_lost(&mut world, &open_show(12, "10", "2"));
}
