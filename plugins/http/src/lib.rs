//! The connector for what HTTP servers offer to anybody: a list of URLs or an index page as a source.
//! Read only. No byte of an object enters this component: an answer's body goes on as it is.

// In the order in which an object passes them.
mod config;
mod error;
mod fetch;
mod index;
mod lines;
mod object;
mod place;
mod source;

culvert_sdk::export! {
    name: "http",
    capabilities: ["range-read"],
    source: source::Http,
}
