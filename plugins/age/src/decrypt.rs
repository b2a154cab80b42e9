//! Decryption: the header says who can, then each piece of the file proves itself before it goes on. A file
//! that was cut off, or that has more behind its end, isn't whole.

use std::pin::Pin;

use age::{DecryptError, Decryptor};
use culvert_sdk::{error, stream::Data, transform::Input, types::Error};
use futures_io::AsyncRead;
use futures_util::future::join;

use crate::{
    config::Keys,
    pipe::{self, Reader},
};

/// Bytes that go on at once.
const WRITE_BYTES: usize = 256 << 10;

pub(crate) async fn decrypt(keys: &Keys, input: &mut Input, output: &mut Data) -> Result<(), Error> {
    let (mut writer, reader) = pipe::pipe();
    let feeding = async {
        while let Some(bytes) = input.some().await {
            if !writer.write(bytes).await {
                break;
            }
        }
        drop(writer);
    };
    join(feeding, from(keys, reader, output)).await.1
}

async fn from(keys: &Keys, reader: Reader, output: &mut Data) -> Result<(), Error> {
    let Keys::Identities(identities) = keys else { return Err(error::internal("there is nothing to decrypt with")) };
    let decryptor = Decryptor::new_async(reader).await.map_err(|problem| refused(&problem))?;
    let decrypted = decryptor.decrypt_async(identities.iter().map(|it| &**it));
    let mut decrypted = Box::pin(decrypted.map_err(|problem| refused(&problem))?);
    let mut ended = false;
    while !ended {
        let mut bytes = vec![0; WRITE_BYTES];
        let mut filled = 0;
        while filled < bytes.len() && !ended {
            let space = &mut bytes[filled..];
            let read = std::future::poll_fn(|context| Pin::new(&mut decrypted).poll_read(context, space)).await;
            let read = read.map_err(|_| corrupt("a piece of it isn't what was encrypted, or is missing"))?;
            filled += read;
            ended = read == 0;
        }
        bytes.truncate(filled);
        output.write(bytes).await?;
    }
    Ok(())
}

fn corrupt(message: &str) -> Error {
    error::new("corrupt", message)
}

fn refused(problem: &DecryptError) -> Error {
    match problem {
        DecryptError::NoMatchingKeys => {
            error::unauthenticated("none of the keys fits: it was encrypted to others, or in another way")
        }
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            error::unauthenticated("the key or the passphrase doesn't fit")
        }
        DecryptError::ExcessiveWork { required, .. } => {
            let message = format!("its passphrase asks for a work factor of {required}, which is more than is taken");
            error::too_large(message)
        }
        DecryptError::InvalidMac => corrupt("its header isn't what was encrypted"),
        DecryptError::Io(_) => corrupt("it ends in the middle of its header"),
        _ => corrupt("it isn't an age file; armored ones aren't taken"),
    }
}
