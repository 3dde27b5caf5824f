//! The bound of Redis's memory, kept before Redis itself refuses: new holds and joins go first, then claims, payments never.
//!
//! Shared by all stores of a process; a loop tells it what Redis uses.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::{Failure, Store};

/// What may be refused when memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Makes new state: refused at the bound.
    New,
    /// Keeps what somebody has: refused a tenth above the bound.
    Kept,
    /// Frees state or takes money: never refused here.
    Last,
}

/// The bound, and what is used.
#[derive(Debug)]
pub struct MemoryBound {
    max_bytes: u64,
    used_bytes: AtomicU64,
}

impl MemoryBound {
    /// A bound in bytes; 0: none.
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, used_bytes: AtomicU64::new(0) }
    }

    /// Takes note of what Redis uses.
    pub fn note(&self, used_bytes: u64) {
        self.used_bytes.store(used_bytes, Ordering::Relaxed);
    }

    /// The bound in bytes; 0: none.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Whether the bound is reached: logs are then trimmed as far as the archive has them.
    pub fn is_reached(&self) -> bool {
        self.refuses(Need::New)
    }

    pub(super) fn refuses(&self, need: Need) -> bool {
        let used = self.used_bytes.load(Ordering::Relaxed);
        self.max_bytes > 0
            && match need {
                Need::New => used >= self.max_bytes,
                Need::Kept => used >= self.max_bytes + self.max_bytes / 10,
                Need::Last => false,
            }
    }
}

/// What Redis says of its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Its own `maxmemory` in bytes; 0: none.
    pub max_bytes: u64,
}

impl MemoryUsage {
    fn read(info: &str) -> Option<Self> {
        let bytes = |name| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Some(Self { used_bytes: bytes("used_memory:")?, max_bytes: bytes("maxmemory:")? })
    }
}

impl Store {
    /// What Redis uses now, and what it may.
    pub async fn memory_usage(&self, deadline: Instant) -> Result<MemoryUsage, Failure> {
        let info = self.text(redis::cmd("INFO").arg("memory"), deadline).await?;
        let malformed = || super::fault(super::reply::MalformedReply("INFO memory".into()));
        MemoryUsage::read(&info).ok_or_else(malformed)
    }

    /// The bound that this store keeps.
    pub fn memory(&self) -> &MemoryBound {
        self.caller().memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_and_joins_go_first_then_claims_payments_never() {
        let bound = MemoryBound::new(1000);
        for (used, refused) in [(999, [false, false]), (1000, [true, false]), (1100, [true, true])] {
            bound.note(used);
            assert_eq!([bound.refuses(Need::New), bound.refuses(Need::Kept)], refused, "{used}");
            assert!(!bound.refuses(Need::Last));
        }
        let none = MemoryBound::new(0);
        none.note(u64::MAX);
        assert!(!none.is_reached());
    }

    #[test]
    fn usage_is_read_by_whole_names() {
        let info = "# Memory\r\nused_memory:1024\r\nused_memory_peak:2048\r\nmaxmemory_human:4K\r\nmaxmemory:4096\r\n";
        assert_eq!(MemoryUsage::read(info), Some(MemoryUsage { used_bytes: 1024, max_bytes: 4096 }));
        assert_eq!(MemoryUsage::read("used_memory_peak:2048\r\n"), None);
    }
}
