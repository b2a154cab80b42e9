//! The pipeline's budget of requests, as those who send them see it: a TCP connection or an HTTP
//! request takes one credit. Sends nothing itself.

use culvert_flow::tunnel::Tunnel;

/// Whose requests are counted, and against what. Clones are the same budget.
#[derive(Debug, Clone, Default)]
pub struct Requests(Option<Tunnel>);

// === impl Requests ===

impl Requests {
    /// Requests of a pipeline that goes through this tunnel.
    pub fn of(tunnel: Tunnel) -> Self {
        Self(Some(tunnel))
    }

    /// Waits until one may be sent, and counts it. Without a tunnel nothing is counted: that's an
    /// instance which only describes itself.
    pub(crate) async fn spend_one(&self) {
        if let Some(tunnel) = &self.0 {
            tunnel.take_request().await.spend();
        }
    }
}

/// Grants with the same reach are the same grants, whoever counts.
impl PartialEq for Requests {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Requests {}
