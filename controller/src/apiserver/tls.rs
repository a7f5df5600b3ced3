//! The control port's certificate: an authority of the node's own that signs one server certificate and is then thrown
//! away, so that nothing else can ever be signed by it. Kubeconfigs carry the authority's certificate.

use super::private_file;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::Path;
use std::sync::Arc;

const AUTHORITY: &str = "ca.crt";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
/// The names that the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("the certificate in {folder} cannot be read or written")]
    File {
        /// The folder of the files.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// A file is there and holds something else.
    #[error(
        "the certificate in {folder} is damaged ({message}): delete ca.crt, server.crt and server.key there, and new ones are made"
    )]
    Damaged {
        /// The folder of the files.
        folder: String,
        /// What is wrong.
        message: String,
    },
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// A certificate that is ready to serve.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The authority's certificate, PEM: what clients are told to trust.
    pub authority_pem: String,
    /// TLS for a listener, with ALPN for HTTP/2 and HTTP/1.1.
    pub server: Arc<ServerConfig>,
}

/// Reads the certificate of a folder, or makes one there (mode 0600).
pub fn load_or_create(folder: &Path) -> Result<Identity, Error> {
    let file = |source| Error::File { folder: folder.display().to_string(), source };
    let read = |name: &str| private_file::read(&folder.join(name));
    let there = (read(AUTHORITY).map_err(file)?, read(CERTIFICATE).map_err(file)?, read(KEY).map_err(file)?);
    let (authority, certificate, key) = match there {
        (Some(authority), Some(certificate), Some(key)) => (authority, certificate, key),
        _ => {
            let (authority, certificate, key) = make()?;
            for (name, content) in [(AUTHORITY, &authority), (CERTIFICATE, &certificate), (KEY, &key)] {
                private_file::write(&folder.join(name), content.as_bytes()).map_err(file)?;
            }
            (authority, certificate, key)
        }
    };
    let server = server_config(&certificate, &key)
        .map_err(|message| Error::Damaged { folder: folder.display().to_string(), message })?;
    Ok(Identity { authority_pem: authority, server: Arc::new(server) })
}

fn make() -> Result<(String, String, String), Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name.push(DnType::CommonName, "fnctl node authority");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;

    let mut server = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    server.distinguished_name.push(DnType::CommonName, "fnctl node");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok((authority_certificate.pem(), certificate.pem(), key.serialize_pem()))
}

fn server_config(certificate: &str, key: &str) -> Result<ServerConfig, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|error| format!("server.crt: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| format!("server.key: {error}"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
