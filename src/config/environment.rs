//! All that is read from the environment. Nothing outside this file does, so what can change a process is found here.

use std::path::PathBuf;

/// The prefix of variables that set one key each; `__` goes one level down.
pub(super) const PREFIX: &str = "ONSALE__";

/// Where system programs lie that are not on everybody's `PATH` (Debian puts `mariadbd` into `/usr/sbin`).
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/sbin"];

/// The variables that set configuration keys. One that isn't UTF-8 can't name or set a key and is passed over.
pub(super) fn settings() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The configuration file that `ONSALE_CONFIG` names, if it does.
pub fn named_file() -> Option<PathBuf> {
    std::env::var_os("ONSALE_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The system's folder for temporary files.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// The full path of an installed program, looked for on `PATH` and then where system programs lie.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}
