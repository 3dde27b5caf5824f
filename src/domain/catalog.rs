//! What is sold: concerts, their shows, and each show's seats in the order of their index.
//!
//! A seat's index is given once and never reused: the byte map, the log and MySQL name seats by it.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{ConcertId, ShowId};
use super::policy::Policy;
use super::time::Millis;

/// Seats of one show: above this a single map would not fit the bounds that scripts promise.
pub const SEATS_MAX: usize = 200_000;

/// Sections of one show: houses have some dozens. What names each of them, a report or an audit trail, stays small.
pub const SECTIONS_MAX: usize = 1_000;

/// How an organiser describes seats: rows × seats, or the labels themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Section {
    /// Unique within the show; the first part of labels made from rows.
    pub name: String,
    /// Minor units, the same for all its seats.
    pub price: i64,
    /// Number of rows, with `seats_per_row`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Seats of each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats_per_row: Option<u32>,
    /// Instead of rows: the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Vec<String>>,
}

impl Section {
    /// The number of its seats, if [`Show::layout`] takes it.
    pub fn places(&self) -> usize {
        let counted = || (self.rows.unwrap_or(0) * self.seats_per_row.unwrap_or(0)) as usize;
        self.seats.as_ref().map_or_else(counted, Vec::len)
    }
}

/// One seat of a show. Its index is its place in [`Show::seats`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Unique within the show: `A-1-12`.
    pub label: String,
    /// Index into [`Show::sections`].
    pub section: u16,
    /// `None` if the section named its labels.
    pub row: Option<u32>,
    /// Number in its row; `None` if the section named its labels.
    pub number: Option<u32>,
    /// Minor units.
    pub price: i64,
}

/// A show with its seats: never changed once published, replaced by a new version.
#[derive(Clone, Debug)]
pub struct Show {
    /// Its id.
    pub show: ShowId,
    /// Its concert.
    pub concert: ConcertId,
    /// When it begins.
    pub starts_at: Millis,
    /// ISO 4217.
    pub currency: String,
    /// Names of its sections.
    pub sections: Vec<String>,
    /// All seats, by index.
    pub seats: Vec<Seat>,
    /// Label → index.
    pub by_label: HashMap<String, u32>,
}

/// A concert as the catalog holds it.
#[derive(Clone, Debug)]
pub struct Concert {
    /// Its id.
    pub concert: ConcertId,
    /// The organiser that owns it.
    pub org: String,
    /// Its title.
    pub title: String,
    /// Who plays.
    pub artist: String,
    /// Where.
    pub venue: String,
    /// Nobody is admitted before.
    pub opens_at: Option<Millis>,
    /// Nobody joins or holds from then on.
    pub closes_at: Option<Millis>,
    /// Its policy.
    pub policy: Policy,
    /// Grows with every change of concert, shows, seats or prices.
    pub version: u64,
}

/// Why sections do not make a seat map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Neither rows and seats per row nor labels, or both.
    #[error("section {0:?} needs either rows and seatsPerRow or seats")]
    Shape(String),
    /// A name or label that is empty, too long (64 bytes) or holds control characters.
    #[error("{0:?} is not a name of a section or seat")]
    Name(String),
    /// Twice the same section or label.
    #[error("{0:?} appears twice")]
    Repeated(String),
    /// Below 0 or 2^53 and above.
    #[error("the price of section {0:?} is out of range")]
    Price(String),
    /// More than [`SECTIONS_MAX`].
    #[error("a show has at most {SECTIONS_MAX} sections")]
    Sections,
    /// No seat, or more than [`SEATS_MAX`].
    #[error("a show has between 1 and {SEATS_MAX} seats")]
    Count,
}

impl Show {
    /// Lays out the seats of a show in the order of its sections.
    pub fn layout(sections: &[Section]) -> Result<(Vec<String>, Vec<Seat>), LayoutError> {
        if sections.len() > SECTIONS_MAX {
            return Err(LayoutError::Sections);
        }
        let mut known = HashSet::with_capacity(sections.len());
        let mut seats = Vec::new();
        for (number, section) in (0..).zip(sections) {
            check_section(section)?;
            if !known.insert(section.name.as_str()) {
                return Err(LayoutError::Repeated(section.name.clone()));
            }
            push_seats(&mut seats, section, number)?;
        }
        let names = sections.iter().map(|section| section.name.clone()).collect();
        let mut labels = HashSet::with_capacity(seats.len());
        for seat in &seats {
            let seat: &Seat = seat;
            if !is_name(&seat.label) {
                return Err(LayoutError::Name(seat.label.clone()));
            }
            if !labels.insert(seat.label.as_str()) {
                return Err(LayoutError::Repeated(seat.label.clone()));
            }
        }
        if seats.is_empty() { Err(LayoutError::Count) } else { Ok((names, seats)) }
    }

    /// Label → index for these seats.
    pub fn index(seats: &[Seat]) -> HashMap<String, u32> {
        let entry = |(index, seat): (usize, &Seat)| {
            (seat.label.clone(), u32::try_from(index).expect("a show has at most SEATS_MAX seats"))
        };
        seats.iter().enumerate().map(entry).collect()
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn check_section(section: &Section) -> Result<(), LayoutError> {
    if !is_name(&section.name) {
        return Err(LayoutError::Name(section.name.clone()));
    }
    // 50 seats of the dearest price must still be an exact integer in Lua.
    if !(0..super::wallet::AMOUNT_MAX / 64).contains(&section.price) {
        return Err(LayoutError::Price(section.name.clone()));
    }
    Ok(())
}

fn push_seats(seats: &mut Vec<Seat>, section: &Section, number: u16) -> Result<(), LayoutError> {
    let seat = |label, row, place| Seat { label, section: number, row, number: place, price: section.price };
    match (section.rows, section.seats_per_row, &section.seats) {
        (Some(rows), Some(per_row), None) => {
            let count = u64::from(rows) * u64::from(per_row);
            if count == 0 || seats.len() as u64 + count > SEATS_MAX as u64 {
                return Err(LayoutError::Count);
            }
            let places = (1..=rows).flat_map(|row| (1..=per_row).map(move |place| (row, place)));
            let labelled =
                |(row, place)| seat(format!("{}-{row}-{place}", section.name), Some(row), Some(place));
            seats.extend(places.map(labelled));
        }
        (None, None, Some(labels)) => {
            if labels.is_empty() || seats.len() + labels.len() > SEATS_MAX {
                return Err(LayoutError::Count);
            }
            seats.extend(labels.iter().map(|label| seat(label.clone(), None, None)));
        }
        _ => return Err(LayoutError::Shape(section.name.clone())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, rows: u32, per_row: u32) -> Section {
        Section {
            name: name.into(),
            price: 50_000,
            rows: Some(rows),
            seats_per_row: Some(per_row),
            seats: None,
        }
    }

    #[test]
    fn rows_make_labels_in_order() {
        let (names, seats) = Show::layout(&[section("A", 2, 2), section("B", 1, 1)]).unwrap();
        let labels: Vec<_> = seats.iter().map(|seat| seat.label.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(labels, ["A-1-1", "A-1-2", "A-2-1", "A-2-2", "B-1-1"]);
        assert_eq!(Show::index(&seats)["A-2-1"], 2);
    }

    #[test]
    fn a_layout_that_makes_no_map_is_refused() {
        let both = Section { seats: Some(vec!["x".into()]), ..section("A", 1, 1) };
        let named = Section { rows: None, seats_per_row: None, ..both.clone() };
        let twice = Section { seats: Some(vec!["x".into(), "x".into()]), ..named.clone() };
        assert_eq!(Show::layout(&[both]), Err(LayoutError::Shape("A".into())));
        assert_eq!(Show::layout(&[twice]), Err(LayoutError::Repeated("x".into())));
        assert_eq!(Show::layout(&[named.clone(), named]), Err(LayoutError::Repeated("A".into())));
        assert_eq!(Show::layout(&[section("A", u32::MAX, u32::MAX)]), Err(LayoutError::Count));
        assert_eq!(Show::layout(&[]), Err(LayoutError::Count));
        let mut many: Vec<_> = (0..=SECTIONS_MAX).map(|number| section(&format!("{number}"), 1, 1)).collect();
        assert_eq!(Show::layout(&many), Err(LayoutError::Sections));
        many.pop();
        assert_eq!(Show::layout(&many).map(|(names, _)| names.len()), Ok(SECTIONS_MAX));
    }
}
