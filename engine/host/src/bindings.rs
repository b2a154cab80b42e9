//! The contract as wasmtime sees it, generated from `wit/`. Nothing else lives here.
#![allow(missing_docs, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "everything",
    imports: {
        "culvert:connector/credentials.get": async | store | trappable,
        "culvert:connector/exchange.send": async | store | trappable,
        "culvert:connector/posix.checksum": async | store | trappable,
        "culvert:connector/posix.list-directory": store | trappable,
        "wasi:sockets/types.[method]tcp-socket.send": store | trappable,
        "wasi:sockets/types.[method]tcp-socket.receive": store | trappable,
        "culvert:connector/posix.read-file": store | trappable,
        "culvert:connector/posix.write-file": async | store | trappable,
        "culvert:connector/posix.read-files": store | trappable,
        "culvert:connector/posix.write-files": async | store | trappable,
        default: trappable,
    },
    exports: { default: async | store },
    with: {
        "wasi:sockets/types.tcp-socket": crate::sockets::TcpSocket,
        "wasi:sockets/types.udp-socket": crate::sockets::UdpSocket,
        "wasi:http": wasmtime_wasi_http::p3::bindings::http,
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "wasi:filesystem": wasmtime_wasi::p3::bindings::filesystem,
    },
});
