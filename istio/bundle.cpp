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

Result<ParsedBundle> parse_bundle(const PublicBundle& bundle) {
  MESHTRUST_TRY(auto ca_cert, read_file(kCaCertFile, bundle.ca_cert));
  MESHTRUST_TRY(auto cert_chain, read_file(kCertChainFile, bundle.cert_chain));
  MESHTRUST_TRY(auto roots, read_file(kRootCertFile, bundle.root_cert));
  // istiod looks at the first certificate of ca-cert.pem and at no other.
  return ParsedBundle{
      .ca_cert = ca_cert.front(), .cert_chain = std::move(cert_chain), .roots = std::move(roots)};
}

}  // namespace meshtrust::istio
