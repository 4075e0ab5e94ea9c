use parking_lot::Mutex;

/// Connections between the sites of one program, without sockets.
#[derive(Debug, Default)]
pub struct InProcessNetwork {
    state: Mutex<()>,
}

impl InProcessNetwork {
    /// A network without sites.
    pub fn new() -> InProcessNetwork {
        InProcessNetwork::default()
    }
}
