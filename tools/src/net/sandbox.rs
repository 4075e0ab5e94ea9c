//! The network of a scenario: its own namespaces, which the kernel removes with the scenario's last
//! process, however that ends.
//!
//! `unshare` gives the scenario a network, a mount and a process namespace. Its network namespace holds
//! one bridge and no way out; each site has a namespace that a veth pair joins to the bridge. The
//! sites' namespaces are named in a `/run` that only this scenario sees. The scenario is the first
//! process of its process namespace, so that all others end with it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;

/// Where sites listen.
const PORT: u16 = 7000;

/// The bridge's own address, for what the scenario itself runs between sites.
const BRIDGE: &str = "10.77.0.254";

/// The programs without which nothing can be done here.
const TOOLS: [&str; 6] = ["unshare", "mount", "ip", "ss", "nft", "env"];

/// What a kernel must allow, in namespaces that end with it.
const TRIAL: &str = "ip link add br0 type bridge && ip link add v1 type veth peer name v2 && \
    nft add table bridge isis";

/// Why scenarios cannot run on this machine, if so.
pub fn lacking() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("namespaces need root".into());
    }
    if let Some(missing) = TOOLS.into_iter().find(|tool| !is_there(tool)) {
        return Some(format!("there is no program {missing}"));
    }
    let mut trial = unshared(Path::new("sh"));
    let error = done(trial.arg("-c").arg(TRIAL)).err()?;
    Some(format!("this machine does not allow it: {error}"))
}

fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// A command that runs another in namespaces of its own, of which it is the first process.
pub fn unshared(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork"])
        .args(["--kill-child=KILL", "--mount-proc", "--"])
        .arg(program);
    command
}

/// The bridge and the sites' namespaces; sites are counted from 1.
pub struct Sandbox {
    sites: usize,
    cuts: BTreeSet<(usize, usize)>,
    /// Packets of a hundred that are lost in each direction.
    loss: u32,
}

impl Sandbox {
    /// Makes them, in the namespaces of this process.
    pub fn new(sites: usize) -> Outcome<Sandbox> {
        // Names in /run and shared memory are this scenario's own.
        tmpfs(Path::new("/run"), "1m")?;
        tmpfs(Path::new("/dev/shm"), "16m")?;
        ip("link add br0 type bridge")?;
        ip(&format!("addr add {BRIDGE}/24 dev br0"))?;
        ip("link set br0 up")?;
        for site in 1..=sites {
            ip(&format!("netns add s{site}"))?;
            ip(&format!(
                "link add v{site} type veth peer name eth0 netns s{site}"
            ))?;
            ip(&format!("link set v{site} master br0 up"))?;
            ip(&format!("-n s{site} addr add 10.77.0.{site}/24 dev eth0"))?;
            ip(&format!("-n s{site} link set eth0 up"))?;
            ip(&format!("-n s{site} link set lo up"))?;
        }
        Ok(Sandbox {
            sites,
            cuts: BTreeSet::new(),
            loss: 0,
        })
    }

    /// How many sites' namespaces there are.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// A command that runs another in a site's namespace, as the same process.
    pub fn command(&self, site: usize) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("s{site}")]);
        command
    }

    /// Drops what these sites send to those.
    pub fn cut(&mut self, from: &[usize], to: &[usize]) -> Outcome<()> {
        let pairs = from.iter().flat_map(|f| to.iter().map(|t| (*f, *t)));
        self.cuts.extend(pairs.filter(|(from, to)| from != to));
        self.apply()
    }

    /// Drops what these sites and those send to each other.
    pub fn part(&mut self, some: &[usize], others: &[usize]) -> Outcome<()> {
        self.cut(some, others)?;
        self.cut(others, some)
    }

    /// Drops so many of a hundred packets, each direction for itself.
    pub fn lose(&mut self, percent: u32) -> Outcome<()> {
        self.loss = percent;
        self.apply()
    }

    /// The network is whole again.
    pub fn heal(&mut self) -> Outcome<()> {
        self.cuts.clear();
        self.loss = 0;
        self.apply()
    }

    fn apply(&self) -> Outcome<()> {
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()?;
        let rules = rules(&self.cuts, self.loss);
        let mut stdin = nft.stdin.take().ok_or("nft has no input")?;
        stdin.write_all(rules.as_bytes())?;
        drop(stdin);
        let status = nft.wait()?;
        status.success().then_some(()).ok_or("nft failed".into())
    }

    /// Ends all of a site's connections, as if a router had forgotten them; how many.
    pub fn kill_connections(&self, site: usize) -> Outcome<usize> {
        let mut ss = self.command(site);
        ss.args(["ss", "-H", "-t", "-n", "-K", "state", "established"]);
        let output = ss.output()?;
        if !output.status.success() {
            return Err(format!("ss: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(output.stdout.iter().filter(|b| **b == b'\n').count())
    }
}

/// The whole table anew, in one transaction.
fn rules(cuts: &BTreeSet<(usize, usize)>, loss: u32) -> String {
    let mut text = String::from(
        "table bridge isis\ndelete table bridge isis\ntable bridge isis {\nchain forward {\n\
         type filter hook forward priority 0; policy accept;\n",
    );
    for (from, to) in cuts {
        text += &format!("iifname \"v{from}\" oifname \"v{to}\" drop\n");
    }
    if loss > 0 {
        text += &format!("numgen random mod 100 < {loss} drop\n");
    }
    text + "}\n}\n"
}

/// Where a site listens.
pub fn address(site: usize) -> String {
    format!("10.77.0.{site}:{PORT}")
}

/// An address in the bridge's namespace, one per site.
pub fn bridge_address(site: usize) -> String {
    format!("{BRIDGE}:{}", PORT as usize + site)
}

/// A file system in memory, so large at most, in this place.
pub fn tmpfs(place: &Path, size: &str) -> Outcome<()> {
    let options = format!("size={size}");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &options, "isis"]);
    done(mount.arg(place))
}

fn ip(arguments: &str) -> Outcome<()> {
    done(Command::new("ip").args(arguments.split(' ')))
}

fn done(command: &mut Command) -> Outcome<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {complaint}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_directions_and_loss() {
        let text = rules(&BTreeSet::from([(1, 5)]), 20);
        assert!(text.contains("iifname \"v1\" oifname \"v5\" drop\n"));
        assert!(!text.contains("iifname \"v5\""));
        assert!(text.contains("mod 100 < 20 drop"));
        assert!(!rules(&BTreeSet::new(), 0).contains("drop"));
    }
}
