//! Looks at MySQL for what other servers have put on sale, for whoever names what is not known here.
//!
//! One look answers all who asked before it began, and looks follow each other at a distance: however many ask for ids that
//! nobody has, MySQL is asked the same.

use tokio::sync::{Notify, watch};

/// What asks for looks, and hears of them.
#[derive(Default)]
pub struct Lookout {
    asked: Notify,
    looks: watch::Sender<Looks>,
}

#[derive(Clone, Copy, Default)]
struct Looks {
    begun: u64,
    ended: u64,
    /// Whether the last one that ended has seen everything.
    well: bool,
    /// Whether somebody waits for the next one.
    wanted: bool,
}

impl Lookout {
    /// Waits for a look that begins from now on. Whether it has seen everything.
    pub async fn look(&self) -> bool {
        let mut next = 0;
        // In one step: a look that begins meanwhile is another's.
        self.looks.send_modify(|looks| {
            looks.wanted = true;
            next = looks.begun + 1;
        });
        self.asked.notify_one();
        let mut looks = self.looks.subscribe();
        let ended = looks.wait_for(|looks| looks.ended >= next).await;
        ended.is_ok_and(|looks| looks.well)
    }

    /// Waits until somebody asks, or has asked since the last time.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// A look begins. Whether somebody waits for it.
    pub fn begin(&self) -> bool {
        let mut wanted = false;
        self.looks.send_modify(|looks| {
            looks.begun += 1;
            wanted = std::mem::take(&mut looks.wanted);
        });
        wanted
    }

    /// The look that began last has ended.
    pub fn end(&self, well: bool) {
        self.looks.send_modify(|looks| (looks.ended, looks.well) = (looks.begun, well));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_look_answers_those_who_asked_before_it_began() {
        let lookout = Lookout::default();
        assert!(!lookout.begin());
        let mut late = Box::pin(lookout.look());
        assert!(late.as_mut().now_or_never().is_none());
        lookout.end(true);
        assert!(late.as_mut().now_or_never().is_none(), "it had begun before");
        lookout.asked().await;
        assert!(lookout.begin());
        let mut later = Box::pin(lookout.look());
        assert!(later.as_mut().now_or_never().is_none());
        lookout.end(false);
        assert_eq!(late.now_or_never(), Some(false));
        lookout.asked().await;
        assert!(lookout.begin());
        lookout.end(true);
        assert_eq!(later.now_or_never(), Some(true));
    }
}
