//! Seating plans: the published JSON of pretix read as sections, and what a new plan changes of a seat map that sells.
//!
//! A seat is known by its label and keeps its index for good, so a plan adds seats, moves them between sections and
//! changes prices, but never drops one.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalog::{LayoutError, SEATS_MAX, SECTIONS_MAX, Seat, Section, Show};

/// A plan in pretix's format (its seating-plan schema, version 0.0.1), as far as it concerns sales. What only draws it
/// (positions, colours, areas), and what later versions add, is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PretixPlan {
    /// In the order of the plan; each becomes a section.
    pub categories: Vec<PretixCategory>,
    /// Parts of the house.
    pub zones: Vec<PretixZone>,
}

/// A price level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PretixCategory {
    /// Unique within the plan.
    pub name: String,
}

/// A part of the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PretixZone {
    /// Empty in houses of one zone.
    #[serde(default)]
    pub name: String,
    /// Its rows.
    pub rows: Vec<PretixRow>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PretixRow {
    /// For people: `1`, `AA`.
    #[serde(default)]
    pub row_number: String,
    /// Its seats.
    pub seats: Vec<PretixSeat>,
}

/// A seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PretixSeat {
    /// Unique within the plan, for programs.
    pub seat_guid: String,
    /// For people.
    #[serde(default)]
    pub seat_number: String,
    /// The name of its category.
    pub category: String,
}

/// What seats of a plan are called here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeatNames {
    /// `zone-row-number`, without what is empty: what is on the ticket. Refused if two seats share one.
    #[default]
    Place,
    /// Their `seat_guid`.
    Guid,
}

/// Why a plan makes no sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A seat of a category that the plan does not list.
    #[error("seat {seat:?} is of the category {category:?}, which the plan does not list")]
    Category {
        /// Its `seat_guid`.
        seat: String,
        /// The category.
        category: String,
    },
    /// Seats without a price.
    #[error("the category {0:?} has seats and no price")]
    NoPrice(String),
    /// A price of nothing.
    #[error("there is a price for {0:?}, which is no category of the plan")]
    StrayPrice(String),
}

impl PretixPlan {
    /// Its seats by category, in the order of the plan, with a price (minor units) for each category that has seats.
    pub fn sections(
        &self,
        prices: &BTreeMap<String, i64>,
        names: SeatNames,
    ) -> Result<Vec<Section>, PlanError> {
        let mut seats: HashMap<&str, Vec<String>> =
            self.categories.iter().map(|category| (category.name.as_str(), Vec::new())).collect();
        if let Some(stray) = prices.keys().find(|name| !seats.contains_key(name.as_str())) {
            return Err(PlanError::StrayPrice(stray.clone()));
        }
        for zone in &self.zones {
            for row in &zone.rows {
                for seat in &row.seats {
                    let unlisted = || PlanError::Category {
                        seat: seat.seat_guid.clone(),
                        category: seat.category.clone(),
                    };
                    let of_category = seats.get_mut(seat.category.as_str()).ok_or_else(unlisted)?;
                    of_category.push(label(zone, row, seat, names));
                }
            }
        }
        let mut sections = Vec::with_capacity(self.categories.len());
        for category in &self.categories {
            // Taken out: a category that is listed twice is one section.
            let Some(seats) = seats.remove(category.name.as_str()).filter(|seats| !seats.is_empty()) else {
                continue;
            };
            let no_price = || PlanError::NoPrice(category.name.clone());
            let price = *prices.get(&category.name).ok_or_else(no_price)?;
            sections.push(Section {
                name: category.name.clone(),
                price,
                rows: None,
                seats_per_row: None,
                seats: Some(seats),
            });
        }
        Ok(sections)
    }
}

fn label(zone: &PretixZone, row: &PretixRow, seat: &PretixSeat, names: SeatNames) -> String {
    match names {
        SeatNames::Guid => seat.seat_guid.clone(),
        SeatNames::Place => {
            let parts = [&zone.name, &row.row_number, &seat.seat_number];
            let parts: Vec<&str> =
                parts.into_iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
            parts.join("-")
        }
    }
}

/// What a plan changes of a seat map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatingChange {
    /// The names of all sections then: those there are, in their places, and new ones behind them.
    pub sections: Vec<String>,
    /// Index, section and price of seats that get another section or price, by index.
    pub changed: Vec<(u32, u16, i64)>,
    /// New seats, in the order of their indexes from the present end on.
    pub added: Vec<Seat>,
}

/// Why a plan can't take the place of a seat map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeatingError {
    /// Its sections make no seat map.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// It lacks these seats, by index.
    #[error("{} seats would be dropped", .0.len())]
    Dropped(Vec<u32>),
}

impl SeatingChange {
    /// What these sections change of the seats that there are, whose sections are called `names`.
    pub fn of(names: &[String], seats: &[Seat], wanted: &[Section]) -> Result<Self, SeatingError> {
        let (wanted_names, wanted) = Show::layout(wanted)?;
        let mut sections = names.to_vec();
        let known: HashMap<&str, usize> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut place = Vec::with_capacity(wanted_names.len());
        for name in wanted_names {
            let at = known.get(name.as_str()).copied().unwrap_or_else(|| {
                sections.push(name);
                sections.len() - 1
            });
            place.push(u16::try_from(at).map_err(|_| LayoutError::Sections)?);
        }
        // Those that no seat is in any more stay, in their places.
        if sections.len() > names.len().max(SECTIONS_MAX) {
            return Err(LayoutError::Sections.into());
        }
        let mut by_label: HashMap<String, Seat> = HashMap::with_capacity(wanted.len());
        let mut order = Vec::with_capacity(wanted.len());
        for seat in wanted {
            order.push(seat.label.clone());
            by_label.insert(seat.label.clone(), Seat { section: place[usize::from(seat.section)], ..seat });
        }
        let (mut changed, mut dropped) = (Vec::new(), Vec::new());
        for (index, seat) in (0..).zip(seats) {
            match by_label.remove(&seat.label) {
                None => dropped.push(index),
                Some(new) if (new.section, new.price) == (seat.section, seat.price) => {}
                Some(new) => changed.push((index, new.section, new.price)),
            }
        }
        if !dropped.is_empty() {
            return Err(SeatingError::Dropped(dropped));
        }
        let added: Vec<Seat> = order.iter().filter_map(|label| by_label.remove(label)).collect();
        if seats.len() + added.len() > SEATS_MAX {
            return Err(LayoutError::Count.into());
        }
        Ok(Self { sections, changed, added })
    }

    /// Whether the seat map is as the plan has it.
    pub fn is_none(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> PretixPlan {
        let seat = |guid: &str, number: &str, category: &str| PretixSeat {
            seat_guid: guid.into(),
            seat_number: number.into(),
            category: category.into(),
        };
        let row = |number: &str, seats| PretixRow { row_number: number.into(), seats };
        let zone = |name: &str, rows| PretixZone { name: name.into(), rows };
        let category = |name: &str| PretixCategory { name: name.into() };
        PretixPlan {
            categories: vec![category("Stalls"), category("None here"), category("Balcony")],
            zones: vec![
                zone("", vec![row("1", vec![seat("a", "1", "Stalls"), seat("b", "2", "Balcony")])]),
                zone("Up", vec![row("1", vec![seat("c", "1", "Balcony"), seat("d", "", "Stalls")])]),
            ],
        }
    }

    fn prices(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
        of.iter().map(|(name, price)| ((*name).to_owned(), *price)).collect()
    }

    fn labels(section: &Section) -> Vec<&str> {
        section.seats.iter().flatten().map(String::as_str).collect()
    }

    #[test]
    fn categories_become_sections_and_places_labels() {
        let prices = prices(&[("Stalls", 5), ("Balcony", 3)]);
        let sections = plan().sections(&prices, SeatNames::Place).unwrap();
        let shown: Vec<_> = sections.iter().map(|s| (s.name.as_str(), s.price, labels(s))).collect();
        assert_eq!(shown, [("Stalls", 5, vec!["1-1", "Up-1"]), ("Balcony", 3, vec!["1-2", "Up-1-1"])]);
        let sections = plan().sections(&prices, SeatNames::Guid).unwrap();
        assert_eq!(labels(&sections[1]), ["b", "c"]);
    }

    #[test]
    fn a_plan_without_its_prices_or_categories_is_refused() {
        let refused =
            |plan: &PretixPlan, of: &[(&str, i64)]| plan.sections(&prices(of), SeatNames::Place).unwrap_err();
        assert_eq!(refused(&plan(), &[("Stalls", 5)]), PlanError::NoPrice("Balcony".into()));
        assert_eq!(refused(&plan(), &[("Box", 5)]), PlanError::StrayPrice("Box".into()));
        let mut stray = plan();
        stray.zones[0].rows[0].seats[0].category = "Box".into();
        let unlisted = PlanError::Category { seat: "a".into(), category: "Box".into() };
        assert_eq!(refused(&stray, &[]), unlisted);
    }

    fn section(name: &str, price: i64, seats: &[&str]) -> Section {
        let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
        Section { name: name.into(), price, rows: None, seats_per_row: None, seats: Some(seats) }
    }

    #[test]
    fn a_change_keeps_indexes_moves_and_adds_but_drops_nothing() {
        let (names, seats) = Show::layout(&[section("A", 5, &["1", "2"]), section("B", 3, &["3"])]).unwrap();
        let change = |sections: &[Section]| SeatingChange::of(&names, &seats, sections);
        // Another order is no change.
        let same = change(&[section("B", 3, &["3"]), section("A", 5, &["2", "1"])]).unwrap();
        assert!(same.is_none());
        assert_eq!(same.sections, ["A", "B"]);

        let moved = change(&[section("C", 9, &["0", "2"]), section("A", 6, &["1"]), section("B", 3, &["3"])]);
        let moved = moved.unwrap();
        assert_eq!(moved.sections, ["A", "B", "C"]);
        assert_eq!(moved.changed, [(0, 0, 6), (1, 2, 9)]);
        let added: Vec<_> =
            moved.added.iter().map(|seat| (seat.label.as_str(), seat.section, seat.price)).collect();
        assert_eq!(added, [("0", 2, 9)]);

        assert_eq!(change(&[section("A", 5, &["2", "4"])]), Err(SeatingError::Dropped(vec![0, 2])));
        let many: Vec<_> =
            (0..SECTIONS_MAX).map(|n| section(&format!("N{n}"), 5, &[&n.to_string()])).collect();
        assert_eq!(change(&many), Err(LayoutError::Sections.into()));

        let twice = change(&[section("A", 5, &["1", "1"])]);
        assert_eq!(twice, Err(LayoutError::Repeated("1".into()).into()));
    }
}
