//! L2: at rest every site that lives has carried out the view that holds exactly the living (M9), and
//! waits for nothing; while it waits, it can say for what.

use std::collections::BTreeSet;

use isis_core::ids::Site;

/// How far a site has come.
pub struct Standing {
    pub site: Site,
    /// It asked to leave and is not out.
    pub leaving: bool,
    /// It is the last founding site of its view, which stays until it is alone (R5).
    pub must_stay: bool,
    /// The number and the members of its view.
    pub view: Option<(u64, BTreeSet<Site>)>,
    /// The last view that its broadcast machine has applied.
    pub applied: Option<u64>,
    /// What its machines wait for.
    pub pending: Vec<String>,
    pub linked: String,
}

pub fn check(standing: &Standing, living: &BTreeSet<Site>) -> Vec<String> {
    let Standing { site, linked, .. } = standing;
    let mut reasons: Vec<String> = standing
        .pending
        .iter()
        .map(|what| format!("L2: site {site}: {what}"))
        .collect();
    if standing.leaving && !standing.must_stay {
        reasons.push(format!("L2: site {site} asked to leave and has not"));
        return reasons;
    }
    let Some((number, members)) = &standing.view else {
        reasons.push(format!("L2: site {site} is in no view; linked to {linked}"));
        return reasons;
    };
    if members != living {
        reasons.push(format!(
            "M9: site {site} is in view {number} of {}, not {}; linked to {linked}",
            names(members.iter().copied()),
            names(living.iter().copied()),
        ));
    }
    if standing.applied != Some(*number) {
        let applied = standing.applied;
        reasons.push(format!(
            "L2: site {site} has applied view {applied:?} of {number}"
        ));
    }
    reasons
}

/// Sites, for messages.
pub fn names(sites: impl Iterator<Item = Site>) -> String {
    let names: Vec<String> = sites.map(|s| s.to_string()).collect();
    format!("[{}]", names.join(" "))
}

#[test]
fn rejects_sites_that_stand_still() {
    use super::example::process;
    let (site, other) = (process(0).site, process(1).site);
    let living = BTreeSet::from([site, other]);
    let standing = || Standing {
        site,
        leaving: false,
        must_stay: false,
        view: Some((2, living.clone())),
        applied: Some(2),
        pending: Vec::new(),
        linked: String::new(),
    };
    let rejects = |s: Standing| !check(&s, &living).is_empty();
    assert!(!rejects(standing()));
    let leaving = || Standing {
        leaving: true,
        ..standing()
    };
    assert!(rejects(leaving()));
    assert!(!rejects(Standing {
        must_stay: true,
        ..leaving()
    }));
    assert!(rejects(Standing {
        view: None,
        ..standing()
    }));
    assert!(rejects(Standing {
        view: Some((2, BTreeSet::from([site]))),
        ..standing()
    }));
    assert!(rejects(Standing {
        applied: Some(1),
        ..standing()
    }));
    assert!(rejects(Standing {
        pending: vec!["a join".into()],
        ..standing()
    }));
}
