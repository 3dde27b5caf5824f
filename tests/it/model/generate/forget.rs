//! Runs of `onsale forget`, call by call as the command makes them: they break off between any two and are given again, while all
//! others go on, and so does he. What the archive would name is told from the model, at times too little of it.

mod had;
mod named;

use onsale::domain::ids::UserId;
use onsale::domain::pseudonym::pseudonym;

use self::had::Had;

use super::Generator;
use crate::model::batch::{Batch, PARTITIONS, partition};
use crate::model::forget::{Mode, is_anonymous, is_pseudonym};
use crate::model::rules::Model;

/// Runs that have begun and are not at their end, at most. One is at work at a time; those that broke off wait.
const RUNS_MAX: usize = 2;

/// The call that is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Look,
    LookWallet,
    Freeze,
    Level,
    Forget,
    Sweep(i64),
    LevelWallet,
    ForgetWallet,
    SweepWallet(i64),
}

/// What the looks of a run have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nothing yet.
    Looks,
    /// There is nothing of him: nothing but to sweep.
    Sweeps,
    /// There is, or the run was given again.
    Renames,
}

/// A run, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Run {
    user: String,
    pseudonym: String,
    step: Step,
    hurries: bool,
    way: Way,
    /// The archive has noted that the concert has his new name.
    noted: bool,
    had: Had,
    had_wallet: Had,
    /// When his balance got its new name.
    told_at: Option<i64>,
    /// Whether the sweep under way names all that it would.
    complete: bool,
}

/// Runs of the command, and what has become of them.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    runs: Vec<Run>,
    /// The run whose call is being decided.
    asked: Option<usize>,
    /// Old and new names.
    names: Vec<(String, String)>,
}

impl Forgetting {
    /// Percent of all steps that are calls of a run. Most runs hurry: what he had is still live when he is forgotten.
    pub(super) fn share(&self) -> u64 {
        match self.runs.as_slice() {
            [] => 10,
            [run] if run.hurries => 80,
            _ => 20,
        }
    }

    /// An old name of who is called so, if there is one.
    pub(super) fn old_name(&self, user: &str) -> Option<String> {
        self.names.iter().find(|(_, new)| new == user).map(|(old, _)| old.clone())
    }
}

impl Generator {
    /// The next call of some run, or the first of another one.
    pub(super) fn forget(&mut self, model: &Model) -> Option<Batch> {
        let begun = self.forgetting.runs.len();
        if begun == 0 || begun < RUNS_MAX && self.random.percent(5) {
            self.begin(model);
        }
        let runs = u64::try_from(self.forgetting.runs.len()).unwrap();
        if runs == 0 {
            return None;
        }
        let at = usize::try_from(self.random.below(runs)).unwrap();
        self.forgetting.asked = Some(at);
        let mut run = self.forgetting.runs[at].clone();
        let mode = match run.step {
            Step::Look | Step::LookWallet | Step::Level | Step::LevelWallet => Mode::Look,
            Step::Freeze => Mode::Freeze,
            Step::Forget | Step::ForgetWallet => Mode::Forget,
            Step::Sweep(before) | Step::SweepWallet(before) => Mode::Sweep(before),
        };
        let of_wallet =
            matches!(run.step, Step::LookWallet | Step::Freeze | Step::LevelWallet | Step::ForgetWallet)
                || matches!(run.step, Step::SweepWallet(_));
        run.complete = true;
        let request = if of_wallet {
            self.named_in_wallet(model, &mut run, mode)
        } else {
            self.named_in_concert(model, &mut run, mode)
        };
        self.forgetting.runs[at] = run;
        Some(if of_wallet { Batch::ForgetWallet(request) } else { Batch::Forget(request) })
    }

    fn begin(&mut self, model: &Model) {
        let Some(user) = self.somebody(model) else { return };
        // Seldom one who was forgotten before.
        let user = if is_pseudonym(&user) && self.random.percent(80) { self.user() } else { user };
        // Nobody knows whom it stands for.
        let is_known = !is_anonymous(&user);
        if !is_known || self.forgetting.runs.iter().any(|run| run.user == user || run.pseudonym == user) {
            return;
        }
        let id = UserId::new(&user).unwrap();
        let random = &mut self.random;
        let name = pseudonym(&id, PARTITIONS, || u128::from(random.next()) << 64 | u128::from(random.next()));
        self.forgetting.runs.push(Run {
            user,
            pseudonym: name.to_string(),
            step: Step::Look,
            hurries: self.random.percent(65),
            way: Way::Looks,
            noted: false,
            had: Had::default(),
            had_wallet: Had::default(),
            told_at: None,
            complete: true,
        });
    }

    /// Nothing of it can be paid until he has left.
    pub(super) fn hold_of_one_who_leaves(&mut self, model: &Model) -> Option<(String, u32, String)> {
        let leaves = |user: &String| model.wallets.iter().any(|wallet| wallet.leaving.contains(user));
        let his = model.reservations.iter().filter(|(_, r)| r.is_live(model.now) && leaves(&r.user));
        let his: Vec<_> = his.map(|(id, r)| (id.clone(), r.show, r.user.clone())).collect();
        (!his.is_empty() && self.random.percent(50)).then(|| self.random.pick(&his))
    }

    /// What came of the batch, if it was a call of a run; `model` is as it has left it.
    pub(in crate::model) fn learn(&mut self, batch: &Batch, outcomes: &[String], model: &Model) {
        if let Batch::Forget(request) | Batch::ForgetWallet(request) = batch
            && matches!(request.mode, Mode::Idle(_))
            && outcomes[0].starts_with("forgotten ")
        {
            self.is_somebody_new(&request.user);
        }
        let Some(at) = self.forgetting.asked.take() else { return };
        let mut run = self.forgetting.runs.remove(at);
        let ended = match outcomes[0].as_str() {
            "incomplete" => false,
            "sales_stopped" => {
                run.break_off();
                false
            }
            outcome => self.went_on(&mut run, outcome, model),
        };
        if matches!(run.step, Step::Sweep(_) | Step::SweepWallet(_)) {
            self.is_somebody_new(&run.user);
            // From here on it is what a new user does meanwhile that matters.
            run.hurries = false;
            self.forgetting.names.push((run.user.clone(), run.pseudonym.clone()));
        }
        if ended {
            return;
        }
        // Most often where a second run finds what the first has left.
        if self.random.percent(if matches!(run.step, Step::Sweep(_)) { 25 } else { 6 }) {
            run.break_off();
        }
        self.forgetting.runs.insert(at, run);
    }

    /// Whether it is at its end.
    fn went_on(&mut self, run: &mut Run, outcome: &str, model: &Model) -> bool {
        let wallet = &model.wallets[usize::from(partition(&run.user))];
        let numbers: Vec<i64> = outcome.split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
        run.step = match run.step {
            Step::Look => {
                // All but the last number given in line.
                let nothing = [&numbers[..2], &numbers[3..]].concat().iter().all(|number| *number == 0);
                if nothing && run.way == Way::Looks {
                    run.way = Way::Sweeps;
                }
                Step::LookWallet
            }
            Step::LookWallet => {
                if run.way != Way::Renames && self.random.percent(15) {
                    // Refused: something is live.
                    return true;
                }
                if run.way != Way::Sweeps || numbers[..2] != [0, 0] || numbers[3] != 0 {
                    run.way = Way::Renames;
                }
                run.hurries &= run.way == Way::Renames;
                if run.way == Way::Sweeps { Step::Sweep(model.now) } else { Step::Freeze }
            }
            Step::Freeze if run.noted => Step::LevelWallet,
            Step::Freeze => {
                run.hurries &= self.random.percent(50);
                Step::Level
            }
            Step::Level => Step::Forget,
            Step::Forget => Step::Sweep(model.now),
            Step::Sweep(_) => {
                if run.complete {
                    run.had.check_gone(model, &run.user);
                }
                if run.way == Way::Sweeps {
                    Step::SweepWallet(wallet.now)
                } else if self.random.percent(85) {
                    run.noted = true;
                    Step::LevelWallet
                } else {
                    run.break_off();
                    run.step
                }
            }
            Step::LevelWallet => Step::ForgetWallet,
            // Given again it goes by the time of the first, which the archive tells: a new user may have asked for something since.
            Step::ForgetWallet => Step::SweepWallet(*run.told_at.get_or_insert(wallet.now)),
            Step::SweepWallet(_) => {
                if run.complete {
                    run.had_wallet.check_requests_gone(&wallet.requests);
                }
                if self.random.percent(85) {
                    return true;
                }
                run.break_off();
                run.step
            }
        };
        false
    }

    /// Whoever comes under this id from now on repeats nothing of the old one's.
    fn is_somebody_new(&mut self, user: &str) {
        self.holds.retain(|hold| hold.user != user);
        self.pays.retain(|pay| pay.user != user);
        self.cards.retain(|card| card.user != user);
        self.refunds.retain(|refund| refund.user != user && refund.by != user);
        self.blocks.retain(|block| block.by != user);
        self.charges.retain(|charge| charge.user != user && charge.by != user);
        self.top_ups.retain(|top_up| top_up.user != user);
    }
}

impl Run {
    fn break_off(&mut self) {
        (self.step, self.way) = (Step::Look, Way::Renames);
    }
}
