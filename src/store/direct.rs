//! The scripts' calls as commands, for a program that drives Redis by itself: the reference that `make bench` measures
//! the server against.
//!
//! The commands are those of the lanes, from the same verbs; only the coalescing, the loss check and the connection are the
//! caller's.

use redis::Cmd;

use super::call::Scope;
use super::coalesce::Verb;
use super::payment::{PartitionedPay, Pay};
use super::queue::{Claim, Join, Leave, PlaceRequest};
use super::reservation::{Hold, Release, ReleaseRequest};
use super::scripts::Script;
use super::wallet::{Charge, PartitionedCharge};
use super::{ChargeRequest, HoldRequest, PayRequest, keys, scripts};
use crate::domain::ids::{ConcertId, Id20, LogName, Mark, Offset, ReservationId, ShowId, UserId};

/// A log as the caller knows it; an older entry of it will do.
#[derive(Clone, Copy, Debug)]
pub struct KnownLog {
    /// Which one.
    pub log: LogName,
    /// Its id.
    pub id: Mark,
    /// An entry that it has.
    pub offset: Offset,
}

/// The texts of all scripts, for `SCRIPT LOAD`.
pub fn texts() -> impl Iterator<Item = &'static str> {
    scripts::ALL.iter().map(|script| script.text)
}

/// One call that puts all of these users into the line.
pub fn join(concert: &KnownLog, users: &[UserId]) -> Cmd {
    call::<Join>(Some(concert), &[], users)
}

/// One call that claims all of these places, by user and sequence number.
pub fn claim(concert: &KnownLog, places: &[(UserId, u64)]) -> Cmd {
    call::<Claim>(Some(concert), &[], &place_requests(places))
}

/// One call that gives all of these places back.
pub fn leave(concert: &KnownLog, places: &[(UserId, u64)]) -> Cmd {
    call::<Leave>(Some(concert), &[], &place_requests(places))
}

/// One step of admission.
pub fn admit(concert: &KnownLog) -> Cmd {
    begin(&scripts::ADMIT, concert, &[])
}

/// One page of what a live view starts from; `show` for pages about one.
pub fn snapshot(concert: &KnownLog, kind: &str, cursor: &str, show: Option<ShowId>) -> Cmd {
    let shows: Vec<_> = show.into_iter().collect();
    let mut command = begin(&scripts::SNAPSHOT, concert, &shows);
    command.arg(kind).arg(cursor);
    for show in shows {
        command.arg(show.0);
    }
    command
}

/// One call that names at most `limit` reservations whose time is over.
pub fn due(concert: &KnownLog, limit: usize) -> Cmd {
    let mut command = begin(&scripts::DUE, concert, &[]);
    command.arg(limit);
    command
}

/// One call that ends those of these reservations whose time is over.
pub fn expire(concert: &KnownLog, due: &[(Id20, ShowId)]) -> Cmd {
    let mut shows: Vec<_> = due.iter().map(|(_, show)| *show).collect();
    shows.sort_unstable();
    shows.dedup();
    let mut command = begin(&scripts::EXPIRE, concert, &shows);
    command.arg(due.len());
    for (id, _) in due {
        command.arg(id.as_str());
    }
    command
}

/// One step that forgets log entries up to this number.
pub fn trim(log: &KnownLog, upto: u64) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(scripts::TRIM.sha()).arg(2).arg(keys::meta(log.log)).arg(keys::log(log.log));
    push_known(&mut command, log);
    command.arg(upto);
    command
}

/// One call that gives all of these reservations back.
pub fn release(concert: &KnownLog, reservations: &[(ReservationId, UserId)]) -> Cmd {
    let request = |(reservation, user): &(ReservationId, UserId)| ReleaseRequest {
        reservation: *reservation,
        user: user.clone(),
    };
    call::<Release>(Some(concert), &[], &reservations.iter().map(request).collect::<Vec<_>>())
}

/// One call that holds for all of these requests.
pub fn hold(concert: &KnownLog, requests: &[HoldRequest]) -> Cmd {
    call::<Hold>(Some(concert), &[], requests)
}

/// One call that pays all of these; `wallets` are the logs of their users, by partition and without gaps.
pub fn pay(concert: &KnownLog, wallets: &[KnownLog], requests: &[PayRequest]) -> Cmd {
    let partitions = u8::try_from(wallets.len()).expect("there are at most 64 partitions");
    let place = |request: &PayRequest| PartitionedPay {
        partition: request.user.partition(partitions),
        request: request.clone(),
    };
    let requests: Vec<_> = requests.iter().map(place).collect();
    call::<Pay>(Some(concert), wallets, &requests)
}

/// One call that makes all of these charges.
pub fn charge(wallets: &[KnownLog], requests: &[ChargeRequest]) -> Cmd {
    let partitions = u8::try_from(wallets.len()).expect("there are at most 64 partitions");
    let place = |request: &ChargeRequest| PartitionedCharge {
        partition: request.user.partition(partitions),
        request: request.clone(),
    };
    let requests: Vec<_> = requests.iter().map(place).collect();
    call::<Charge>(None, wallets, &requests)
}

fn call<V: Verb>(concert: Option<&KnownLog>, wallets: &[KnownLog], requests: &[V::Request]) -> Cmd {
    let (mut shows, mut partitions): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for request in requests {
        shows.extend(V::show(request).filter(|show| !shows.contains(show)));
        partitions.extend(V::partition(request).filter(|known| !partitions.contains(known)));
    }
    let wallets_named = V::WALLETS.then_some(partitions.as_slice());
    let scope = Scope {
        concert: concert.map(concert_of),
        shows: &shows,
        wallets: wallets_named,
        top_ups: V::TOP_UPS,
    };
    let mut command = head(V::script(), scope, concert);
    if V::WALLETS {
        command.arg(partitions.len());
        for partition in partitions {
            let known = &wallets[usize::from(partition)];
            command.arg(known.log.to_string());
            push_known(&mut command, known);
        }
    }
    command.arg(requests.len());
    for request in requests {
        V::push(request, &mut command);
    }
    command
}

fn begin(script: &Script, concert: &KnownLog, shows: &[ShowId]) -> Cmd {
    let scope = Scope { concert: Some(concert_of(concert)), shows, wallets: None, top_ups: false };
    head(script, scope, Some(concert))
}

/// A call up to the shows.
fn head(script: &Script, scope: Scope<'_>, concert: Option<&KnownLog>) -> Cmd {
    let keys = scope.keys();
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.sha()).arg(keys.len()).arg(&keys).arg(Mark(rand::random()).to_string());
    if let Some(concert) = concert {
        push_known(&mut command, concert);
        command.arg(scope.shows.len());
        for show in scope.shows {
            command.arg(show.0);
        }
    }
    command
}

fn concert_of(known: &KnownLog) -> ConcertId {
    match known.log {
        LogName::Concert(id) => id,
        LogName::Wallet(partition) => panic!("partition {partition} of the wallets is no concert"),
    }
}

fn place_requests(places: &[(UserId, u64)]) -> Vec<PlaceRequest> {
    places.iter().map(|(user, seq)| PlaceRequest { user: user.clone(), seq: *seq }).collect()
}

/// Without the look-up of the entry: the caller has seen nothing since that could be lost.
fn push_known(command: &mut Cmd, known: &KnownLog) {
    command.arg(known.id.to_string()).arg(known.offset.number).arg(known.offset.mark.to_string()).arg(0);
}
