//! Reads an object back from the sink and holds it against what was sent. Every byte takes credit from
//! the tunnel as on its way there. Tries once, and deletes nothing.

use super::{Failure, Gauge, Grade, Moved, Terms};
use crate::{
    error::{Code, Error},
    hash::Hasher,
    object::{Algorithm, Checksums, Key, Range},
    pump::{Broken, Onward, Order, pump},
    source::{Form, Reading, Source},
    sync::Cancel,
    tunnel::Tunnel,
};

/// Proves an object that was just moved by the sink's own bytes.
pub(crate) async fn reread<R: Source>(
    sink: &mut R,
    key: &Key,
    moved: &Moved,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Grade, Failure> {
    let Some((algorithm, ours)) = moved.checksums.iter().next() else {
        let message = "nothing was computed over the source's bytes to hold the sink's against";
        return Err(Error::new(Code::INTERNAL, "verify", message).into());
    };
    let (bytes, theirs) = read_back(sink, key, &[*algorithm], &terms.tunnel, &terms.stop, gauge).await?;
    let message = if bytes != moved.bytes {
        format!("read back, the sink has {bytes} of {} bytes", moved.bytes)
    } else if theirs.get(algorithm) != Some(ours) {
        format!("read back, the sink's {} isn't that of the source's bytes", algorithm.as_str())
    } else {
        return Ok(Grade::Reread(*algorithm));
    };
    Err(Failure::unverified(Error::new(Code::CHECKSUM_MISMATCH, "verify", message)))
}

/// Reads an object to its end and computes what is asked for. Failures are the store's that is read.
pub(crate) async fn read_back<R: Source>(
    store: &mut R,
    key: &Key,
    algorithms: &[Algorithm],
    tunnel: &Tunnel,
    stop: &Cancel,
    gauge: Gauge<'_>,
) -> Result<(u64, Checksums), Failure> {
    gauge.slot.restart();
    let reading = store.read(key, Range { offset: 0, length: None }, None);
    let Reading { object, mut data } = stop.or(reading).await?.map_err(Failure::source)?;
    let order =
        Order { tunnel, announced: object.size, most: None, form: Form::Bytes, meter: gauge.meter, slot: gauge.slot };
    let hasher = Hasher::new(algorithms.iter().copied());
    match stop.or(pump(&mut data, Onward::Nowhere, hasher, &order)).await? {
        Ok(drained) => Ok((drained.bytes, drained.checksums)),
        Err(Broken::Source(error)) => Err(Failure::source(error)),
        // There is no sink here.
        Err(Broken::SinkGone) => Err(Error::new(Code::INTERNAL, "verify", "there is nothing to write to").into()),
    }
}
