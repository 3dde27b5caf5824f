//! One call of a script as a test puts it: the verb, what it is about, its requests.

/// The concert of all tests.
pub(crate) const CONCERT: &str = "c7";

/// The log id of each log, whatever its name.
pub(crate) const LOG_ID: &str = "00000000000000aa";

const CONCERT_KEYS: [&str; 15] = [
    "meta",
    "policy",
    "log",
    "queue",
    "active",
    "place",
    "unclaimed",
    "res",
    "expiry",
    "pending",
    "idem",
    "idem_end",
    "idem_user",
    "ended",
    "cards",
];
const SHOW_KEYS: [&str; 3] = ["seats", "holder", "owned"];
const WALLET_KEYS: [&str; 6] = ["meta", "log", "balances", "idem", "idem_end", "idem_user"];

/// What the server has seen of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) log_id: String,
    pub(crate) number: u64,
    pub(crate) mark: String,
    pub(crate) check: bool,
}

/// What stands behind the head of a call.
#[derive(Clone, Debug)]
enum Tail {
    /// A count and that many requests.
    Requests(Vec<Vec<String>>),
    /// Arguments as they are.
    Arguments(Vec<String>),
}

/// A call. What has been seen of its logs is what they hold, unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    concert: bool,
    shows: Vec<u32>,
    wallets: Option<Vec<String>>,
    top_ups: bool,
    tail: Tail,
    seen: Option<(String, Seen)>,
}

fn owned(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

impl Call {
    /// A verb of the concert that takes a list of requests.
    pub(crate) fn batch(verb: &'static str, requests: &[&[&str]]) -> Self {
        let tail = Tail::Requests(requests.iter().map(|fields| owned(fields)).collect());
        Self { verb, concert: true, shows: Vec::new(), wallets: None, top_ups: false, tail, seen: None }
    }

    /// A verb of the concert that takes these arguments.
    pub(crate) fn one(verb: &'static str, arguments: &[&str]) -> Self {
        let tail = Tail::Arguments(owned(arguments));
        Self { verb, concert: true, shows: Vec::new(), wallets: None, top_ups: false, tail, seen: None }
    }

    /// With the keys of these shows.
    pub(crate) fn shows(self, shows: &[u32]) -> Self {
        Self { shows: shows.to_vec(), ..self }
    }

    /// With these wallet partitions.
    pub(crate) fn wallets(self, partitions: &[u8]) -> Self {
        let names = partitions.iter().map(|partition| format!("w{partition:02}"));
        Self { wallets: Some(names.collect()), ..self }
    }

    /// About wallets only: `charge`, `tidy_wallet`.
    pub(crate) fn without_concert(self) -> Self {
        Self { concert: false, ..self }
    }

    /// With the open top-ups of its partitions.
    pub(crate) fn top_ups(self) -> Self {
        Self { top_ups: true, ..self }
    }

    /// The server has seen this of the log `c7`, `w00`, ….
    pub(crate) fn seen(self, log: &str, seen: Seen) -> Self {
        Self { seen: Some((log.to_owned(), seen)), ..self }
    }

    /// How many requests it carries.
    pub(crate) fn len(&self) -> usize {
        match &self.tail {
            Tail::Requests(requests) => requests.len(),
            Tail::Arguments(_) => 1,
        }
    }

    /// The same call without the request at `at`.
    pub(crate) fn without(&self, at: usize) -> Self {
        let mut call = self.clone();
        match &mut call.tail {
            Tail::Requests(requests) => drop(requests.remove(at)),
            Tail::Arguments(_) => panic!("{} takes no requests", self.verb),
        }
        call
    }

    /// The logs it is about.
    pub(crate) fn logs(&self) -> Vec<String> {
        let concert = self.concert.then(|| CONCERT.to_owned());
        concert.into_iter().chain(self.wallets.iter().flatten().cloned()).collect()
    }

    /// KEYS.
    pub(crate) fn keys(&self) -> Vec<String> {
        if self.verb == "trim" {
            return vec!["{c7}:meta".to_owned(), "{c7}:log".to_owned()];
        }
        let mut keys = Vec::new();
        if self.concert {
            keys.extend(CONCERT_KEYS.iter().map(|name| format!("{{c7}}:{name}")));
            for show in &self.shows {
                keys.extend(SHOW_KEYS.iter().map(|name| format!("{{c7}}:{name}:{show}")));
            }
        }
        for wallet in self.wallets.iter().flatten() {
            keys.extend(WALLET_KEYS.iter().map(|name| format!("{{{wallet}}}:{name}")));
        }
        let top_ups = self.wallets.iter().flatten().filter(|_| self.top_ups);
        keys.extend(top_ups.map(|wallet| format!("{{{wallet}}}:top_ups")));
        keys
    }

    /// ARGV; `known` tells what each log holds.
    pub(crate) fn arguments(&self, mark: &str, known: impl Fn(&str) -> Seen) -> Vec<String> {
        let seen = |log: &str| {
            let told = self.seen.as_ref().filter(|(of, _)| of == log);
            let seen = told.map_or_else(|| known(log), |(_, seen)| seen.clone());
            [seen.log_id, seen.number.to_string(), seen.mark, u8::from(seen.check).to_string()]
        };
        let mut arguments = Vec::new();
        if self.verb != "trim" {
            arguments.push(mark.to_owned());
        }
        if self.concert {
            arguments.extend(seen(CONCERT));
        }
        if self.concert && self.verb != "trim" {
            arguments.push(self.shows.len().to_string());
            arguments.extend(self.shows.iter().map(u32::to_string));
        }
        if let Some(wallets) = &self.wallets {
            arguments.push(wallets.len().to_string());
            for wallet in wallets {
                arguments.push(wallet.clone());
                arguments.extend(seen(wallet));
            }
        }
        match &self.tail {
            Tail::Requests(requests) => {
                arguments.push(requests.len().to_string());
                arguments.extend(requests.iter().flatten().cloned());
            }
            Tail::Arguments(rest) => arguments.extend(rest.iter().cloned()),
        }
        arguments
    }
}
