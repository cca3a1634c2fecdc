//! Archives of container images, as the OCI image format specification 1.1 describes them ("Image Layout", "Image Index",
//! "Image Manifest", "Image Configuration"), also for several platforms. An archive for one platform is also what
//! `docker load` has always taken.
//!
//! Knows nothing of what is in an image.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::archive::{Archive, compress};
use crate::dist::hash;
use crate::target::Platform;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The annotation that says what an image is called.
const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// An image for one platform.
pub(super) struct Image {
    pub(super) platform: Platform,
    /// Its files, as a tar archive that is not compressed.
    pub(super) layer: Vec<u8>,
    /// How it is run.
    pub(super) config: Value,
    /// What it says of itself.
    pub(super) labels: Value,
}

/// The archive of an image that is called `name`, made at `time`, in seconds since 1970.
///
/// # Errors
/// The time is not one, or something cannot be packed.
pub(super) fn archive(name: &str, images: &[Image], time: u64) -> Result<Vec<u8>> {
    let created = Timestamp::from_second(i64::try_from(time)?)?.to_string();
    let mut layout = Layout::default();
    let manifests: Vec<_> =
        images.iter().map(|image| layout.image(image, &created)).collect::<Result<_>>()?;
    let entry = match manifests.as_slice() {
        [single] => {
            layout.for_docker(name, single);
            single
                .blob
                .descriptor(&[("platform", &single.platform), ("annotations", &json!({ REFERENCE: name }))])
        }
        several => {
            let platform =
                |manifest: &Manifest| manifest.blob.descriptor(&[("platform", &manifest.platform)]);
            let manifests: Vec<_> = several.iter().map(platform).collect();
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
            layout.document(INDEX, &index).descriptor(&[("annotations", &json!({ REFERENCE: name }))])
        }
    };
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    layout.files.file("index.json", 0o644, index.to_string());
    layout.files.file("oci-layout", 0o644, json!({ "imageLayoutVersion": "1.0.0" }).to_string());
    layout.files.tar(time)
}

/// Bytes in an archive, which are named by their hash.
struct Blob {
    media_type: &'static str,
    hash: String,
    size: usize,
}

impl Blob {
    /// What refers to it, with `more` than its name and size.
    fn descriptor(&self, more: &[(&str, &Value)]) -> Value {
        let digest = format!("sha256:{}", self.hash);
        let own =
            [("mediaType", json!(self.media_type)), ("digest", json!(digest)), ("size", json!(self.size))];
        let more = more.iter().map(|(key, value)| (*key, (*value).clone()));
        own.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hash)
    }
}

/// The image of one platform within an archive.
struct Manifest {
    blob: Blob,
    platform: Value,
    config: String,
    layer: String,
}

/// The files of an archive.
#[derive(Default)]
struct Layout {
    files: Archive,
}

impl Layout {
    /// Adds an image and what it consists of.
    fn image(&mut self, image: &Image, created: &str) -> Result<Manifest> {
        let mut platform = Map::new();
        platform.insert("architecture".to_owned(), image.platform.architecture.into());
        platform.insert("os".to_owned(), "linux".into());
        if let Some(variant) = image.platform.variant {
            platform.insert("variant".to_owned(), variant.into());
        }
        let mut config = platform.clone();
        let diff_id = format!("sha256:{}", hash(&image.layer));
        config.insert("config".to_owned(), image.config.clone());
        config.insert("created".to_owned(), created.into());
        config.insert(
            "history".to_owned(),
            json!([{ "created": created, "created_by": "cargo xtask container" }]),
        );
        config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": [diff_id] }));
        let config = self.document(CONFIG, &config.into());
        let layer = self.blob(LAYER, compress(&image.layer)?);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(&[]),
            "layers": [layer.descriptor(&[])],
            "annotations": image.labels,
        });
        let blob = self.document(MANIFEST, &manifest);
        Ok(Manifest { blob, platform: platform.into(), config: config.path(), layer: layer.path() })
    }

    /// Adds what `docker load` looks for (Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset
    /// Format").
    fn for_docker(&mut self, name: &str, manifest: &Manifest) {
        let images = json!([{ "Config": manifest.config, "RepoTags": [name], "Layers": [manifest.layer] }]);
        self.files.file("manifest.json", 0o644, images.to_string());
    }

    fn document(&mut self, media_type: &'static str, document: &Value) -> Blob {
        self.blob(media_type, document.to_string().into_bytes())
    }

    fn blob(&mut self, media_type: &'static str, bytes: Vec<u8>) -> Blob {
        let blob = Blob { media_type, hash: hash(&bytes), size: bytes.len() };
        self.files.file(blob.path(), 0o644, bytes);
        blob
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;
    use crate::target::Target;

    fn image(target: Target) -> Image {
        let layer = target.debian().as_bytes().to_vec();
        Image {
            platform: target.platform(),
            layer,
            config: json!({ "Cmd": ["x"] }),
            labels: json!({ "l": "v" }),
        }
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), bytes);
        }
        files
    }

    fn document(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Value {
        serde_json::from_slice(&files[path]).unwrap()
    }

    /// Where the bytes are that a descriptor refers to.
    fn path(descriptor: &Value) -> String {
        format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
    }

    #[test]
    fn every_platform_is_found_from_the_index_by_hashes_that_hold() {
        let archive = archive("localhost/x:latest", &Target::ALL.map(image), 1_750_000_000).unwrap();
        let files = files(&archive);
        for (name, bytes) in
            files.iter().filter(|(name, _)| name.starts_with("blobs/sha256/") && name.len() > 13)
        {
            assert_eq!(name, &format!("blobs/sha256/{}", hash(bytes)));
        }
        let entry = &document(&files, "index.json")["manifests"][0];
        assert_eq!(entry["annotations"][REFERENCE], "localhost/x:latest");
        let inner = document(&files, &path(entry));
        let mut found = Vec::new();
        for manifest in inner["manifests"].as_array().unwrap() {
            let variant = manifest["platform"]["variant"].as_str();
            found.push((
                manifest["platform"]["architecture"].as_str().unwrap().to_owned(),
                variant.map(str::to_owned),
            ));
            let config = document(&files, &path(&document(&files, &path(manifest))["config"]));
            assert_eq!(config["variant"].as_str(), variant);
            assert_eq!(config["created"], "2025-06-15T15:06:40Z");
        }
        let platform =
            |architecture: &str, variant: Option<&str>| (architecture.to_owned(), variant.map(str::to_owned));
        assert_eq!(found, [platform("amd64", None), platform("arm64", None), platform("arm", Some("v7"))]);
        assert!(!files.contains_key("manifest.json"));
    }

    #[test]
    fn an_image_for_one_platform_is_one_for_docker_too() {
        let archive = archive("localhost/x:latest", &[image(Target::Armv7)], 0).unwrap();
        let files = files(&archive);
        let docker = &document(&files, "manifest.json")[0];
        assert_eq!(docker["RepoTags"], json!(["localhost/x:latest"]));
        for path in [&docker["Config"], &docker["Layers"][0]] {
            assert!(files.contains_key(path.as_str().unwrap()), "{path}");
        }
    }
}
