//! The pump and the sink's call side by side, and which of two errors is the cause. Gives a sink
//! time to clean up behind itself, and no more than that.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{sleep, timeout};

use super::Failure;
use crate::{
    body::BodyWriter,
    error::{Code, Error},
    hash::Hasher,
    object::Checksums,
    pump::{Broken, Onward, Order, Pumped, pump},
    source::Data,
    sync::Cancel,
};

/// How long a sink's call may go on once the run is stopped: enough to remove a temporary file, and
/// twice this is within the 5 s in which a stopped engine must be gone.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long a sink may take to clean up after a body that ended early while the run goes on.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// Drives both until the sink has everything. What was read must agree with what the source knows
/// before the sink hears that it's whole. The sink's error wins where the sink ended first, otherwise
/// the source's.
pub(super) async fn carry<D: Data, T>(
    mut data: D,
    mut body: BodyWriter,
    hasher: Hasher,
    order: &Order<'_>,
    agrees: impl FnOnce(&Checksums) -> Result<(), Error>,
    writing: impl Future<Output = Result<T, Error>>,
    stop: &Cancel,
) -> Result<(Pumped, T), Failure> {
    let mut writing = pin!(writing);
    let mut written = None;
    let pumped = {
        let mut pumping = pin!(pump(&mut data, Onward::Body(&mut body), hasher, order));
        loop {
            tokio::select! {
                biased;
                pumped = &mut pumping => break pumped,
                early = &mut writing, if written.is_none() => match early {
                    Ok(value) => written = Some(value),
                    Err(error) => return Err(Failure::sink(error)),
                },
                () = stop.cancelled() => break Err(Error::new(Code::CANCELLED, "read", "the run was stopped").into()),
            }
        }
    };
    drop(data);
    let pumped = pumped.and_then(|pumped| agrees(&pumped.checksums).map(|()| pumped).map_err(Broken::Source));
    // The patience with a sink that knows how the body ended: none other than the host's own limits
    // where it has everything.
    let mut delivery = None;
    let patience = match &pumped {
        Ok(pumped) => {
            delivery = Some(body.finish(Ok(pumped.checksums.clone())));
            None
        }
        Err(Broken::Source(error)) => {
            body.finish(Err(error.clone()));
            Some(CLEAN_UP)
        }
        Err(Broken::SinkGone) => {
            drop(body);
            Some(CLEAN_UP)
        }
    };
    let ended = match written {
        Some(value) => Some(Ok(value)),
        None => settle(stop, patience, writing).await,
    };
    match (pumped, ended) {
        // It may have stored as many bytes as there are, but not these.
        (Ok(_), Some(Ok(_))) if delivery.is_some_and(|delivery| !delivery.is_complete()) => {
            let message = "the sink says that it's done, but didn't take all bytes";
            Err(Failure { left_corrupt: true, ..Error::new(Code::PROTOCOL, "put", message).into() })
        }
        (Ok(pumped), Some(Ok(value))) => Ok((pumped, value)),
        (Ok(_), Some(Err(error))) => Err(Failure::sink(error)),
        // One that only repeats that the transfer was given up doesn't know the cause.
        (Err(Broken::SinkGone), Some(Err(error))) if error.code != Code::CANCELLED => Err(Failure::sink(error)),
        (Ok(_), None) => Err(Failure::abandoned()),
        (Err(Broken::Source(error)), ended) => Err(Failure { sink_lost: lost(ended), ..Failure::source(error) }),
        (Err(Broken::SinkGone), ended) => {
            let message = "the sink stopped taking bytes without saying why";
            let failure = Failure::from(Error::new(Code::PROTOCOL, "put", message));
            Err(Failure { sink_lost: lost(ended), ..failure })
        }
    }
}

/// The future's value; none if it takes longer than `patience`, or than [`GRACE`] once the run is
/// stopped. It's dropped where it stands then.
pub(crate) async fn settle<T>(stop: &Cancel, patience: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    tokio::select! {
        biased;
        value = &mut future => return Some(value),
        () = stop.cancelled() => {}
        () = sleep(patience.unwrap_or_default()), if patience.is_some() => return None,
    }
    timeout(GRACE, future).await.ok()
}

/// Whether a sink's call that had to end early took the instance with it.
fn lost<T>(ended: Option<Result<T, Error>>) -> bool {
    match ended {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => error.instance_lost,
    }
}
