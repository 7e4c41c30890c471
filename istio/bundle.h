#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "pki/certificate.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::istio {

/// The files of a plugged-in CA that anybody may see, as PEM text, byte for byte as istiod reads
/// them.
struct PublicBundle {
  std::string ca_cert;      ///< the signing certificate, alone
  std::string cert_chain;   ///< the signing certificate, then what leads to the root
  std::string root_cert;    ///< what workloads trust
  std::string ca_crl = {};  ///< revocation lists; often none, and an empty file means the same

  friend bool operator==(const PublicBundle&, const PublicBundle&) = default;
};

/// How the files are called.
enum class BundleForm {
  kPem,  ///< ca-cert.pem and its neighbours
  kTls,  ///< tls.crt, tls.key, ca.crt: the chain is tls.crt and ca.crt joined as they are
};

/// The files of a form by what they are for. In the one with `tls.crt` the chain is no file.
struct FileNames {
  std::string_view ca_cert;
  std::string_view ca_key;
  std::string_view cert_chain;
  std::string_view root_cert;
};
const FileNames& file_names(BundleForm form);

/// All files, i.e. what the Secret `cacerts` holds.
struct Bundle {
  PublicBundle certificates;
  base::Secret ca_key;  ///< one clear-text PEM block
};

/// The bundle of an issuing CA: `chain` begins with its certificate and holds no root. Every file
/// ends in a newline, and `cert-chain.pem` begins with the bytes of `ca-cert.pem`.
Bundle make_bundle(std::span<const pki::Certificate> chain,
                   std::span<const pki::Certificate> roots,
                   base::Secret ca_key);

/// The certificates in a public bundle.
struct ParsedBundle {
  pki::Certificate ca_cert;
  std::vector<pki::Certificate> cert_chain;
  std::vector<pki::Certificate> roots;
  /// What in the chain file is no certificate; empty where nothing is. istiod sends that file as it
  /// stands, and ztunnel, which runs rustls-webpki, reads no chain that holds anything else.
  std::string foreign_in_chain = {};

  /// The signing certificate with the chain file as helpers: what istiod verifies when it loads.
  std::vector<pki::Certificate> signing_path() const;
};

/// kInvalidInput, naming the file, when one of them holds no certificate or something unreadable.
base::Result<ParsedBundle> parse_bundle(const PublicBundle& bundle,
                                        BundleForm form = BundleForm::kPem);

}  // namespace meshtrust::istio
