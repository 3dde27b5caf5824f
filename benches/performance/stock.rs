//! Holds that are made so that they can be paid.

use std::time::Duration;

use crate::{
    Result,
    journey::{Basket, Buyer, Holding, Paying},
    load::closed,
    sale::Sale,
};

/// How long is held before the basket is looked at again: what is too much takes users from what comes later.
const STEP: Duration = Duration::from_millis(100);

/// A peak is not known before, and arrivals are random.
const ABUNDANCE: f64 = 1.2;

/// Those who hold, each user once, and what they hold and nobody has paid.
#[derive(Debug)]
pub(crate) struct Stock {
    basket: Basket,
    holding: Vec<Holding>,
}

impl Stock {
    /// An empty one: these will fill it.
    pub(crate) fn new(buyers: Vec<Buyer>) -> Self {
        let basket = Basket::default();
        let hold = |buyer| Holding { buyer, basket: Some(basket.clone()) };
        let holding = buyers.into_iter().map(hold).collect();
        Self { basket, holding }
    }

    /// Takes those who hold away, to be given back by [`Stock::give_back`].
    pub(crate) fn lend(&mut self) -> Vec<Holding> {
        std::mem::take(&mut self.holding)
    }

    /// Takes them back.
    pub(crate) fn give_back(&mut self, holding: Vec<Holding>) {
        self.holding = holding;
    }

    /// Those who pay what is in it.
    pub(crate) fn paying(&self, buyers: Vec<Buyer>) -> Vec<Paying> {
        let pay = |buyer| Paying { buyer, basket: self.basket.clone() };
        buyers.into_iter().map(pay).collect()
    }

    /// Holds until there is enough for payments at this rate, a second, for so long; then the archive has all of it.
    pub(crate) async fn fill(&mut self, sale: &Sale, rate: f64, time: Duration) -> Result<()> {
        let wanted = rate * time.as_secs_f64() * ABUNDANCE;
        while self.basket.count() < wanted {
            let holding = self.lend();
            let (holding, report) = closed::run(sale.site.address(), holding, STEP).await?;
            self.give_back(holding);
            if report.count_f64() < 1.0 {
                return Err("the stock can't be filled: buyers or seats have run out".into());
            }
            if let Some(trouble) = report.trouble() {
                return Err(format!("the stock can't be filled: {trouble}").into());
            }
        }
        sale.site.drained().await
    }
}
