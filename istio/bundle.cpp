#include "istio/bundle.h"

#include "base/text.h"
#include "istio/names.h"
#include "pki/pem.h"

#include <fmt/format.h>

namespace meshtrust::istio {

using base::Result;

Bundle make_bundle(std::span<const pki::Certificate> chain,
                   std::span<const pki::Certificate> roots,
                   base::Secret ca_key) {
  MESHTRUST_CHECK(!chain.empty() && !roots.empty());
  return {.certificates = {.ca_cert = chain.front().pem(),
                           .cert_chain = pki::to_pem(chain),
                           .root_cert = pki::to_pem(roots)},
          .ca_key = std::move(ca_key)};
}

namespace {

Result<std::vector<pki::Certificate>> read_file(std::string_view name, std::string_view pem) {
  auto certificates = pki::certificates_from_pem(pem);
  if (certificates) return certificates;
  base::Error error = with_context(std::move(certificates).error(), name);
  // Problems of a bundle have one line each, and the way out belongs on it.
  for (const std::string& hint : error.hints) {
    error.message += fmt::format(" ({})", hint);
  }
  return base::fail(std::move(error));
}

/// "block 3 (line 23), 'PRIVATE KEY'"
std::string foreign_block_in(std::string_view chain) {
  for (const pki::PemMarker& block : pki::find_markers(chain)) {
    if (!block.is_seen || block.label == "CERTIFICATE") continue;
    return fmt::format("block {} (line {}), '{}'", block.number, block.line,
                       base::printable(block.label, 60));
  }
  return {};
}

/// istiod looks at the first block of the file and at no other, and not at its label.
Result<pki::Certificate> read_signing(std::string_view name, std::string_view pem) {
  const pki::PemText scanned = pki::scan_pem(pem);
  if (!scanned.blocks.empty() && scanned.blocks.front().label == "X509 CERTIFICATE") {
    const auto der = pki::decode(scanned.blocks.front());
    auto certificate = der ? pki::Certificate::from_der(*der) : base::fail(der.error());
    if (!certificate) return base::fail(with_context(std::move(certificate).error(), name));
    return certificate;
  }
  MESHTRUST_TRY(const auto certificates, read_file(name, pem));
  return certificates.front();
}

}  // namespace

const FileNames& file_names(BundleForm form) {
  static constexpr FileNames kPemNames{.ca_cert = kCaCertFile,
                                       .ca_key = kCaKeyFile,
                                       .cert_chain = kCertChainFile,
                                       .root_cert = kRootCertFile};
  static constexpr FileNames kTlsNames{.ca_cert = kTlsCertFile,
                                       .ca_key = kTlsKeyFile,
                                       .cert_chain = "tls.crt and ca.crt",
                                       .root_cert = kTlsRootFile};
  return form == BundleForm::kPem ? kPemNames : kTlsNames;
}

std::vector<pki::Certificate> ParsedBundle::signing_path() const {
  std::vector<pki::Certificate> path{ca_cert};
  path.insert(path.end(), cert_chain.begin(), cert_chain.end());
  return path;
}

Result<ParsedBundle> parse_bundle(const PublicBundle& bundle, BundleForm form) {
  const FileNames& files = file_names(form);
  MESHTRUST_TRY(auto ca_cert, read_signing(files.ca_cert, bundle.ca_cert));
  MESHTRUST_TRY(auto cert_chain, read_file(files.cert_chain, bundle.cert_chain));
  MESHTRUST_TRY(auto roots, read_file(files.root_cert, bundle.root_cert));
  return ParsedBundle{.ca_cert = std::move(ca_cert),
                      .cert_chain = std::move(cert_chain),
                      .roots = std::move(roots),
                      .foreign_in_chain = foreign_block_in(bundle.cert_chain)};
}

}  // namespace meshtrust::istio
