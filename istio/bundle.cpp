#include "istio/bundle.h"

#include "istio/names.h"

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
  if (!certificates) return base::fail(with_context(std::move(certificates).error(), name));
  return certificates;
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

Result<ParsedBundle> parse_bundle(const PublicBundle& bundle, BundleForm form) {
  const FileNames& files = file_names(form);
  MESHTRUST_TRY(auto ca_cert, read_file(files.ca_cert, bundle.ca_cert));
  MESHTRUST_TRY(auto cert_chain, read_file(files.cert_chain, bundle.cert_chain));
  MESHTRUST_TRY(auto roots, read_file(files.root_cert, bundle.root_cert));
  // istiod looks at the first certificate of ca-cert.pem and at no other.
  return ParsedBundle{
      .ca_cert = ca_cert.front(), .cert_chain = std::move(cert_chain), .roots = std::move(roots)};
}

}  // namespace meshtrust::istio
