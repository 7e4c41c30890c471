//! rustls-webpki with ring, as ztunnel's rustls calls it.

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::Duration;
use verifiers::{answer_all, purposes, Case};
use webpki::{anchor_from_trusted_cert, EndEntityCert, KeyUsage, ALL_VERIFICATION_ALGS};

fn judge_for(case: &Case, purpose: &str) -> Result<(), webpki::Error> {
    let ders: Vec<CertificateDer<'_>> =
        case.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let leaf = EndEntityCert::try_from(&ders[0])?;
    let roots: Vec<CertificateDer<'_>> =
        case.roots.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    // A root store skips what it cannot read.
    let anchors: Vec<_> =
        roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    let usage = match purpose {
        "server" => KeyUsage::server_auth(),
        _ => KeyUsage::client_auth(),
    };
    let time = UnixTime::since_unix_epoch(Duration::from_secs(case.at as u64));
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &ders[1..], time, usage, None, None)?;
    let name = if case.ip.is_empty() { &case.dns } else { &case.ip };
    if name.is_empty() {
        return Ok(());
    }
    match ServerName::try_from(name.as_str()) {
        Ok(name) => leaf.verify_is_valid_for_subject_name(&name),
        Err(_) => Err(webpki::Error::MalformedDnsIdentifier),
    }
}

fn main() {
    answer_all(|case| {
        if case.chain.is_empty() {
            return Err("there is no certificate to judge".into());
        }
        let mut last = Ok(());
        for purpose in purposes(case) {
            last = judge_for(case, purpose).map_err(|error| format!("{error:?}"));
            if last.is_ok() {
                break;
            }
        }
        last
    });
}
