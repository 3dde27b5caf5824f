//! Entries as scripts write them.

use super::*;

#[test]
fn an_entry_reads_back_whole() {
    let text = "1 00000000000000aa 00000000000000a9 1780000000000\n\
        joined 4 5:a b|c\n\
        admitted 4 5:a b|c 1780000600000 0\n\
        held 00000000000000000007 12 5:a b|c 100000 1780000300000 3 7:50000,2:50000 0: -\n";
    let entry = Entry::decode(LogKind::Concert, text).unwrap();
    assert_eq!(entry.mark, Mark(0xaa));
    assert_eq!(entry.events.len(), 3);
    let Event::Held(held) = &entry.events[2] else { panic!("{entry:?}") };
    assert_eq!((held.show, held.user, held.seats.total()), (ShowId(12), "a b|c", 100_000));
}

#[test]
fn an_unknown_word_or_version_stops_the_reader() {
    let head = "1 00000000000000aa 00000000000000a9 1780000000000\n";
    assert!(Entry::decode(LogKind::Concert, &format!("{head}vanished 4 1:a\n")).is_err());
    assert!(Entry::decode(LogKind::Wallet, &format!("{head}joined 4 1:a\n")).is_err());
    assert!(Entry::decode(LogKind::Concert, &head.replacen('1', "2", 1)).is_err());
}
