//! What this connector says of itself. `describe` has no table to read its crime from: the tests
//! write it into the component, over [`PLACE`].

use std::hint::black_box;

use culvert_sdk::{connector::Description, wasi::filesystem::preopens};

use crate::crime;

/// The word behind the colon, filled up with spaces, is the crime.
#[used]
static PLACE: [u8; 41] = *b"culvert-hostile-describe:none            ";

pub(crate) fn description() -> Description {
    let place = String::from_utf8_lossy(black_box(&PLACE)).into_owned();
    let crime = place.split_once(':').map_or("", |(_, crime)| crime.trim_end());
    crime::commit(crime);
    let mut it = honest();
    match crime {
        "bad-name" => it.name = "Bad Name\u{1b}[2J".to_owned(),
        "bad-version" => it.version = "1.0\u{1b}[2J".to_owned(),
        "long-version" => it.version = "1".repeat(1 << 20),
        "many-words" => it.capabilities = vec!["word".to_owned(); 1 << 20],
        "escaping-word" => it.capabilities.push("\u{1b}[2J".to_owned()),
        "huge-schema" => it.source_schema = format!("{{\"title\": \"{}\"}}", "t".repeat(10 << 20)),
        "no-json" => it.source_schema = "{\"type\": ".to_owned(),
        "no-object" => it.source_schema = "[]".to_owned(),
        "no-schema" => it.source_schema = String::new(),
        "deep-schema" => it.source_schema = "{\"not\": ".repeat(20_000),
        "circle" => it.source_schema = "{\"$ref\": \"#\"}".to_owned(),
        "remote" => it.source_schema = "{\"$ref\": \"file:///etc/passwd\"}".to_owned(),
        "slow-pattern" => {
            it.source_schema = schema()
                .replace("\"title\": \"Behaviour\"", "\"title\": \"Behaviour\", \"pattern\": \"^(.?){60}.{60}$\"");
        }
        "escapes" => it.source_schema = schema().replace("Behaviour", "\\u001b[2J"),
        "look" => it.version = seen(),
        _ => {}
    }
    it
}

fn honest() -> Description {
    Description {
        name: "hostile".to_owned(),
        version: "0.1.0".to_owned(),
        source_schema: schema(),
        sink_schema: schema(),
        capabilities: ["range-read", "parts", "symlinks", "checksum:crc64-nvme", "read-batch", "put-batch"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn schema() -> String {
    let names = crime::names().iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    format!(
        r##"{{"type": "object", "additionalProperties": false, "required": ["behaviour"], "properties": {{
            "behaviour": {{"$ref": "#/$defs/crime", "title": "Behaviour", "description": "Behaviour of each call."}},
            "objects": {{"type": "array", "items": {{"$ref": "#/$defs/crime"}}, "description": "Crimes on objects."}},
            "path": {{"type": "string", "description": "A folder to leave.", "x-grant": "folder"}}
        }}, "$defs": {{"crime": {{"type": "string", "enum": [{names}]}}}}}}"##
    )
}

/// How much of the machine there is to see before anything is granted.
fn seen() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let (folders, variables) = (preopens::get_directories().len(), std::env::vars().count());
    format!("{folders}.{variables}.{seconds}")
}
