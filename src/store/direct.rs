//! The scripts' calls as commands, for a program that drives Redis by itself: the reference that `make bench` measures
//! the server against.
//!
//! The commands are those of the lanes, from the same verbs; only the coalescing, the loss check and the connection are the
//! caller's.

use redis::Cmd;

use super::call::Scope;
use super::coalesce::Verb;
use super::payment::{PartitionedPay, Pay};
use super::queue::Join;
use super::reservation::Hold;
use super::wallet::{Charge, PartitionedCharge};
use super::{ChargeRequest, HoldRequest, PayRequest, scripts};
use crate::domain::ids::{LogName, Mark, Offset, UserId};

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
    let id = concert.map(|known| match known.log {
        LogName::Concert(id) => id,
        LogName::Wallet(partition) => panic!("partition {partition} of the wallets is no concert"),
    });
    let scope = Scope { concert: id, shows: &shows, wallets: V::WALLETS.then_some(partitions.as_slice()) };
    let keys = scope.keys();
    let mut command = redis::cmd("EVALSHA");
    command.arg(V::script().sha()).arg(keys.len()).arg(&keys).arg(Mark(rand::random()).to_string());
    if let Some(concert) = concert {
        push_known(&mut command, concert);
        command.arg(shows.len());
        for show in &shows {
            command.arg(show.0);
        }
    }
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

/// Without the look-up of the entry: the caller has seen nothing since that could be lost.
fn push_known(command: &mut Cmd, known: &KnownLog) {
    command.arg(known.id.to_string()).arg(known.offset.number).arg(known.offset.mark.to_string()).arg(0);
}
