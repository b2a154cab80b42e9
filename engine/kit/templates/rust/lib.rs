//! {{name}}: a folder's files as objects. Steers only: no byte of theirs enters this component.

{{#sink}}mod sink;
{{#source}}mod source;

culvert_sdk::export! {
    name: "{{name}}",
{{#both}}    capabilities: ["range-read", "conditional-put", "modified", "checksum:crc64-nvme"],
{{#only-source}}    capabilities: ["range-read"],
{{#only-sink}}    capabilities: ["conditional-put", "modified", "checksum:crc64-nvme"],
{{#source}}    source: source::Files,
{{#sink}}    sink: sink::Files,
}

#[cfg(test)]
mod tests;
