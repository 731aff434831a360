//! A directory as an object store whose objects survive power loss: what a put has answered is on the
//! disk, and a name that is there is there with all its bytes. The library's own store of files
//! leaves both to chance.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path as FilePath, PathBuf},
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    local::LocalFileSystem, path::Path,
};

const NAME: &str = "directory";

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    files: LocalFileSystem,
}

impl Directory {
    /// Makes the directory, where it is not there.
    pub(super) fn open(root: &FilePath) -> Result<Self> {
        make_directory(root).map_err(generic)?;
        let files = LocalFileSystem::new_with_prefix(root)?;
        let root = root.canonicalize().map_err(generic)?;
        Ok(Self { root, files })
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "directory {}", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let may_replace = match options.mode {
            PutMode::Create => false,
            PutMode::Overwrite => true,
            PutMode::Update(_) => return Err(unable("replacing one version of an object")),
        };
        if !options.attributes.is_empty() {
            return Err(unable("attributes of objects"));
        }
        let path = self.files.path_to_filesystem(location)?;
        let location = location.to_string();
        let writing = move || write(&path, &payload, may_replace);
        let written = tokio::task::spawn_blocking(writing).await?;
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyExists {
                path: location,
                source: source.into(),
            },
            _ => generic(source),
        })?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    /// Objects are put whole: parts would have to be made durable one by one.
    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unable("uploads in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(unable("copies"))
    }
}

/// File, fsync, its name, fsync of the directory.
fn write(path: &FilePath, payload: &PutPayload, may_replace: bool) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("an object has a name"))?;
    make_directory(directory)?;
    let staged = Staged::new(path)?;
    let mut file = &staged.file;
    for piece in payload {
        file.write_all(piece)?;
    }
    file.sync_all()?;
    match may_replace {
        true => fs::rename(&staged.path, path)?,
        // Unlike a rename, a link fails where the name is taken.
        false => fs::hard_link(&staged.path, path)?,
    }
    drop(staged);
    File::open(directory)?.sync_all()
}

/// A file that has not its name yet. Names with a number sign at their end are in no listing.
struct Staged {
    file: File,
    path: PathBuf,
}

impl Staged {
    fn new(path: &FilePath) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{}", rand::random::<u64>()));
        let path = PathBuf::from(name);
        let file = File::create_new(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename it is gone; what a crash leaves is in no listing.
        drop(fs::remove_file(&self.path));
    }
}

/// Makes a directory and those above it, each on the disk before what is in it.
fn make_directory(path: &FilePath) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    make_directory(parent)?;
    match fs::create_dir(path) {
        Ok(()) => {}
        // Another writer was first; it may not have come to the fsync yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let parent = match parent.as_os_str().is_empty() {
        true => FilePath::new("."),
        false => parent,
    };
    File::open(parent)?.sync_all()
}

fn generic(source: io::Error) -> Error {
    Error::Generic {
        store: NAME,
        source: source.into(),
    }
}

fn unable(operation: &str) -> Error {
    Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: NAME.to_owned(),
    }
}
