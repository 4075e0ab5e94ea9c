//! The configuration of a site.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::str::FromStr;
use core::time::Duration;

use crate::error::Error;
use crate::ids::{Epoch, MAX_SITES, SiteId};
use crate::order::Comparison;

/// A cluster's name is at most this many bytes.
const MAX_CLUSTER: usize = 255;

/// The name of a host is at most this many bytes (RFC 1035).
const MAX_HOST: usize = 253;

/// The most that any frame's length field and the link's reassembly allow for.
const MAX_MESSAGE: usize = 1 << 30;

/// All words of the configuration text.
const WORDS: &str = "id, cluster, listen, advertise, peer, quorum, first_view, store, \
    abandon, insecure, hello_interval_ms, suspect_after_ms, max_message, window_messages, \
    window_bytes, along_bytes, patience_ms, record";

/// What a new view needs (§4.2, R5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quorum {
    /// A majority of the previous view, or exactly half with its oldest site.
    #[default]
    Majority,
    /// The report's assumption that the network never partitions: all of the new view must
    /// acknowledge; both sides of a cut go on.
    None,
}

/// Who must take part in the first view (R2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirstView {
    /// Every listed site.
    #[default]
    All,
    /// A majority, at the operator's risk: after a cut, restarted sites without stores can found a
    /// second system.
    Majority,
    /// This site alone (`bootstrap`), at the operator's risk.
    Alone,
}

/// Everything a site is told when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This site's number, 1 or more.
    pub id: SiteId,
    /// The cluster's name; sites of different names refuse each other.
    pub cluster: String,
    /// Where to listen, `host:port`; port 0 picks one.
    pub listen: String,
    /// What the peers are told to connect to; the listen address if empty.
    pub advertise: String,
    /// The other listed sites and their addresses.
    pub peers: BTreeMap<SiteId, String>,
    /// What a new view needs.
    pub quorum: Quorum,
    /// Who must take part in the first view.
    pub first_view: FirstView,
    /// The directory of the site's store; none if empty. What the site votes and which views were
    /// committed is on disk there before anybody hears of it, so that a restarted site goes on from it
    /// (§4.2). One directory belongs to one site. It must not be emptied, copied, or put back from a
    /// backup while other sites of the cluster live.
    pub store: String,
    /// The operator's word that this sequence of site views is over: the site starts as if it had never
    /// been in it. To be said of a total failure when the sites that failed last, which the log names
    /// with the sequence, are lost for good. If one of them still runs, there are two systems.
    pub abandon: Option<Epoch>,
    /// Allows listening outside loopback without a key.
    pub insecure: bool,
    /// How often an idle link says hello (§4.1).
    pub hello_interval: Duration,
    /// The least silence after which a site is suspected; the link adapts it upwards.
    pub suspect_after: Duration,
    /// The largest message accepted, in bytes.
    pub max_message: usize,
    /// How many broadcasts of one process may be undelivered somewhere before it must wait.
    pub window_messages: usize,
    /// The same in bytes.
    pub window_bytes: usize,
    /// Up to this size the body of an OBCAST goes along with what it precedes to sites that are no
    /// destinations of it (§4.3.2); a larger one holds that instead.
    pub along_bytes: usize,
    /// How long an OBCAST is held for a larger one before that goes along all the same, and how long one
    /// that does not come is awaited before it is asked for: a few round trips.
    pub patience: Duration,
    /// The folder in which a history of the site is recorded, for `isis audit`; empty for none, unless
    /// the environment variable ISIS_RECORD names one.
    pub record: String,
    /// The order of olabels (§3.2): a comparison of the application's, or streams and sets of streams.
    /// Sites with another registration are refused.
    pub olabels: Option<Comparison>,
}

impl Config {
    /// The defaults for a site with this id.
    pub fn new(id: SiteId) -> Config {
        Config {
            id,
            cluster: String::from("isis"),
            listen: String::from("127.0.0.1:0"),
            advertise: String::new(),
            peers: BTreeMap::new(),
            quorum: Quorum::default(),
            first_view: FirstView::default(),
            store: String::new(),
            abandon: None,
            insecure: false,
            hello_interval: Duration::from_millis(250),
            suspect_after: Duration::from_millis(2000),
            max_message: 64 << 20,
            window_messages: 4096,
            window_bytes: 128 << 20,
            along_bytes: 16 << 10,
            patience: Duration::from_millis(100),
            record: String::new(),
            olabels: None,
        }
    }

    /// Reads `id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002 ...`: words in any order, between
    /// blanks; `peer` as often as there are peers. The words are the names of the fields; times end
    /// in `_ms`. The result is validated.
    pub fn from_text(text: &str) -> Result<Config, Error> {
        let mut config = Config::new(SiteId(0));
        let mut seen = BTreeSet::new();
        for word in text.split_whitespace() {
            let word = Word::split(word)?;
            if word.key != "peer" && !seen.insert(word.key) {
                return Err(invalid(format!("{}= comes twice", word.key)));
            }
            config.set(&word)?;
        }
        if !seen.contains("id") {
            return Err(invalid(String::from("id= is missing: this site's number")));
        }
        config.validate()?;
        Ok(config)
    }

    fn set(&mut self, word: &Word<'_>) -> Result<(), Error> {
        match word.key {
            "id" => self.id = SiteId(word.number()?),
            "cluster" => self.cluster = String::from(word.value),
            "listen" => self.listen = String::from(word.value),
            "advertise" => self.advertise = String::from(word.value),
            "peer" => {
                let (id, address) = word.peer()?;
                if self.peers.insert(id, address).is_some() {
                    return Err(invalid(format!("peer {id} is listed twice")));
                }
            }
            "quorum" => {
                let choices = [("majority", Quorum::Majority), ("none", Quorum::None)];
                self.quorum = word.choice(&choices)?;
            }
            "first_view" => {
                self.first_view = word.choice(&[
                    ("all", FirstView::All),
                    ("majority", FirstView::Majority),
                    ("alone", FirstView::Alone),
                ])?;
            }
            "store" => self.store = String::from(word.value),
            "abandon" => self.abandon = Some(word.epoch()?),
            "insecure" => self.insecure = word.choice(&[("yes", true), ("no", false)])?,
            "hello_interval_ms" => self.hello_interval = word.millis()?,
            "suspect_after_ms" => self.suspect_after = word.millis()?,
            "max_message" => self.max_message = word.number()?,
            "window_messages" => self.window_messages = word.number()?,
            "window_bytes" => self.window_bytes = word.number()?,
            "along_bytes" => self.along_bytes = word.number()?,
            "patience_ms" => self.patience = word.millis()?,
            "record" => self.record = String::from(word.value),
            unknown => {
                return Err(invalid(format!(
                    "unknown word {unknown:?}; known are {WORDS}"
                )));
            }
        }
        Ok(())
    }

    /// Whether a site can be opened with it; the error names the field and what was expected.
    pub fn validate(&self) -> Result<(), Error> {
        if self.cluster.is_empty() || self.cluster.len() > MAX_CLUSTER {
            return Err(invalid(format!(
                "cluster: expected 1 to {MAX_CLUSTER} bytes"
            )));
        }
        let order = self.olabels.as_ref().map(Comparison::name);
        if order.is_some_and(|name| name.is_empty() || name.len() > MAX_CLUSTER) {
            return Err(invalid(format!(
                "name of the comparison of olabels: expected 1 to {MAX_CLUSTER} bytes"
            )));
        }
        check_address("listen", &self.listen, true)?;
        if !self.advertise.is_empty() {
            check_address("advertise", &self.advertise, false)?;
        }
        self.validate_peers()?;
        self.validate_times()?;
        for (what, value, most) in [
            ("max_message", self.max_message, MAX_MESSAGE),
            ("window_messages", self.window_messages, 1 << 24),
            ("window_bytes", self.window_bytes, usize::MAX / 2),
        ] {
            if value == 0 || value > most {
                return Err(invalid(format!("{what}={value}: expected 1 to {most}")));
            }
        }
        Ok(())
    }

    fn validate_peers(&self) -> Result<(), Error> {
        // 0 is what an option has that nobody has set.
        if self.id.0 == 0 || self.peers.contains_key(&SiteId(0)) {
            let which = if self.id.0 == 0 { "id=0" } else { "peer=0@..." };
            return Err(invalid(format!("{which}: sites have numbers from 1 on")));
        }
        if self.peers.contains_key(&self.id) {
            return Err(invalid(format!(
                "peer {0} has this site's own id {0}: list only the others",
                self.id
            )));
        }
        if self.peers.len() >= MAX_SITES {
            return Err(invalid(format!("more than {} peers", MAX_SITES - 1)));
        }
        for address in self.peers.values() {
            check_address("peer", address, false)?;
        }
        Ok(())
    }

    fn validate_times(&self) -> Result<(), Error> {
        if self.hello_interval < Duration::from_millis(1) {
            return Err(invalid(String::from(
                "hello_interval: expected at least 1 ms",
            )));
        }
        if self.suspect_after < self.hello_interval * 2 {
            return Err(invalid(String::from(
                "suspect_after: expected at least twice hello_interval, or a late hello is silence",
            )));
        }
        Ok(())
    }
}

/// A word of the configuration text and what follows it.
struct Word<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'a> Word<'a> {
    fn split(word: &'a str) -> Result<Word<'a>, Error> {
        match word.split_once('=') {
            Some((key, value)) if !value.is_empty() => Ok(Word { key, value }),
            Some((key, _)) => Err(invalid(format!("{key}= has no value"))),
            None => Err(invalid(format!("{word:?} is not of the form word=value"))),
        }
    }

    fn expected(&self, what: &str) -> Error {
        invalid(format!("{}={:?}: expected {what}", self.key, self.value))
    }

    fn number<T: FromStr>(&self) -> Result<T, Error> {
        self.value.parse().map_err(|_| self.expected("a number"))
    }

    fn millis(&self) -> Result<Duration, Error> {
        Ok(Duration::from_millis(u64::from(self.number::<u32>()?)))
    }

    fn epoch(&self) -> Result<Epoch, Error> {
        let epoch = Epoch::parse(self.value);
        epoch.ok_or_else(|| self.expected("the 32 hexadecimal digits that the log names"))
    }

    fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Error> {
        for (name, choice) in choices {
            if *name == self.value {
                return Ok(*choice);
            }
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Err(self.expected(&format!("one of {}", names.join(", "))))
    }

    /// `id@host:port`.
    fn peer(&self) -> Result<(SiteId, String), Error> {
        let expected = || self.expected("id@host:port");
        let (id, address) = self.value.split_once('@').ok_or_else(expected)?;
        let id = id.parse().map_err(|_| expected())?;
        Ok((SiteId(id), String::from(address)))
    }
}

fn invalid(text: String) -> Error {
    Error::Invalid(text)
}

/// `host:port`, `[v6]:port`; the name of a host is not looked up here.
fn check_address(what: &str, address: &str, may_be_zero: bool) -> Result<(), Error> {
    let expected =
        |expected: &str| Err(invalid(format!("{what}={address:?}: expected {expected}")));
    let Some((host, port)) = address.rsplit_once(':') else {
        return expected("host:port");
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let good_host = match bracketed {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None if host.contains(':') => return expected("brackets around an IPv6 address"),
        None => !host.is_empty() && host.len() <= MAX_HOST && host.chars().all(is_host_char),
    };
    if !good_host {
        return expected("a host name or an IP address before the port");
    }
    match port.parse::<u16>() {
        Ok(0) if !may_be_zero => expected("a port from 1 to 65535"),
        Ok(_) => Ok(()),
        Err(_) => expected("a port from 0 to 65535"),
    }
}

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_word_is_read() {
        let config = Config::from_text(
            "id=1 cluster=x listen=[::1]:0 advertise=host-1.example:7001 peer=2@127.0.0.1:7002
             peer=3@[::1]:7003 quorum=none first_view=majority store=/var/lib/x
             abandon=0123456789abcdef0123456789ABCDEF insecure=yes hello_interval_ms=10
             suspect_after_ms=100 max_message=5 window_messages=6 window_bytes=7 along_bytes=0
             patience_ms=9 record=a/b",
        )
        .unwrap();
        let expected = Config {
            id: SiteId(1),
            cluster: "x".into(),
            listen: "[::1]:0".into(),
            advertise: "host-1.example:7001".into(),
            peers: [
                (SiteId(2), "127.0.0.1:7002".into()),
                (SiteId(3), "[::1]:7003".into()),
            ]
            .into(),
            quorum: Quorum::None,
            first_view: FirstView::Majority,
            store: "/var/lib/x".into(),
            abandon: Some(Epoch(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
            insecure: true,
            hello_interval: Duration::from_millis(10),
            suspect_after: Duration::from_millis(100),
            max_message: 5,
            window_messages: 6,
            window_bytes: 7,
            along_bytes: 0,
            patience: Duration::from_millis(9),
            record: "a/b".into(),
            olabels: None,
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn the_rest_has_defaults() {
        assert_eq!(Config::from_text("id=9"), Ok(Config::new(SiteId(9))));
        assert_eq!(Config::new(SiteId(9)).validate(), Ok(()));
    }

    /// The error of a bad text names the culprit and what was expected.
    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("", &["id= is missing"][..]),
            ("id=x", &["id=", "\"x\"", "a number"]),
            ("id=-1", &["a number"]),
            ("id=0", &["id=0", "from 1 on"]),
            ("id=1 peer=0@h:1", &["peer=0@", "from 1 on"]),
            ("id=1 id=2", &["id= comes twice"]),
            (
                "id=1 lisen=127.0.0.1:1",
                &["unknown word \"lisen\"", "listen"],
            ),
            ("id=1 127.0.0.1:1", &["word=value"]),
            ("id=1 listen=", &["listen= has no value"]),
            ("id=1 peer=127.0.0.1:1", &["peer=", "id@host:port"]),
            ("id=1 peer=two@127.0.0.1:1", &["id@host:port"]),
            ("id=1 peer=2@h:1 peer=2@h:2", &["peer 2 is listed twice"]),
            ("id=1 peer=1@h:1", &["own id 1"]),
            ("id=1 peer=2@h:0", &["peer=", "from 1 to 65535"]),
            ("id=1 peer=2@h:70000", &["peer=", "from 0 to 65535"]),
            ("id=1 peer=2@h", &["peer=", "host:port"]),
            ("id=1 peer=2@:1", &["host name"]),
            ("id=1 peer=2@a@b:1", &["host name"]),
            ("id=1 listen=::1:7001", &["brackets"]),
            ("id=1 listen=[::g]:7001", &["IP address"]),
            ("id=1 advertise=h:0", &["advertise=", "from 1"]),
            ("id=1 quorum=half", &["quorum=", "majority, none"]),
            (
                "id=1 first_view=any",
                &["first_view=", "all, majority, alone"],
            ),
            ("id=1 abandon=yes", &["abandon=", "32 hexadecimal"]),
            (
                "id=1 abandon=+123456789abcdef0123456789abcdef",
                &["abandon="],
            ),
            ("id=1 insecure=true", &["insecure=", "yes, no"]),
            ("id=1 hello_interval_ms=0", &["hello_interval", "1 ms"]),
            ("id=1 suspect_after_ms=300", &["suspect_after", "twice"]),
            ("id=1 max_message=0", &["max_message=0", "1 to"]),
            (
                "id=1 window_messages=1e3",
                &["window_messages=", "a number"],
            ),
        ] {
            let error = Config::from_text(text).unwrap_err();
            assert!(matches!(error, Error::Invalid(_)), "{text}: {error:?}");
            for word in words {
                let shown = error.to_string();
                assert!(shown.contains(word), "{text}: {shown:?} lacks {word:?}");
            }
        }
        let long = "x".repeat(MAX_CLUSTER + 1);
        let error = Config::from_text(&format!("id=1 cluster={long}")).unwrap_err();
        assert!(error.to_string().contains("cluster"));
    }
}
