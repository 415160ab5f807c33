//! Why a configuration is refused. Every sentence names the setting and says what to do; none shows a value, as values can be secrets.

use std::{fmt, io, path::PathBuf};

use super::key::{Key, env_name};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of settings.
    File(PathBuf),
    /// A variable of this name.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read: the settings, or one that a `.._FILE` names.
    #[error("can't read {} (named by {named_by})", path.display())]
    Unreadable { path: PathBuf, named_by: String, source: io::Error },
    /// The settings aren't TOML.
    #[error("{} is not TOML: {detail}", path.display())]
    Syntax { path: PathBuf, detail: String },
    /// A variable isn't Unicode.
    #[error("the value of {name} is not Unicode")]
    NotUnicode { name: String },
    /// There is no such setting.
    #[error("{origin} sets `{path}` ({}), which does not exist; {}", env_name(path), alternatives(path))]
    Unknown { path: String, origin: Origin },
    /// A setting and its `.._FILE` are both given.
    #[error("{key} is set twice, by itself and by `{}_file`: keep one of them", key.path())]
    Twice { key: Key },
    /// A value isn't what it has to be.
    #[error("{key} must be {expected} (it is set by {origin})")]
    Invalid { key: Key, expected: String, origin: Origin },
    /// A figure of sign-in is outside its safe bounds.
    #[error("{key} is outside its safe bounds: {detail}")]
    OutOfBounds { key: Key, detail: String },
    /// What is set doesn't do for this environment.
    #[error("{0}")]
    Refused(String),
}

/// The keys of the same section, or the sections.
fn alternatives(path: &str) -> String {
    let (section, _) = Key::split(path);
    let siblings = |section: &str| -> Vec<&str> {
        Key::ALL.iter().map(|key| Key::split(key.path())).filter(|(of, _)| *of == section).map(|(_, name)| name).collect()
    };
    let names = siblings(section);
    if !section.is_empty() && !names.is_empty() {
        return format!("`{section}` has {}", names.join(", "));
    }
    let mut names = siblings("");
    names.extend(Key::ALL.iter().map(|key| Key::split(key.path()).0).filter(|section| !section.is_empty()));
    names.dedup();
    format!("there are {}", names.join(", "))
}
