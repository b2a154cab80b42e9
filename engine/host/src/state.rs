//! What one connector instance's store holds: its WASI context with nothing in it but the grants,
//! its limiter, and how long it has been computing.

use std::time::Duration;

use wasmtime::{CallHook, Engine, Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    access::Access,
    credentials::Credentials,
    grants::Grants,
    http::{Hooks, Http},
    limits::{LimitExceeded, Limiter, Limits},
    runtime::EPOCH_TICK,
    sockets::Network,
};

/// Open handles (files, directories, streams) of one instance: a listing's depth, with room.
const MAX_HANDLES: usize = 16 * 1024;
/// Bytes that one call may make the host allocate for its arguments.
const MAX_CALL_BYTES: usize = 64 << 20;

/// The data of one instance's store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    network: Network,
    http: WasiHttpCtx,
    hooks: Hooks,
    credentials: Credentials,
    limiter: Limiter,
    /// Ticks that passed while the guest was computing, since it was last entered.
    computing_ticks: u32,
}

/// A clock that stands still: a connector without an endpoint has no use for the time.
struct Frozen;

// === impl State ===

impl State {
    /// A store with exactly these grants and limits.
    ///
    /// # Errors
    /// The granted folder can't be opened.
    pub(crate) fn store(
        engine: &Engine,
        grants: &Grants,
        limits: &Limits,
        access: &Access,
    ) -> std::io::Result<Store<Self>> {
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true);
        if grants.endpoints.is_empty() {
            wasi.wall_clock(Frozen).monotonic_clock(Frozen);
        }
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        if let Some(folder) = &grants.folder {
            let permissions = if folder.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&folder.path, "/", permissions).map_err(|error| {
                error.downcast::<std::io::Error>().unwrap_or_else(|error| std::io::Error::other(error.to_string()))
            })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let client = access.http.as_ref().map(Http::client);
        let state = Self {
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks::new(client, grants.clone()),
            credentials: access.credentials.clone(),
            network: Network::new(grants.socket.as_ref(), limits),
            limiter: Limiter::new(limits),
            computing_ticks: 0,
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        watch_computing(&mut store, limits.compute_timeout);
        Ok(store)
    }

    /// Where its sockets lead.
    pub(crate) fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Its way to the servers that were granted.
    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Ends a guest that computes too long without returning, and lets others run meanwhile. A tick
/// counts only if the guest itself was running when it passed, so waiting for a disk is free.
fn watch_computing(store: &mut Store<State>, compute_timeout: Duration) {
    let max_ticks = u32::try_from(compute_timeout.as_millis() / EPOCH_TICK.as_millis()).unwrap_or(u32::MAX).max(1);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| {
        let state = context.data_mut();
        state.computing_ticks += 1;
        if state.computing_ticks > max_ticks {
            return Err(LimitExceeded::Compute(compute_timeout).into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store.call_hook(|mut context, hook| {
        if matches!(hook, CallHook::CallingWasm) {
            context.data_mut().computing_ticks = 0;
        }
        Ok(())
    });
}

// === impl Frozen ===

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
