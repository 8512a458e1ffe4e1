//! TLS: the server's certificate and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig};

/// The protocols offered in TLS.
const HTTP: &[u8] = b"http/1.1";

/// The options of TLS: a certificate and its key.
#[derive(Args, Clone, Debug)]
pub struct TlsArgs {
    /// PEM file with the server's certificate and its chain, for https and wss
    #[arg(long, value_name = "PATH", required = false, requires = "tls_key")]
    pub tls_cert: PathBuf,

    /// Private key of the certificate; a PEM file
    #[arg(long, value_name = "PATH", required = false, requires = "tls_cert")]
    pub tls_key: PathBuf,
}

impl TlsArgs {
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let certificates = read_certificates(&self.tls_cert)?;
        let key = read_key(&self.tls_key)?;
        // Name the provider, because another crate may add a second one and then there is no
        // default.
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|source| match source {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch(self.clone())
                }
                source => TlsError::Unusable {
                    args: self.clone(),
                    source,
                },
            })?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::NoCertificate(path.to_owned()))
        }
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(TlsError::Unread {
            option: "--tls-cert",
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let path = path.to_owned();
    PrivateKeyDer::from_pem_file(&path).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::NoKey(path),
        source => TlsError::Unread {
            option: "--tls-key",
            path,
            source,
        },
    })
}

/// Why TLS cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {option} `{}`: {source}", path.display())]
    Unread {
        /// The option of the file.
        option: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: pem::Error,
    },
    /// The certificate's file has no certificate.
    #[error(
        "there is no certificate in --tls-cert {}: it takes a PEM file with the server's own certificate, \
         then those that vouch for it",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// The key's file has no key.
    #[error(
        "there is no private key in --tls-key {}: it takes a PEM file with a key that has no password",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The key does not match the certificate.
    #[error(
        "the key of --tls-key {} is not that of the certificate in --tls-cert {}: it must be that of the first one \
         there",
        .0.tls_key.display(),
        .0.tls_cert.display()
    )]
    Mismatch(TlsArgs),
    /// The TLS library refuses them.
    #[error(
        "cannot serve with --tls-cert {} and --tls-key {}: {source}",
        args.tls_cert.display(),
        args.tls_key.display()
    )]
    Unusable {
        /// The options.
        args: TlsArgs,
        /// The error of the library.
        source: Error,
    },
}
