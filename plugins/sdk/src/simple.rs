//! A connector as one or two types: [`Source`] and [`Sink`] with defaults for what a store need not
//! have, and [`export!`](crate::export), which makes the component of them. Whoever needs more than this
//! (batches, copies, one instance as both) implements the contract's own traits instead.

use std::{rc::Rc, thread::LocalKey};

use serde::de::DeserializeOwned;

use crate::{
    FutureReader, StreamReader, config, error,
    instance::Configured,
    sink::{Part, Receipt, Replace},
    source::Reading,
    stream::{self, Entries},
    types::{Checksum, Entry, Error, Object, Range},
};

/// The engine's word on a body's end, with the checksums that it computed on the way.
pub type Whole = FutureReader<Result<Vec<Checksum>, Error>>;

/// A store that is read. The functions are those of [`wit/source.wit`](crate::source), with one value of
/// the type for the life of an instance.
#[allow(async_fn_in_trait, reason = "an instance has one thread: nothing here is Send")]
pub trait Source: Sized + 'static {
    /// The `[source]` table.
    type Config: DeserializeOwned;

    /// Its JSON Schema.
    const SCHEMA: &'static str;

    /// Takes the table. Touches no store.
    ///
    /// # Errors
    /// `invalid-config`, where a rule is broken that a schema can't say.
    fn open(config: Self::Config) -> Result<Self, Error>;

    /// Reaches the store and proves that it may be read.
    ///
    /// # Errors
    /// It can't be reached, or not be read.
    async fn check(&self) -> Result<(), Error>;

    /// Pushes what is below `folder` (empty: the root), one level or all of it. `after` counts only with
    /// the capability `ordered-listing`.
    ///
    /// # Errors
    /// The listing isn't complete.
    async fn list(&self, folder: &str, after: Option<&str>, entries: &mut Entries) -> Result<(), Error>;

    /// One object as it is now.
    ///
    /// # Errors
    /// `not-found`.
    async fn stat(&self, key: &str) -> Result<Object, Error>;

    /// Opens an object. The host ends the bytes where the range ends; they begin at its offset.
    ///
    /// # Errors
    /// `not-found`, and `changed` where the object has another version than this one.
    async fn read(&self, key: &str, range: Range, version: Option<&str>) -> Result<Reading, Error>;
}

/// A store that is written. The functions are those of [`wit/sink.wit`](crate::sink).
#[allow(async_fn_in_trait, reason = "an instance has one thread: nothing here is Send")]
pub trait Sink: Sized + 'static {
    /// The `[sink]` table.
    type Config: DeserializeOwned;

    /// Its JSON Schema.
    const SCHEMA: &'static str;

    /// Takes the table, and the pipeline's mark for what isn't finished. Touches no store.
    ///
    /// # Errors
    /// `invalid-config`, where a rule is broken that a schema can't say.
    fn open(config: Self::Config, owner: &str) -> Result<Self, Error>;

    /// Reaches the store and proves that it may be written.
    ///
    /// # Errors
    /// It can't be reached, or not be written.
    async fn check(&self) -> Result<(), Error>;

    /// Writes a whole object; nothing is visible before `whole` has resolved to ok.
    ///
    /// # Errors
    /// Nothing of the object is left.
    async fn put(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
        replace: Replace,
    ) -> Result<Object, Error>;

    /// One object as it is now.
    ///
    /// # Errors
    /// `not-found`.
    async fn stat(&self, key: &str) -> Result<Object, Error>;

    /// Deletes an object; there may be none.
    ///
    /// # Errors
    /// It's still there.
    async fn delete(&self, key: &str) -> Result<(), Error>;

    /// With the capability `parts`: begins an upload, of which the token says everything.
    ///
    /// # Errors
    /// `unsupported`, unless it's overridden; then the store's.
    async fn begin(&self, _object: Object) -> Result<String, Error> {
        Err(no_parts())
    }

    /// With `parts`: writes one of them.
    ///
    /// # Errors
    /// As [`Sink::begin`], and `truncated` where there are too few bytes.
    async fn write_part(&self, _upload: &str, _part: Part, _data: StreamReader<u8>) -> Result<Receipt, Error> {
        Err(no_parts())
    }

    /// With `parts`: makes the object visible.
    ///
    /// # Errors
    /// As [`Sink::begin`] and [`Sink::put`].
    async fn commit(
        &self,
        _upload: &str,
        _object: Object,
        _receipts: Vec<Receipt>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        Err(no_parts())
    }

    /// With `parts`: drops an upload; there may be none.
    ///
    /// # Errors
    /// Something of it may be left.
    async fn abort(&self, _upload: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Removes what killed runs of this owner left, all but the uploads in `keep`. Right as it is for a
    /// store in which an unfinished object leaves nothing.
    ///
    /// # Errors
    /// Something of it may be left.
    async fn sweep(&self, _keep: Vec<String>) -> Result<u64, Error> {
        Ok(0)
    }
}

/// Stands for the role that a connector hasn't.
#[doc(hidden)]
#[derive(Debug)]
pub enum Absent {}

/// A listing's entries, and whether they were all.
#[doc(hidden)]
pub type Listing = (StreamReader<Entry>, FutureReader<Result<(), Error>>);

/// Where an instance keeps an end.
type Place<T> = LocalKey<Configured<T>>;

fn no_parts() -> Error {
    error::unsupported("the connector writes whole objects only, it has no uploads in parts")
}

fn no_role() -> Error {
    error::unsupported("the connector doesn't have this role")
}

// === impl Source ===

impl Source for Absent {
    type Config = serde_json::Value;
    const SCHEMA: &'static str = "";

    fn open(_: Self::Config) -> Result<Self, Error> {
        Err(no_role())
    }

    async fn check(&self) -> Result<(), Error> {
        match *self {}
    }

    async fn list(&self, _: &str, _: Option<&str>, _: &mut Entries) -> Result<(), Error> {
        match *self {}
    }

    async fn stat(&self, _: &str) -> Result<Object, Error> {
        match *self {}
    }

    async fn read(&self, _: &str, _: Range, _: Option<&str>) -> Result<Reading, Error> {
        match *self {}
    }
}

// === impl Sink ===

impl Sink for Absent {
    type Config = serde_json::Value;
    const SCHEMA: &'static str = "";

    fn open(_: Self::Config, _: &str) -> Result<Self, Error> {
        Err(no_role())
    }

    async fn check(&self) -> Result<(), Error> {
        match *self {}
    }

    async fn put(&self, _: Object, _: StreamReader<u8>, _: Whole, _: Replace) -> Result<Object, Error> {
        match *self {}
    }

    async fn stat(&self, _: &str) -> Result<Object, Error> {
        match *self {}
    }

    async fn delete(&self, _: &str) -> Result<(), Error> {
        match *self {}
    }
}

// What `export!` calls.

#[doc(hidden)]
pub fn open_source<S: Source>(place: &'static Place<S>, table: &str) -> Result<(), Error> {
    let source = S::open(config::parse(table)?)?;
    place.with(|place| place.set(source))
}

#[doc(hidden)]
pub fn open_sink<S: Sink>(place: &'static Place<S>, table: &str, owner: &str) -> Result<(), Error> {
    let sink = S::open(config::parse(table)?, owner)?;
    place.with(|place| place.set(sink))
}

/// What `configure` left there.
#[doc(hidden)]
pub fn end<T>(place: &'static Place<T>) -> Result<Rc<T>, Error> {
    place.with(Configured::get)
}

#[doc(hidden)]
pub async fn check<A: Source, B: Sink>(source: &'static Place<A>, sink: &'static Place<B>) -> Result<(), Error> {
    match end(sink) {
        Ok(sink) => sink.check().await,
        Err(_) => end(source)?.check().await,
    }
}

#[doc(hidden)]
pub fn list<S: Source>(place: &'static Place<S>, folder: String, after: Option<String>) -> Result<Listing, Error> {
    let source = end(place)?;
    Ok(stream::listing(async move |entries| source.list(&folder, after.as_deref(), entries).await))
}

/// Makes a component of a [`Source`], a [`Sink`] or both. Its version is that of the crate.
///
/// ```text
/// culvert_sdk::export! {
///     name: "greeting",
///     capabilities: ["range-read"],
///     source: Greeting,
/// }
/// ```
#[macro_export]
macro_rules! export {
    (name: $name:expr, capabilities: $capabilities:expr, source: $source:ty, sink: $sink:ty $(,)?) => {
        $crate::export_storage!(Exported);
        $crate::export!(@connector $name, $capabilities, $source, $sink);
        $crate::export!(@source);
        $crate::export!(@sink);
    };
    (name: $name:expr, capabilities: $capabilities:expr, source: $source:ty $(,)?) => {
        $crate::export_source!(Exported);
        $crate::export!(@connector $name, $capabilities, $source, $crate::simple::Absent);
        $crate::export!(@source);
    };
    (name: $name:expr, capabilities: $capabilities:expr, sink: $sink:ty $(,)?) => {
        $crate::export_sink!(Exported);
        $crate::export!(@connector $name, $capabilities, $crate::simple::Absent, $sink);
        $crate::export!(@sink);
    };
    (@connector $name:expr, $capabilities:expr, $source:ty, $sink:ty) => {
        struct Exported;

        thread_local! {
            static SOURCE: $crate::instance::Configured<$source> = const { $crate::instance::Configured::new() };
            static SINK: $crate::instance::Configured<$sink> = const { $crate::instance::Configured::new() };
        }

        impl $crate::connector::Guest for Exported {
            fn describe() -> $crate::connector::Description {
                let capabilities: &[&str] = &$capabilities;
                $crate::connector::Description {
                    name: ::std::string::String::from($name),
                    version: ::std::string::String::from(::std::env!("CARGO_PKG_VERSION")),
                    source_schema: <$source as $crate::Source>::SCHEMA.to_owned(),
                    sink_schema: <$sink as $crate::Sink>::SCHEMA.to_owned(),
                    capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
                }
            }

            async fn configure(
                role: $crate::connector::Role,
                config: ::std::string::String,
                owner: ::std::string::String,
            ) -> ::std::result::Result<(), $crate::types::Error> {
                match role {
                    $crate::connector::Role::Source => $crate::simple::open_source(&SOURCE, &config),
                    $crate::connector::Role::Sink => $crate::simple::open_sink(&SINK, &config, &owner),
                }
            }

            async fn check() -> ::std::result::Result<(), $crate::types::Error> {
                $crate::simple::check(&SOURCE, &SINK).await
            }
        }
    };
    (@source) => {
        impl $crate::source::Guest for Exported {
            async fn list(
                folder: ::std::string::String,
                after: ::std::option::Option<::std::string::String>,
            ) -> ::std::result::Result<$crate::simple::Listing, $crate::types::Error> {
                $crate::simple::list(&SOURCE, folder, after)
            }

            async fn stat(
                key: ::std::string::String,
            ) -> ::std::result::Result<$crate::types::Object, $crate::types::Error> {
                $crate::Source::stat(&*$crate::simple::end(&SOURCE)?, &key).await
            }

            async fn read(
                key: ::std::string::String,
                range: $crate::types::Range,
                version: ::std::option::Option<::std::string::String>,
            ) -> ::std::result::Result<$crate::source::Reading, $crate::types::Error> {
                $crate::Source::read(&*$crate::simple::end(&SOURCE)?, &key, range, version.as_deref()).await
            }
        }
    };
    (@sink) => {
        impl $crate::sink::Guest for Exported {
            async fn put(
                object: $crate::types::Object,
                data: $crate::StreamReader<u8>,
                whole: $crate::Whole,
                replace: $crate::sink::Replace,
            ) -> ::std::result::Result<$crate::types::Object, $crate::types::Error> {
                $crate::Sink::put(&*$crate::simple::end(&SINK)?, object, data, whole, replace).await
            }

            async fn begin(
                object: $crate::types::Object,
            ) -> ::std::result::Result<::std::string::String, $crate::types::Error> {
                $crate::Sink::begin(&*$crate::simple::end(&SINK)?, object).await
            }

            async fn write_part(
                upload: ::std::string::String,
                part: $crate::sink::Part,
                data: $crate::StreamReader<u8>,
            ) -> ::std::result::Result<$crate::sink::Receipt, $crate::types::Error> {
                $crate::Sink::write_part(&*$crate::simple::end(&SINK)?, &upload, part, data).await
            }

            async fn commit(
                upload: ::std::string::String,
                object: $crate::types::Object,
                receipts: ::std::vec::Vec<$crate::sink::Receipt>,
                replace: $crate::sink::Replace,
            ) -> ::std::result::Result<$crate::types::Object, $crate::types::Error> {
                $crate::Sink::commit(&*$crate::simple::end(&SINK)?, &upload, object, receipts, replace).await
            }

            async fn abort(upload: ::std::string::String) -> ::std::result::Result<(), $crate::types::Error> {
                $crate::Sink::abort(&*$crate::simple::end(&SINK)?, &upload).await
            }

            async fn sweep(
                keep: ::std::vec::Vec<::std::string::String>,
            ) -> ::std::result::Result<u64, $crate::types::Error> {
                $crate::Sink::sweep(&*$crate::simple::end(&SINK)?, keep).await
            }

            async fn stat(
                key: ::std::string::String,
            ) -> ::std::result::Result<$crate::types::Object, $crate::types::Error> {
                $crate::Sink::stat(&*$crate::simple::end(&SINK)?, &key).await
            }

            async fn delete(key: ::std::string::String) -> ::std::result::Result<(), $crate::types::Error> {
                $crate::Sink::delete(&*$crate::simple::end(&SINK)?, &key).await
            }
        }
    };
}
