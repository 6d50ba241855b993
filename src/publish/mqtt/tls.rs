//! What TLS needs, read from its files anew for each connection, so that a
//! certificate can be renewed without a restart.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::TlsPlan;

/// Reads the files of `plan`. The error names the file, the key in the
/// configuration and the cure.
pub(super) fn client_config(plan: &TlsPlan) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots(plan.ca.as_deref())?);
    let config = match &plan.client {
        None => builder.with_no_client_auth(),
        Some((cert_file, key_file)) => {
            let chain = certificates(cert_file, "mqtt.cert-file")?;
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| {
                format!(
                    "{} (mqtt.key-file) holds no private key that can be read: {error}. Give a \
                     PEM file with an unencrypted key",
                    key_file.display()
                )
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                format!(
                    "{} (mqtt.cert-file) and {} (mqtt.key-file) cannot be used together: {error}",
                    cert_file.display(),
                    key_file.display()
                )
            })?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            for certificate in certificates(file, "mqtt.ca-file")? {
                roots.add(certificate).map_err(|error| {
                    format!(
                        "{} (mqtt.ca-file) holds a certificate that cannot be used: {error}",
                        file.display()
                    )
                })?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            let (added, _) = roots.add_parsable_certificates(system.certs);
            if added == 0 {
                let cause = system.errors.first().map(ToString::to_string);
                return Err(format!(
                    "the system has no certificate authorities{}: install ca-certificates or set \
                     mqtt.ca-file",
                    cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
                ));
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error: &dyn std::fmt::Display| {
        format!(
            "{} ({key}) cannot be read as PEM certificates: {error}",
            file.display()
        )
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| unreadable(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(&error))?;
    if certificates.is_empty() {
        return Err(unreadable(&"there is none in it"));
    }
    Ok(certificates)
}
