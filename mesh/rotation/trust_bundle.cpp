#include "mesh/rotation/trust_bundle.h"

#include <utility>

namespace meshtrust::mesh::rotation {

std::vector<pki::Certificate> TrustBundle::shown() const {
  std::vector<pki::Certificate> all = parsed.cert_chain;
  all.insert(all.end(), parsed.roots.begin(), parsed.roots.end());
  return all;
}

TrustBundle with_chain(const TrustBundle& roots_of, std::vector<pki::Certificate> chain) {
  return {.files = {.ca_cert = chain.front().pem(),
                    .cert_chain = pki::to_pem(chain),
                    .root_cert = roots_of.files.root_cert,
                    .ca_crl = roots_of.files.ca_crl},
          .parsed = {.ca_cert = chain.front(),
                     .cert_chain = std::move(chain),
                     .roots = roots_of.parsed.roots}};
}

TrustBundle with_roots(const TrustBundle& bundle, std::vector<pki::Certificate> roots) {
  TrustBundle changed = bundle;
  changed.files.root_cert = pki::to_pem(roots);
  changed.parsed.roots = std::move(roots);
  return changed;
}

base::Result<TrustBundle> read_bundle(istio::PublicBundle files) {
  auto parsed = istio::parse_bundle(files);
  if (!parsed) return base::fail(std::move(parsed).error());
  return TrustBundle{.files = std::move(files), .parsed = *std::move(parsed)};
}

}  // namespace meshtrust::mesh::rotation
