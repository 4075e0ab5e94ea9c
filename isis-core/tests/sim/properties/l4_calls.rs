//! L4: at rest every call has returned or got an error, and the endpoint keeps nothing (L3).

/// What an application and its endpoint have open.
#[derive(Debug, Default)]
pub struct Calls {
    /// Events that the application has not taken.
    pub events: usize,
    /// An operation that is not completed, in words.
    pub operation: Option<String>,
    pub statuses: usize,
    /// A send was refused and no `Writable` came.
    pub waits_for_room: bool,
    pub blocked: bool,
    /// Messages and bytes in its window.
    pub window: (usize, usize),
    /// Ids in its past.
    pub past: usize,
}

pub fn check(calls: &Calls) -> Result<(), String> {
    match calls {
        Calls { events: 1.., .. } => Err(format!("{} events are not taken", calls.events)),
        Calls {
            operation: Some(what),
            ..
        } => Err(format!("L2, L4: {what} is not completed")),
        Calls { statuses: 1.., .. } => Err("L4: a status is not answered".into()),
        Calls {
            waits_for_room: true,
            ..
        } => Err("L4: no Writable came".into()),
        Calls { blocked: true, .. } => Err("L2: it is blocked".into()),
        Calls { window, .. } if *window != (0, 0) => {
            Err(format!("L3: its window holds {window:?}"))
        }
        Calls { past: 1.., .. } => Err(format!("L3: its past holds {}", calls.past)),
        _ => Ok(()),
    }
}

#[test]
fn rejects_calls_without_an_answer() {
    let calls = Calls::default;
    assert_eq!(check(&calls()), Ok(()));
    for open in [
        Calls {
            events: 1,
            ..calls()
        },
        Calls {
            operation: Some("a flush".into()),
            ..calls()
        },
        Calls {
            statuses: 1,
            ..calls()
        },
        Calls {
            waits_for_room: true,
            ..calls()
        },
        Calls {
            blocked: true,
            ..calls()
        },
        Calls {
            window: (1, 8),
            ..calls()
        },
        Calls { past: 1, ..calls() },
    ] {
        assert!(check(&open).is_err(), "{open:?}");
    }
}
