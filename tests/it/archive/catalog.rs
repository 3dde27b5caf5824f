//! The catalog: what organisers make and what files say.

use std::pin::pin;

use futures_util::FutureExt as _;
use onsale::archive::{
    Archive, CatalogFile, Change, ConcertUpdate, Error, IMPORTED_IDS_MAX, ImportRefusal, ImportRefused,
    ImportReport, InvalidCatalog, NewConcert,
};
use onsale::domain::catalog::{LayoutError, SECTIONS_MAX, Section};
use onsale::domain::ids::{ConcertId, ShowId};
use onsale::domain::policy::{Policy, PolicyState};
use onsale::domain::time::Millis;

use super::{LOG_ID, fresh};

const FILE: &str = "
concerts:
  - concertId: 1
    title: 봄 콘서트
    artist: Trio
    venue: Hall
    opensAt: 2026-05-29T15:30:00Z
    policy: { maxActive: 5 }
    shows:
      - showId: 10
        startsAt: 2026-06-01T19:00:00+09:00
        currency: KRW
        sections:
          - { name: A, rows: 2, seatsPerRow: 3, price: 500 }
          - { name: Box, price: 900, seats: [\"Box 1\", \"Box 2\"] }
  - concertId: 2
    org: other
    title: Empty
    artist: Nobody
    venue: Nowhere
";

/// The first half of an import: Redis knows nothing of it.
async fn begin(archive: &Archive, file: &str) -> ImportReport {
    archive.import(&CatalogFile::parse(file).expect("a catalog")).await.expect("a file that is taken")
}

/// The other half, as if Redis knew all of it.
async fn end(archive: &Archive, file: &str, report: &ImportReport) -> Vec<bool> {
    let file = CatalogFile::parse(file).expect("a catalog");
    let mut ended = Vec::new();
    for (concert, imported) in file.concerts.iter().zip(&report.concerts) {
        if imported.unfinished {
            ended.push(archive.end_import(concert).await.expect("MariaDB does as told"));
        }
    }
    ended
}

fn changes(report: &ImportReport) -> Vec<Change> {
    report.concerts.iter().map(|concert| concert.change).collect()
}

async fn import(archive: &Archive, file: &str) -> Result<Vec<Change>, Error> {
    let report = archive.import(&CatalogFile::parse(file).expect("a catalog")).await?;
    assert!(end(archive, file, &report).await.iter().all(|ended| *ended));
    Ok(changes(&report))
}

#[tokio::test]
async fn a_file_becomes_concerts_shows_and_seats() {
    let fresh = fresh().await;
    assert_eq!(import(&fresh.archive, FILE).await.unwrap(), [Change::New, Change::New]);

    let concerts = fresh.archive.concerts().await.unwrap();
    assert_eq!(concerts.len(), 2);
    assert_eq!((concerts[0].title.as_str(), concerts[0].org.as_str()), ("봄 콘서트", "demo"));
    assert_eq!((concerts[0].policy.max_active, concerts[0].opens_at), (5, Some(Millis(1_780_068_600_000))));
    let shows = fresh.archive.shows(ConcertId(1)).await.unwrap();
    let labels: Vec<_> = shows[0].seats.iter().map(|seat| seat.label.as_str()).collect();
    assert_eq!(labels, ["A-1-1", "A-1-2", "A-1-3", "A-2-1", "A-2-2", "A-2-3", "Box 1", "Box 2"]);
    assert_eq!(shows[0].by_label["Box 2"], 7);
    assert_eq!((shows[0].seats[7].price, shows[0].seats[3].row, shows[0].seats[7].row), (900, Some(2), None));
    assert_eq!(shows[0].sections, ["A", "Box"]);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let before = (fresh.rows("concerts").await, fresh.rows("shows").await, fresh.rows("seats").await);
    assert_eq!(import(&fresh.archive, FILE).await.unwrap(), [Change::Same, Change::Same]);
    let after = (fresh.rows("concerts").await, fresh.rows("shows").await, fresh.rows("seats").await);
    assert_eq!(before, after);

    // Nor does it undo what the organiser has changed since.
    let change = ConcertUpdate { title: Some("Sold out!".to_owned()), ..ConcertUpdate::default() };
    assert_eq!(fresh.archive.update_concert(ConcertId(1), &change).await.unwrap(), Some(2));
    assert_eq!(import(&fresh.archive, FILE).await.unwrap(), [Change::Same, Change::Same]);
    assert_eq!(fresh.archive.concert(ConcertId(1)).await.unwrap().unwrap().title, "Sold out!");
}

#[tokio::test]
async fn a_changed_file_adds_seats_and_changes_prices() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let changed = FILE.replace("price: 500", "price: 600").replace("\"Box 2\"]", "\"Box 2\", \"Box 3\"]");
    let report = fresh.archive.import(&CatalogFile::parse(&changed).unwrap()).await.unwrap();
    assert_eq!((report.concerts[0].change, report.concerts[0].version), (Change::Changed, 2));
    assert_eq!(
        (report.concerts[0].shows[0].show, report.concerts[0].shows[0].change),
        (ShowId(10), Change::Changed)
    );
    assert_eq!(report.concerts[1].change, Change::Same);
    let show = fresh.archive.shows(ConcertId(1)).await.unwrap().remove(0);
    assert_eq!((show.seats.len(), show.seats[0].price, show.seats[8].price), (9, 600, 900));
    assert_eq!(show.seats[8].label, "Box 3");
}

#[tokio::test]
async fn seats_keep_their_indexes_wherever_a_file_names_new_ones() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let changed = FILE
        .replace("rows: 2, seatsPerRow: 3", "rows: 3, seatsPerRow: 4")
        .replace("name: Box, price: 900, seats: [", "name: Lounge, price: 900, seats: [\"Box 0\", ");
    for expected in [[Change::Changed, Change::Same], [Change::Same, Change::Same]] {
        assert_eq!(import(&fresh.archive, &changed).await.unwrap(), expected);
        let show = fresh.archive.shows(ConcertId(1)).await.unwrap().remove(0);
        let labels: Vec<_> = show.seats.iter().map(|seat| seat.label.as_str()).collect();
        let known = ["A-1-1", "A-1-2", "A-1-3", "A-2-1", "A-2-2", "A-2-3", "Box 1", "Box 2"];
        assert_eq!(labels[..8], known);
        assert_eq!(labels[8..], ["A-1-4", "A-2-4", "A-3-1", "A-3-2", "A-3-3", "A-3-4", "Box 0"]);
        assert_eq!(show.sections, ["A", "Box", "Lounge"]);
        assert_eq!((show.seats[7].section, show.seats[9].row, show.seats[9].number), (2, Some(2), Some(4)));
    }
    // Another time and nothing else is a change, too.
    let later = changed.replace("19:00:00", "20:00:00");
    let report = begin(&fresh.archive, &later).await;
    assert_eq!((report.concerts[0].version, report.concerts[0].shows[0].change), (3, Change::Changed));
    let starts_at = fresh.archive.shows(ConcertId(1)).await.unwrap()[0].starts_at;
    assert_eq!(starts_at, Millis(1_780_311_600_000));
}

#[tokio::test]
async fn a_seat_is_never_dropped() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let before = (fresh.rows("concerts").await, fresh.rows("shows").await, fresh.rows("seats").await);
    let dropped = |seats: &[(u32, &str)]| {
        ImportRefusal::SeatsDropped(
            seats.iter().map(|(index, label)| (*index, (*label).to_owned())).collect(),
        )
    };
    // One too many, with those that seats have left.
    let more = |number| format!("- {{ name: N{number}, price: 5, seats: [n{number}] }}");
    let more: Vec<_> = (0..SECTIONS_MAX - 2).map(more).collect();
    let more = format!("{}\n          - {{ name: A,", more.join("\n          "));
    let others = FILE.replace("- { name: A,", &more).replace("name: Box", "name: Lounge");
    let cases = [
        (FILE.replace("rows: 2", "rows: 1"), dropped(&[(3, "A-2-1"), (4, "A-2-2"), (5, "A-2-3")])),
        (FILE.replace(", \"Box 2\"", ""), dropped(&[(7, "Box 2")])),
        (FILE.replace("Box 2", "Box 7"), dropped(&[(7, "Box 2")])),
        (others, ImportRefusal::Layout(LayoutError::Sections)),
        (FILE.replace("currency: KRW", "currency: USD"), ImportRefusal::Currency),
        (FILE.replace("showId: 10", "showId: 11"), ImportRefusal::ShowDropped),
    ];
    for (file, reason) in cases {
        // New titles must not stay behind either.
        let file = file.replace("title: 봄 콘서트", "title: Other").replace("title: Empty", "title: Full");
        let file = CatalogFile::parse(&file).expect("a catalog");
        let error = fresh.archive.import(&file).await.unwrap_err();
        let Error::Refused(refused) = error else { panic!("{error:?}") };
        assert_eq!(refused, ImportRefused { concert: ConcertId(1), show: ShowId(10), reason });
    }
    let after = (fresh.rows("concerts").await, fresh.rows("shows").await, fresh.rows("seats").await);
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_policy_is_the_logs_once_it_lives() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let unborn = FILE.replace("maxActive: 5", "maxActive: 6");
    assert_eq!(import(&fresh.archive, &unborn).await.unwrap(), [Change::Changed, Change::Same]);
    let stored = async || fresh.archive.policy(ConcertId(1)).await.unwrap().unwrap().1.policy.max_active;
    assert_eq!(stored().await, 6);

    let log = super::Log::concert(1);
    fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    let born = FILE.replace("maxActive: 5", "maxActive: 7");
    let report = begin(&fresh.archive, &born).await;
    assert_eq!((report.concerts[0].change, report.concerts[0].unfinished), (Change::Same, true));
    assert_eq!(stored().await, 6);
}

#[tokio::test]
async fn an_import_that_has_not_ended_is_done_again_in_full() {
    let fresh = fresh().await;
    let unfinished = |report: &ImportReport| -> Vec<bool> {
        report.concerts.iter().map(|concert| concert.unfinished).collect()
    };
    assert_eq!(unfinished(&begin(&fresh.archive, FILE).await), [true, true]);
    let again = begin(&fresh.archive, FILE).await;
    assert_eq!((changes(&again), unfinished(&again)), (vec![Change::Same; 2], vec![true, true]));
    assert_eq!(end(&fresh.archive, FILE, &again).await, [true, true]);
    assert_eq!(unfinished(&begin(&fresh.archive, FILE).await), [false, false]);

    // Nothing of it is the first file's any more, however far it got.
    let other = FILE.replace("title: Empty", "title: Full");
    assert_eq!(unfinished(&begin(&fresh.archive, &other).await), [false, true]);
    let back = begin(&fresh.archive, FILE).await;
    assert_eq!((changes(&back), unfinished(&back)), (vec![Change::Same, Change::Changed], vec![false, true]));
    assert_eq!(fresh.archive.concert(ConcertId(2)).await.unwrap().unwrap().title, "Empty");
    assert_eq!(end(&fresh.archive, FILE, &back).await, [true]);
}

/// A deployment may import on each of its hosts.
#[tokio::test]
async fn imports_of_the_same_file_at_once_are_one() {
    let fresh = fresh().await;
    let reports = [begin(&fresh.archive, FILE).await, begin(&fresh.archive, FILE).await];
    for report in &reports {
        assert_eq!(end(&fresh.archive, FILE, report).await, [true, true]);
    }
    assert!(begin(&fresh.archive, FILE).await.concerts.iter().all(|concert| !concert.unfinished));
}

/// Whose policy stands in Redis nobody knows then.
#[tokio::test]
async fn of_two_files_imported_at_once_none_counts_as_done() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let other = FILE.replace("title: Empty", "title: Full");
    let last = FILE.replace("title: Empty", "title: Fuller");
    for late_first in [true, false] {
        let late = begin(&fresh.archive, &other).await;
        let early = begin(&fresh.archive, &last).await;
        if late_first {
            assert_eq!(end(&fresh.archive, &other, &late).await, [false]);
            assert_eq!(end(&fresh.archive, &last, &early).await, [false]);
        } else {
            assert_eq!(end(&fresh.archive, &last, &early).await, [true]);
            assert_eq!(end(&fresh.archive, &other, &late).await, [false]);
        }
        let again = begin(&fresh.archive, &last).await;
        assert!(again.concerts[1].unfinished);
        assert_eq!(end(&fresh.archive, &last, &again).await, [true]);
    }
}

#[tokio::test]
async fn organisers_get_ids_above_those_of_files() {
    let fresh = fresh().await;
    import(&fresh.archive, FILE).await.unwrap();
    let new = NewConcert {
        org: "demo".to_owned(),
        title: "'; drop table seats; --".to_owned(),
        artist: "a".to_owned(),
        venue: "v".to_owned(),
        policy: PolicyState {
            policy: Policy { max_active: 3, ..Policy::default() },
            ..PolicyState::default()
        },
    };
    let concert = fresh.archive.create_concert(&new).await.unwrap();
    assert_eq!(concert, ConcertId(IMPORTED_IDS_MAX + 1));
    let section =
        Section { name: "A".to_owned(), price: 5, rows: Some(40), seats_per_row: Some(51), seats: None };
    let made = fresh.archive.create_show(concert, Millis(9), "KRW", vec![section.clone()]).await.unwrap();
    assert_eq!(made, Some((ShowId(IMPORTED_IDS_MAX + 1), 2)));
    assert_eq!(fresh.archive.shows(concert).await.unwrap()[0].seats.len(), 2040);
    let stored = fresh.archive.concert(concert).await.unwrap().unwrap();
    assert_eq!((stored.title, stored.policy.max_active, stored.version), (new.title, 3, 2));

    let nowhere = fresh.archive.create_show(ConcertId(99), Millis(9), "KRW", vec![section]).await.unwrap();
    assert_eq!(nowhere, None);
    assert_eq!(fresh.archive.update_concert(ConcertId(99), &ConcertUpdate::default()).await.unwrap(), None);
    let empty = fresh.archive.create_show(concert, Millis(9), "KRW", Vec::new()).await;
    assert!(matches!(empty, Err(Error::Layout(_))));
}

/// Whoever asks may be a core that serves buyers: it has others to serve while the largest show is laid out.
#[tokio::test]
async fn seats_are_laid_out_elsewhere() {
    let fresh = fresh().await;
    let section = |name: &str, rows, seats| Section {
        name: name.to_owned(),
        price: 5,
        rows,
        seats_per_row: rows,
        seats,
    };
    let plan = vec![section("A", Some(447), None), section("B", None, Some(vec!["A-1-1".to_owned()]))];
    let mut making = pin!(fresh.archive.create_show(ConcertId(1), Millis(9), "KRW", plan));
    assert!(making.as_mut().now_or_never().is_none());
    assert!(matches!(making.await, Err(Error::Layout(LayoutError::Repeated(_)))));
}

#[test]
fn a_file_is_checked_as_a_whole() {
    let wrong = |from: &str, to: &str| CatalogFile::parse(&FILE.replace(from, to)).unwrap_err();
    assert!(matches!(wrong("concertId: 2", "concertId: 1"), InvalidCatalog::Id { id: 1, .. }));
    assert!(matches!(wrong("concertId: 2", "concertId: 1000001"), InvalidCatalog::Id { .. }));
    assert!(matches!(wrong("title: Empty", "title: \"\""), InvalidCatalog::Concert { field: "title", .. }));
    assert!(matches!(
        wrong("maxActive: 5", "claimSeconds: 2"),
        InvalidCatalog::Concert { field: "claimSeconds", .. }
    ));
    assert!(matches!(
        wrong("maxActive: 5", "order: lottery"),
        InvalidCatalog::Concert { field: "policy.order", .. }
    ));
    assert!(matches!(wrong("KRW", "won"), InvalidCatalog::Currency(ShowId(10))));
    assert!(matches!(wrong("Box 2", "Box 1"), InvalidCatalog::Layout { .. }));
    let unknown = wrong("maxActive: 5", "maxActiv: 5").to_string();
    assert!(unknown.contains("maxActiv"), "{unknown}");
}

#[tokio::test]
async fn a_million_seats_load_in_seconds() {
    use std::fmt::Write;
    let mut file = "concerts: [{concertId: 1, title: t, artist: a, venue: v, shows: [".to_owned();
    for show in 1..=5 {
        write!(
            file,
            "{{showId: {show}, startsAt: 2026-06-01T19:00:00Z, currency: KRW, \
             sections: [{{name: A, rows: 2000, seatsPerRow: 100, price: 5}}]}},"
        )
        .unwrap();
    }
    file.push_str("]}]");
    let fresh = fresh().await;
    let start = std::time::Instant::now();
    import(&fresh.archive, &file).await.unwrap();
    let imported = start.elapsed();
    let start = std::time::Instant::now();
    let shows = fresh.archive.shows(ConcertId(1)).await.unwrap();
    let loaded = start.elapsed();
    let seats: usize = shows.iter().map(|show| show.seats.len()).sum();
    assert_eq!(seats, 1_000_000);
    println!("1,000,000 seats: imported in {imported:?}, loaded in {loaded:?}");
    // Measured on two cores without optimisation: 4.5 s and 2 s.
    assert!(imported + loaded < std::time::Duration::from_mins(1));
}
