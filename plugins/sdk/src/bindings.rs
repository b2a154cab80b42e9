//! What wit-bindgen makes of `wit/`: the shared vocabulary and imports once, then one world per
//! exported interface, so that a connector exports exactly the interfaces it has. Holds no code of
//! its own.

/// The vocabulary, WASI and `posix`.
pub(crate) mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-imports;
            world vocabulary {
                include culvert:connector/imports@0.1.0;
                import culvert:connector/types@0.1.0;
            }
        ",
        world: "culvert:sdk-imports/vocabulary",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
        // Streams have no equality.
        additional_derives_ignore: ["request", "body", "answer"],
    });
}

/// HTTP in one call. A world of its own: in the one above, its streams would be made by the functions of
/// `posix`, which a connector with an endpoint isn't granted.
pub(crate) mod exchange {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-exchange;
            world exchanging { import culvert:connector/exchange@0.1.0; }
        ",
        world: "culvert:sdk-exchange/exchanging",
        with: {
            "culvert:connector/exchange@0.1.0": generate,
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface that every connector exports.
pub mod connector {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-connector;
            world every-connector { export culvert:connector/connector@0.1.0; }
        ",
        world: "culvert:sdk-connector/every-connector",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::connector",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface of a store that is read.
pub mod source {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-source;
            world every-source { export culvert:connector/source@0.1.0; }
        ",
        world: "culvert:sdk-source/every-source",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::source",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface of a store that is written.
pub mod sink {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-sink;
            world every-sink { export culvert:connector/sink@0.1.0; }
        ",
        world: "culvert:sdk-sink/every-sink",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::sink",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// Small objects of a store that is read, many in one call.
pub mod source_batch {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-source-batch;
            world every-source-batch { export culvert:connector/source-batch@0.1.0; }
        ",
        world: "culvert:sdk-source-batch/every-source-batch",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::source_batch",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface of a sink that copies inside its store.
pub mod copying {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-copying;
            world every-copying { export culvert:connector/copying@0.1.0; }
        ",
        world: "culvert:sdk-copying/every-copying",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::copying",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// Small objects of a store that is written, many in one call.
pub mod sink_batch {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-sink-batch;
            world every-sink-batch { export culvert:connector/sink-batch@0.1.0; }
        ",
        world: "culvert:sdk-sink-batch/every-sink-batch",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::sink_batch",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface of a sink that says what it holds of an upload.
pub mod resuming {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-resuming;
            world every-resuming { export culvert:connector/resuming@0.1.0; }
        ",
        world: "culvert:sdk-resuming/every-resuming",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::resuming",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}

/// The interface of what stands between source and sink.
pub mod transform {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package culvert:sdk-transform;
            world every-transform { export culvert:connector/transform@0.1.0; }
        ",
        world: "culvert:sdk-transform/every-transform",
        pub_export_macro: true,
        default_bindings_module: "culvert_sdk::bindings::transform",
        with: {
            "culvert:connector/types@0.1.0": crate::types,
            "wasi:clocks/types@0.3.0": crate::wasi::clocks::types,
            "wasi:clocks/system-clock@0.3.0": crate::wasi::clocks::system_clock,
        },
    });
}
