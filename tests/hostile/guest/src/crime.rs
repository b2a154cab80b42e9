//! What any call can do wrong: never return, take all memory, trap, overflow its stack.

use std::hint::black_box;

use crate::behaviour;

/// Does what `<crime>-<call>` says, if that's the behaviour.
pub(crate) fn commit(call: &str) {
    let behaviour = behaviour();
    let Some((crime, _)) = behaviour.split_once('-').filter(|(_, asked)| *asked == call) else { return };
    match crime {
        "loop" => loop {
            black_box(());
        },
        "allocate" => allocate(),
        "trap" => std::process::abort(),
        "overflow" => {
            black_box(overflow(black_box(0)));
        }
        _ => {}
    }
}

fn allocate() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion, reason = "that's the crime")]
fn overflow(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    overflow(depth + 1) + ballast[usize::try_from(depth % 64).unwrap_or(0)]
}
