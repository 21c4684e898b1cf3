//! The bill of materials, in JSON after SPDX 2.3 (spdx.github.io/spdx-spec/v2.3). Scanners of images read it from within the image.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::blob::digest;
use crate::layout::SOURCE;
use crate::parts::{Part, Parts};

/// The whole document, for a program of these bytes.
pub fn sbom(parts: &Parts, program: &[u8], created: Timestamp) -> Value {
    let hash = digest(program);
    let hash = hash.trim_start_matches("sha256:");
    let packages: Vec<Value> = parts.all.iter().enumerate().map(|(place, part)| package(place, part, hash)).collect();
    let describes = [json!({
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": id(&parts.all[0])
    })];
    let needs = parts.needs.iter().map(|(one, other)| {
        json!({
            "spdxElementId": id(&parts.all[*one]), "relationshipType": "DEPENDS_ON", "relatedSpdxElement": id(&parts.all[*other])
        })
    });
    let relationships: Vec<Value> = describes.into_iter().chain(needs).collect();
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{}-{}", parts.all[0].name, parts.all[0].version),
        "documentNamespace": format!("{SOURCE}/spdx/{hash}"),
        "creationInfo": {"created": created.to_string(), "creators": ["Organization: Hookgate", "Tool: hookgate-packaging"]},
        "packages": packages,
        "relationships": relationships,
    })
}

fn package(place: usize, part: &Part, hash: &str) -> Value {
    let mut package = json!({
        "SPDXID": id(part),
        "name": part.name,
        "versionInfo": part.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": part.licence,
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": if place == 0 { "APPLICATION" } else { "LIBRARY" },
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.url}],
    });
    if !part.repository.is_empty() {
        package["homepage"] = json!(part.repository);
    }
    if place == 0 {
        package["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": hash}]);
    }
    package
}

/// Letters, digits, dots and dashes are all that an identifier takes.
fn id(part: &Part) -> String {
    let text = format!("SPDXRef-{}-{}", part.name, part.version);
    text.chars().map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' }).collect()
}
