//! BoringSSL as Envoy sets it: partial chains, and the purpose of the peer's side.

use boring_sys as ffi;
use std::ffi::{CStr, CString};
use std::ptr;
use verifiers::{answer_all, purposes, Case};

struct Certificate(*mut ffi::X509);

impl Certificate {
    fn parse(der: &[u8]) -> Result<Self, String> {
        let mut next = der.as_ptr();
        // SAFETY: `next` and the length describe `der`.
        let x509 = unsafe { ffi::d2i_X509(ptr::null_mut(), &mut next, der.len() as _) };
        unsafe { ffi::ERR_clear_error() };
        if x509.is_null() {
            return Err("not a certificate".into());
        }
        Ok(Certificate(x509))
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: owned since `parse`.
        unsafe { ffi::X509_free(self.0) }
    }
}

fn parse_all(ders: &[Vec<u8>]) -> Result<Vec<Certificate>, String> {
    ders.iter().map(|der| Certificate::parse(der)).collect()
}

/// SAFETY of the whole: BoringSSL's objects are made, used and freed here, in that order.
unsafe fn judge_for(case: &Case, purpose: &str) -> Result<(), String> {
    let chain = parse_all(&case.chain)?;
    let roots: Vec<Certificate> =
        case.roots.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let store = ffi::X509_STORE_new();
    for root in &roots {
        ffi::X509_STORE_add_cert(store, root.0);
    }
    let untrusted = ffi::OPENSSL_sk_new_null();
    for helper in &chain[1..] {
        ffi::OPENSSL_sk_push(untrusted, helper.0.cast());
    }
    let context = ffi::X509_STORE_CTX_new();
    ffi::X509_STORE_CTX_init(context, store, chain[0].0, untrusted.cast());
    let default = if purpose == "server" { c"ssl_server" } else { c"ssl_client" };
    ffi::X509_STORE_CTX_set_default(context, default.as_ptr());
    let param = ffi::X509_STORE_CTX_get0_param(context);
    ffi::X509_VERIFY_PARAM_set_flags(param, ffi::X509_V_FLAG_PARTIAL_CHAIN as _);
    ffi::X509_VERIFY_PARAM_set_time_posix(param, case.at);
    if !case.dns.is_empty() {
        ffi::X509_VERIFY_PARAM_set_hostflags(param, ffi::X509_CHECK_FLAG_NEVER_CHECK_SUBJECT as _);
        ffi::X509_VERIFY_PARAM_set1_host(param, case.dns.as_ptr().cast(), case.dns.len());
    }
    let mut readable = true; // the address that is asked for
    if !case.ip.is_empty() {
        let ip = CString::new(case.ip.as_str()).expect("an address");
        readable = ffi::X509_VERIFY_PARAM_set1_ip_asc(param, ip.as_ptr()) == 1;
    }
    let accepted = readable && ffi::X509_verify_cert(context) == 1;
    let error = ffi::X509_STORE_CTX_get_error(context);
    ffi::ERR_clear_error();
    ffi::X509_STORE_CTX_free(context);
    ffi::OPENSSL_sk_free(untrusted);
    ffi::X509_STORE_free(store);
    if accepted {
        return Ok(());
    }
    let text = ffi::X509_verify_cert_error_string(error.into());
    Err(CStr::from_ptr(text).to_string_lossy().into_owned())
}

fn main() {
    answer_all(|case| {
        if case.chain.is_empty() {
            return Err("there is no certificate to judge".into());
        }
        let mut last = Ok(());
        for purpose in purposes(case) {
            // SAFETY: see there.
            last = unsafe { judge_for(case, purpose) };
            if last.is_ok() {
                break;
            }
        }
        last
    });
}
