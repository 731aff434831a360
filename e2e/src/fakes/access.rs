//! The service account of the agent under test: a token and a certificate authority in a directory that is
//! laid out, and changed, as the kubelet does it for a projected volume.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::{env, fs, io, process};

use anyhow::{Context as _, Result};
use rustls::ServerConfig;

use super::certificates::{Authority, Shown};
use super::locked;

/// A service account, its volume, and the servers' certificates that belong to it.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    node_name: String,
    state: Mutex<State>,
}

struct State {
    /// Of tokens and authorities alike.
    generation: u64,
    token: String,
    authority: Authority,
    /// Making a key takes time, so each certificate is made once.
    shown: BTreeMap<Shown, Arc<ServerConfig>>,
}

/// Whose token a request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Nobody,
    WithoutRights,
    Agent,
}

impl Access {
    /// Makes the volume in a directory of its own, which goes with the last clone.
    pub fn new(node_name: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("podledger-fakes-{}-{number}", process::id());
        Self::at(node_name, env::temp_dir().join(name))
    }

    /// The same in a directory that must not exist yet.
    pub fn at(node_name: &str, directory: PathBuf) -> Result<Self> {
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let state = State {
            generation: 1,
            token: token(1, "agent"),
            authority: Authority::new(1)?,
            shown: BTreeMap::new(),
        };
        write_volume(&directory, &state)?;
        for file in ["token", "ca.crt", "namespace"] {
            symlink(Path::new("..data").join(file), directory.join(file))?;
        }
        Ok(Self(Arc::new(Inner {
            directory,
            node_name: node_name.to_owned(),
            state: Mutex::new(state),
        })))
    }

    /// Where the volume is mounted.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// The token's file.
    pub fn token_file(&self) -> PathBuf {
        self.0.directory.join("token")
    }

    /// The authority's file.
    pub fn ca_file(&self) -> PathBuf {
        self.0.directory.join("ca.crt")
    }

    /// The token that is good now.
    pub fn token(&self) -> String {
        locked(&self.0.state).token.clone()
    }

    /// A token that every server knows and nobody gave any rights.
    pub fn token_without_rights(&self) -> String {
        token(0, "nobody")
    }

    /// A new token in the volume; the old one is refused from now on.
    pub fn rotate_token(&self) -> Result<()> {
        let mut state = locked(&self.0.state);
        state.generation += 1;
        state.token = token(state.generation, "agent");
        write_volume(&self.0.directory, &state)
    }

    /// A new authority in the volume; servers show certificates of it to whoever connects from now on.
    pub fn rotate_ca(&self) -> Result<()> {
        let mut state = locked(&self.0.state);
        state.generation += 1;
        state.authority = Authority::new(state.generation)?;
        state.shown.clear();
        write_volume(&self.0.directory, &state)
    }

    /// Puts something else into the token's file; which token is good does not change.
    pub fn write_token(&self, text: &str) -> Result<()> {
        let state = locked(&self.0.state);
        write_files(&self.0.directory, text, &state.authority.pem)
    }

    pub(super) fn caller(&self, authorization: Option<&str>) -> Caller {
        let given = authorization.and_then(|value| value.strip_prefix("Bearer "));
        match given {
            Some(given) if given == self.token() => Caller::Agent,
            Some(given) if given == self.token_without_rights() => Caller::WithoutRights,
            _ => Caller::Nobody,
        }
    }

    pub(super) fn server(&self, shown: Shown) -> Result<Arc<ServerConfig>> {
        let mut state = locked(&self.0.state);
        if let Some(config) = state.shown.get(&shown) {
            return Ok(Arc::clone(config));
        }
        let stranger;
        let issuer = if shown == Shown::UnknownIssuer {
            stranger = Authority::new(u64::MAX)?;
            &stranger
        } else {
            &state.authority
        };
        let config = issuer.server(&self.0.node_name, shown)?;
        state.shown.insert(shown, Arc::clone(&config));
        Ok(config)
    }
}

/// It has the form of a real one, so that whatever looks for tokens in logs finds it.
fn token(generation: u64, name: &str) -> String {
    format!("eyJhbGciOiJSUzI1NiIsImtpZCI6InRlc3QifQ.secret-of-{name}-{generation}.c2lnbmF0dXJl")
}

fn write_volume(directory: &Path, state: &State) -> Result<()> {
    write_files(directory, &state.token, &state.authority.pem)
}

/// As the kubelet's atomic writer does: a new directory, and a link that is renamed over the old one.
fn write_files(directory: &Path, token: &str, ca_pem: &str) -> Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let write = || -> io::Result<()> {
        let name = format!("..2026_11_21_00_42_11.{number:09}");
        let new = directory.join(&name);
        fs::create_dir(&new)?;
        fs::write(new.join("token"), token)?;
        fs::write(new.join("ca.crt"), ca_pem)?;
        fs::write(new.join("namespace"), "demo")?;
        let data = directory.join("..data");
        let old = fs::read_link(&data).ok();
        symlink(&name, directory.join("..data_tmp"))?;
        fs::rename(directory.join("..data_tmp"), &data)?;
        old.map_or(Ok(()), |old| fs::remove_dir_all(directory.join(old)))
    };
    write().with_context(|| format!("writing the volume {}", directory.display()))
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            let shown = self.directory.display();
            crate::harness::say(&format!("warning: removing {shown}: {error}"));
        }
    }
}
