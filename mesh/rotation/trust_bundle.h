#pragma once

#include "istio/bundle.h"
#include "pki/certificate.h"

#include <string>
#include <vector>

namespace meshtrust::mesh::rotation {

/// The public half of a `cacerts`: the bytes that istiod compares, and the certificates in them.
struct TrustBundle {
  istio::PublicBundle files;
  istio::ParsedBundle parsed;

  const pki::Certificate& signer() const { return parsed.ca_cert; }
  /// What a workload sends behind its own certificate: the chain file, then the root file (the
  /// agent and istiod join them; ztunnel leaves the roots out, which no verifier minds).
  std::vector<pki::Certificate> shown() const;
};

/// A bundle of `chain`, which begins with the signing certificate, with the roots of `roots_of`
/// byte for byte: an istiod without ISTIO_MULTIROOT_MESH passes over any other bytes.
TrustBundle with_chain(const TrustBundle& roots_of, std::vector<pki::Certificate> chain);

/// `bundle` with other roots.
TrustBundle with_roots(const TrustBundle& bundle, std::vector<pki::Certificate> roots);

/// kInvalidInput as of `istio::parse_bundle`.
base::Result<TrustBundle> read_bundle(istio::PublicBundle files);

}  // namespace meshtrust::mesh::rotation
