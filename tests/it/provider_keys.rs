//! Keys for any definition, in the shape that its schemes read: the right ones, and others that must not pass.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hookgate::api::provider::{CipherKeyForm, Decrypt};
use hookgate::api::scheme::{JwtAlgorithm, KeyEncoding, KeyFormat, PublicKeyAlgorithm, Scheme};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::secret::SecretBytes;
use jiff::Timestamp;

/// A key pair: the private half as PKCS#8, the public half as a SubjectPublicKeyInfo and, for Ed25519, raw.
#[derive(Clone)]
pub struct Pair {
    pub private: Vec<u8>,
    spki: Vec<u8>,
    raw: Vec<u8>,
}

/// Right pairs at 0, wrong ones at 1.
static ED25519: LazyLock<[Pair; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| {
        let pair = Ed25519KeyPair::generate().unwrap();
        Pair {
            private: pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
            raw: pair.public_key().as_ref().to_vec(),
        }
    })
});
static P256: LazyLock<[Pair; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Pair {
            private: pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
            raw: Vec::new(),
        }
    })
});
static P521: LazyLock<[Pair; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
        Pair {
            private: pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
            raw: Vec::new(),
        }
    })
});
static RSA: LazyLock<[Pair; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Pair {
            private: AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec(),
            spki: AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key())
                .unwrap()
                .as_ref()
                .to_vec(),
            raw: Vec::new(),
        }
    })
});

/// PEM of DER bytes.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl Pair {
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.private)
    }

    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }
}

/// The family of a JWT key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Secret,
    Rsa,
    Ec,
}

impl Family {
    pub fn of(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::HS256 | JwtAlgorithm::HS384 | JwtAlgorithm::HS512 => Self::Secret,
            JwtAlgorithm::RS256 | JwtAlgorithm::RS384 | JwtAlgorithm::RS512 => Self::Rsa,
            JwtAlgorithm::ES256 => Self::Ec,
        }
    }

    pub fn pair(self, which: usize) -> Option<Pair> {
        match self {
            Self::Secret => None,
            Self::Rsa => Some(RSA[which].clone()),
            Self::Ec => Some(P256[which].clone()),
        }
    }
}

/// The families that the schemes' JWTs may be signed with; one that stands for none where there is no JWT.
pub fn families(schemes: &[Scheme]) -> BTreeSet<Family> {
    let named = schemes.iter().filter_map(|scheme| scheme.jwt.as_ref()).flat_map(|jwt| &jwt.algorithms);
    let found: BTreeSet<Family> = named.map(|algorithm| Family::of(*algorithm)).collect();
    if found.is_empty() { BTreeSet::from([Family::Secret]) } else { found }
}

/// What the user of a source would have.
#[derive(Clone, Default)]
pub struct Keys {
    pub refs: Vec<KeyRef>,
    /// The vendor's half, where the scheme has one.
    pub pair: Option<Pair>,
}

impl Keys {
    pub fn private_pem(&self) -> Option<String> {
        self.pair.as_ref().map(Pair::private_pem)
    }

    pub fn secret(&self, purpose: Option<&str>) -> &[u8] {
        let found = self.refs.iter().find(|key| key.purpose.as_deref() == purpose);
        found.and_then(|key| key.value.as_ref()).map(SecretBytes::expose).unwrap_or_default()
    }

    pub fn purposes(&self) -> BTreeSet<Option<String>> {
        self.refs.iter().map(|key| key.purpose.clone()).collect()
    }

    /// The same keys, those of one purpose taken from others.
    pub fn with(&self, purpose: Option<&str>, others: &Self) -> Vec<KeyRef> {
        let own = self.refs.iter().filter(|key| key.purpose.as_deref() != purpose);
        own.chain(others.refs.iter().filter(|key| key.purpose.as_deref() == purpose)).cloned().collect()
    }

    /// The same with the key that decrypts, where that is none of them.
    pub fn and_cipher(mut self, decrypt: Option<&Decrypt>, which: usize) -> Self {
        let there = |purpose: &Option<String>| self.refs.iter().any(|key| key.purpose == *purpose);
        if let Some(decrypt) = decrypt.filter(|decrypt| !there(&decrypt.purpose)) {
            let value = match decrypt.key.unwrap_or_default() {
                CipherKeyForm::SHA256 => format!("cipher-{which}-of-the-proof"),
                CipherKeyForm::Base64 => STANDARD_NO_PAD.encode([if which == 0 { 7 } else { 8 }; 32]),
            };
            self.refs.push(reference(which, decrypt.purpose.clone(), value));
        }
        self
    }

    pub fn ending(&self, at: Timestamp) -> Vec<KeyRef> {
        self.refs.iter().map(|key| KeyRef { not_after: Some(at), ..key.clone() }).collect()
    }
}

/// Keys for schemes: `which` 0 are the right ones, 1 the wrong.
pub fn keys(schemes: &[Scheme], family: Family, which: usize) -> Keys {
    let mut values: BTreeMap<Option<String>, String> = BTreeMap::new();
    let mut pair = None;
    for scheme in schemes {
        let purpose = scheme.purpose.clone();
        // A letter stands first, so that the wrong case of a token is another token.
        let text = format!("{}-{which}-of-the-proof", purpose.as_deref().unwrap_or("secret"));
        let bytes: Vec<u8> = text.bytes().rev().collect();
        let value = if let Some(hmac) = &scheme.hmac {
            let prefix = hmac.key_prefix.as_deref().unwrap_or_default();
            match hmac.key_encoding.unwrap_or_default() {
                KeyEncoding::UTF8 | KeyEncoding::SHA1 => text,
                // Letters that are others once they are normalised.
                KeyEncoding::NFKD => format!("{text}-\u{e9}\u{fb01}"),
                KeyEncoding::Base64 => format!("{prefix}{}", STANDARD.encode(bytes)),
                KeyEncoding::Hex => format!("{prefix}{}", hex::encode(bytes)),
            }
        } else if let Some(public) = &scheme.public_key {
            let chosen = match public.algorithm {
                PublicKeyAlgorithm::Ed25519 => &ED25519[which],
                PublicKeyAlgorithm::EcdsaP256Sha256 => &P256[which],
                PublicKeyAlgorithm::EcdsaP521Sha512 => &P521[which],
                PublicKeyAlgorithm::RsaSha1 | PublicKeyAlgorithm::RsaSha256 => &RSA[which],
            };
            pair = Some(chosen.clone());
            let der = if public.format == Some(KeyFormat::Raw) { &chosen.raw } else { &chosen.spki };
            let prefix = public.key_prefix.as_deref().unwrap_or_default();
            match (public.format.unwrap_or_default(), public.key_encoding.unwrap_or_default()) {
                (KeyFormat::PEM, _) => chosen.public_pem(),
                (_, KeyEncoding::Hex) => format!("{prefix}{}", hex::encode(der)),
                (_, KeyEncoding::Base64 | KeyEncoding::UTF8 | KeyEncoding::NFKD | KeyEncoding::SHA1) => {
                    format!("{prefix}{}", STANDARD.encode(der))
                }
            }
        } else if scheme.jwt.is_some() {
            pair = family.pair(which);
            pair.as_ref().map_or(text, Pair::public_pem)
        } else if scheme.basic.is_some() {
            for half in ["username", "password"] {
                values.insert(Some(half.to_owned()), format!("{half}-{which}-of-the-proof"));
            }
            continue;
        } else if scheme.none.is_some() {
            continue;
        } else {
            text
        };
        values.insert(purpose, value);
    }
    let refs = values.into_iter().map(|(purpose, value)| reference(which, purpose, value));
    Keys { refs: refs.collect(), pair }
}

fn reference(which: usize, purpose: Option<String>, value: String) -> KeyRef {
    KeyRef {
        secret: format!("keys-{which}"),
        key: purpose.clone().unwrap_or_else(|| "signing".to_owned()),
        purpose,
        not_after: None,
        value: Some(SecretBytes::new(value.into_bytes())),
    }
}
