//! Encryption: a header with the file's key for each recipient, then the file in pieces. Holds what one
//! turn made.

use std::{cell::RefCell, io, iter, rc::Rc};

use age::{Encryptor, Recipient};
use culvert_sdk::{error, stream::Data, transform::Input, types::Error};

use crate::config::Keys;

/// Where the encryptor writes to: what is in it goes on after each turn.
#[derive(Clone, Default)]
struct Made(Rc<RefCell<Vec<u8>>>);

pub(crate) async fn encrypt(keys: &Keys, input: &mut Input, output: &mut Data) -> Result<(), Error> {
    let encryptor = match keys {
        Keys::Recipients(recipients) => Encryptor::with_recipients(recipients.iter().map(|it| &**it)),
        Keys::NewPassphrase(passphrase) => Encryptor::with_recipients(iter::once(passphrase as &dyn Recipient)),
        Keys::Identities(_) => return Err(error::internal("there is nobody to encrypt to")),
    };
    let failed = |problem: &dyn std::fmt::Display| error::internal(format!("it can't be encrypted: {problem}"));
    let encryptor = encryptor.map_err(|problem| failed(&problem))?;
    let made = Made::default();
    let mut writer = encryptor.wrap_output(made.clone()).map_err(|problem| failed(&problem))?;
    while let Some(bytes) = input.some().await {
        io::Write::write_all(&mut writer, bytes).map_err(|problem| failed(&problem))?;
        output.write(made.0.take()).await?;
    }
    writer.finish().map_err(|problem| failed(&problem))?;
    output.write(made.0.take()).await
}

impl io::Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
