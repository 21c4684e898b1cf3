//! How the chart names the image: an image under another name would not be the one that it asks for.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the chart says of the image and of the product.
#[derive(Debug)]
pub struct Chart {
    /// Without a tag.
    pub repository: String,
    /// The tag.
    pub version: String,
    /// One line about the product.
    pub description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    app_version: String,
    description: String,
}

#[derive(Deserialize)]
struct Values {
    image: Repository,
}

#[derive(Deserialize)]
struct Repository {
    repository: String,
}

impl Chart {
    /// Reads Chart.yaml and values.yaml of a folder.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let head: Head = yaml(&folder.join("Chart.yaml"))?;
        let values: Values = yaml(&folder.join("values.yaml"))?;
        Ok(Self { repository: values.image.repository, version: head.app_version, description: head.description })
    }

    /// The image's name with its tag.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.version)
    }
}

fn yaml<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| file.display().to_string())
}
