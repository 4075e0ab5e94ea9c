//! A wide-area link in user space, for kernels without one of their own: relays of connections that
//! deliver late.
//!
//! What is lost and what comes out of order between two sites is mended by TCP before they see it, so
//! here is modelled what TCP makes of it. Each direction of a connection is late by 15 to 25 ms, drawn
//! anew ten times a second: round trips of 40 ± 10 ms. Of a hundred thousand segments of 1448 bytes,
//! 500 are lost. Whatever is behind a lost one waits with it: for one round trip if others have gone out
//! in the round trip before, whose acknowledgements tell of the loss (fast retransmission), else for
//! the two after which the sender probes (tail loss probe, RFC 8985). TCP would also narrow its
//! congestion window; at this loss it would stay above 15 segments, and the scenario's load needs fewer
//! in a round trip.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The mean round trip.
pub const ROUND_TRIP: Duration = Duration::from_millis(40);

const LEAST_MICROS: u64 = 15_000;
const SPREAD_MICROS: u64 = 10_000;
const REDRAWN: Duration = Duration::from_millis(100);
const SEGMENT: usize = 1448;
const LOST_OF_1000: u64 = 5;

/// Relays connections to `listen` to `target`, as long as this process lives.
pub fn relay(listen: &str, target: String) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    thread::spawn(move || {
        let mut seed = listener.local_addr().map_or(0, |a| u64::from(a.port()));
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else {
                continue; // the client is told by the end of its connection
            };
            for (from, to) in [(&client, &server), (&server, &client)] {
                if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                    seed += 1 << 32;
                    late(from, to, Link::new(seed));
                }
            }
        }
    });
    Ok(())
}

/// Carries one direction.
fn late(mut from: TcpStream, to: TcpStream, mut link: Link) {
    let (sender, receiver) = channel();
    let _ = to.set_nodelay(true);
    thread::spawn(move || deliver(to, &receiver));
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let due = link.due(Instant::now(), length.div_ceil(SEGMENT));
            if sender.send((due, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn deliver(mut to: TcpStream, chunks: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in chunks {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other end may be gone already.
    let _ = to.shutdown(Shutdown::Both);
}

/// The delays of one direction.
struct Link {
    state: u64,
    delay: Duration,
    redraw: Option<Instant>,
    last_due: Option<Instant>,
    /// When segments went out in the last round trip.
    recent: VecDeque<Instant>,
}

impl Link {
    fn new(seed: u64) -> Link {
        Link {
            state: seed,
            delay: Duration::ZERO,
            redraw: None,
            last_due: None,
            recent: VecDeque::new(),
        }
    }

    /// When what is sent now, in so many segments, is there.
    fn due(&mut self, now: Instant, segments: usize) -> Instant {
        if self.redraw.is_none_or(|then| now >= then) {
            self.delay = Duration::from_micros(LEAST_MICROS + self.draw() % (SPREAD_MICROS + 1));
            self.redraw = Some(now + REDRAWN);
        }
        while self.recent.front().is_some_and(|t| *t + ROUND_TRIP < now) {
            self.recent.pop_front();
        }
        let mut due = now + self.delay;
        for _ in 0..segments {
            if self.draw() % 1000 < LOST_OF_1000 {
                let trips = if self.recent.len() >= 3 { 1 } else { 2 };
                due = due.max(now + self.delay + trips * ROUND_TRIP);
            }
            self.recent.push_back(now);
        }
        due = self.last_due.map_or(due, |last| due.max(last));
        self.last_due = Some(due);
        due
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_keep_the_order_and_their_bounds() {
        let mut link = Link::new(7);
        let begin = Instant::now();
        let mut stalled = 0;
        let mut last = begin;
        for step in 0..20_000 {
            let now = begin + Duration::from_millis(step);
            let due = link.due(now, 1);
            assert!(due >= last, "out of order");
            let late = due - now;
            assert!(late >= Duration::from_micros(LEAST_MICROS));
            assert!(late <= Duration::from_millis(25) + 2 * ROUND_TRIP);
            stalled += u32::from(late > Duration::from_millis(25));
            last = due;
        }
        // 100 are lost, each of which holds up those of 40 ms.
        assert!((1000..8000).contains(&stalled), "{stalled}");
    }
}
