//! Reading settings: the file, then the environment, then the flags, each overriding what came before.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    error::{ConfigError, Origin},
    key::{Key, PREFIX},
};

/// The file of settings that is read when it is there and none is named.
const DEFAULT_FILE: &str = "tenantry.toml";
/// What turns a setting's name into that of a file with its value.
const FROM_FILE: &str = "_file";

/// Where settings come from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file named on the command line.
    pub file: Option<PathBuf>,
    /// Names and values of the environment; those that aren't Tenantry's are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// Values from the command line, with their flags.
    pub flags: Vec<(Key, &'static str, String)>,
}

/// One given value, which may be a secret.
pub struct Given {
    pub value: ValueKind,
    pub origin: Origin,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given(by {})", self.origin)
    }
}

/// All given values.
pub type Layer = BTreeMap<Key, Given>;

impl Sources {
    /// Reads them all.
    pub fn read(&self) -> Result<Layer, ConfigError> {
        let mut values = self.read_file()?;
        values.extend(self.read_environment()?);
        let flags = self.flags.iter();
        values.extend(flags.map(|(key, flag, value)| (*key, Given { value: value.as_str().into(), origin: Origin::Flag(flag) })));
        Ok(values)
    }

    fn read_file(&self) -> Result<Layer, ConfigError> {
        let path = self.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.file.is_none() => return Ok(Layer::new()),
            Err(source) => {
                let named_by = if self.file.is_some() { "--config" } else { "default" }.to_owned();
                return Err(ConfigError::Unreadable { path, named_by, source });
            }
        };
        let tree = File::from_str(&text, FileFormat::Toml).collect();
        let tree =
            tree.map_err(|error| ConfigError::Syntax { path: path.clone(), detail: without_excerpt(&error.to_string()) })?;
        let mut leaves = Vec::new();
        flatten("", tree, &mut leaves);
        layer(leaves, |_| Origin::File(path.clone()))
    }

    fn read_environment(&self) -> Result<Layer, ConfigError> {
        let mut variables = Map::new();
        for (name, value) in &self.environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let value = value.to_str().ok_or_else(|| ConfigError::NotUnicode { name: name.to_owned() })?;
            variables.insert(name.to_owned(), value.to_owned());
        }
        // An empty variable is how compose files and unit files say "not set".
        let environment = Environment::with_prefix(PREFIX.trim_end_matches('_')).separator("__").ignore_empty(true);
        let leaves = environment.source(Some(variables)).collect().map_err(|error| ConfigError::Refused(error.to_string()))?;
        layer(leaves, |path| Origin::Environment(super::key::env_name(path)))
    }
}

/// Names every leaf of a tree by its path.
fn flatten(path: &str, tree: Map<String, Value>, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in tree {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        match value.kind {
            ValueKind::Table(tree) => flatten(&path, tree, leaves),
            _ => leaves.push((path, value)),
        }
    }
}

/// Refuses what has no meaning, and puts the contents of files in the place of their names.
fn layer(leaves: impl IntoIterator<Item = (String, Value)>, origin: impl Fn(&str) -> Origin) -> Result<Layer, ConfigError> {
    let mut layer = Layer::new();
    for (path, Value { kind, .. }) in leaves {
        let origin = origin(&path);
        let (key, value) = match (Key::find(&path), path.strip_suffix(FROM_FILE).and_then(Key::find)) {
            (Some(key), _) => (key, kind),
            (None, Some(key)) => {
                let ValueKind::String(file) = kind else {
                    return Err(ConfigError::Invalid { key, expected: "the name of a file".to_owned(), origin });
                };
                (key, contents(Path::new(&file), &origin)?.into())
            }
            (None, None) => return Err(ConfigError::Unknown { path, origin }),
        };
        if layer.insert(key, Given { value, origin }).is_some() {
            return Err(ConfigError::Twice { key });
        }
    }
    Ok(layer)
}

fn contents(path: &Path, origin: &Origin) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), named_by: origin.to_string(), source };
    Ok(fs::read_to_string(path).map_err(unreadable)?.trim().to_owned())
}

/// A parser's message quotes the line that it stumbled over, which may hold a password: where and why are enough.
fn without_excerpt(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.contains('|')).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Sources {
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Sources { environment, ..Sources::default() }
    }

    fn file(text: &str) -> (tempfile::TempDir, Sources) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenantry.toml");
        fs::write(&path, text).unwrap();
        (folder, Sources { file: Some(path), ..Sources::default() })
    }

    fn text(values: &Layer, key: Key) -> String {
        values[&key].value.to_string()
    }

    #[test]
    fn flags_override_the_environment_and_it_overrides_the_file() {
        let (_folder, mut sources) = file("data_dir = 'a'\n[http]\nbind = '127.0.0.1:1'\nworkers = 1\n");
        let both = [("TENANTRY__HTTP__BIND", "127.0.0.1:2"), ("TENANTRY__HTTP__WORKERS", "2"), ("PATH", "/bin")];
        sources.environment = environment(&both).environment;
        sources.flags = vec![(Key::HTTP_BIND, "--bind", "127.0.0.1:3".to_owned())];
        let values = sources.read().unwrap();
        assert_eq!(text(&values, Key::DATA_DIR), "a");
        assert_eq!(text(&values, Key::HTTP_WORKERS), "2");
        assert_eq!(text(&values, Key::HTTP_BIND), "127.0.0.1:3");
        assert_eq!(values[&Key::HTTP_WORKERS].origin, Origin::Environment("TENANTRY__HTTP__WORKERS".to_owned()));
    }

    #[test]
    fn an_unknown_key_is_named_as_file_and_environment_name_it() {
        let error = environment(&[("TENANTRY__HTTP__PROT", "1")]).read().unwrap_err().to_string();
        assert!(
            error.starts_with("TENANTRY__HTTP__PROT sets `http.prot` (TENANTRY__HTTP__PROT), which does not exist"),
            "{error}"
        );
        assert!(error.contains("`http` has bind, public_url"), "{error}");
        let (_folder, sources) = file("[mial]\nurl = 'console:'\n");
        let error = sources.read().unwrap_err().to_string();
        assert!(error.contains("tenantry.toml sets `mial.url` (TENANTRY__MIAL__URL), which does not exist"), "{error}");
        assert!(error.contains("there are environment, data_dir, database, http, mail"), "{error}");
        let (_folder, sources) = file("http = 1\n");
        assert!(sources.read().unwrap_err().to_string().contains("sets `http` (TENANTRY__HTTP), which does not exist"));
    }

    #[test]
    fn a_value_may_stand_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("mail-url");
        fs::write(&secret, "smtps://u:p@mail.example\n\n").unwrap();
        let name = secret.to_str().unwrap();
        let values = environment(&[("TENANTRY__MAIL__URL_FILE", name), ("TENANTRY__KEYS__FILE", "/etc/keys")]).read().unwrap();
        assert_eq!(text(&values, Key::MAIL_URL), "smtps://u:p@mail.example");
        assert_eq!(text(&values, Key::KEYS_FILE), "/etc/keys");
        assert_eq!(values[&Key::MAIL_URL].origin, Origin::Environment("TENANTRY__MAIL__URL_FILE".to_owned()));

        let twice = environment(&[("TENANTRY__MAIL__URL_FILE", name), ("TENANTRY__MAIL__URL", "console:")]).read().unwrap_err();
        assert!(twice.to_string().contains("set twice"), "{twice}");
        let missing = environment(&[("TENANTRY__MAIL__URL_FILE", "/nowhere")]).read().unwrap_err();
        assert!(missing.to_string().contains("can't read /nowhere (named by TENANTRY__MAIL__URL_FILE)"), "{missing}");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert!(environment(&[("TENANTRY__MAIL__URL", "")]).read().unwrap().is_empty());
    }

    #[test]
    fn a_broken_file_is_located_and_not_quoted() {
        let (_folder, sources) = file("[mail]\nurl = 'smtps://u:hunter2@mail.example\n");
        let error = sources.read().unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        let error = Sources { file: Some("/nowhere.toml".into()), ..Sources::default() }.read().unwrap_err().to_string();
        assert_eq!(error, "can't read /nowhere.toml (named by --config)");
    }
}
