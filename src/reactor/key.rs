//! The cluster's key, from its file.

use crate::config;
use crate::proto::dnode::KeyPair;
use crate::sys;
use std::path::Path;
use std::rc::Rc;

/// The cluster's key.
pub(super) fn read_key(file: &Path) -> Result<Rc<KeyPair>, String> {
    let named = |reason: String| {
        format!(
            "Error: could NOT read RSA pem key file at {}: {reason}",
            file.display()
        )
    };
    let pem = config::read_key_file(file).map_err(|error| named(sys::reason(&error)))?;
    KeyPair::from_pem(&pem)
        .map(Rc::new)
        .map_err(|error| named(error.to_string()))
}
