#include "mesh/strangers.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/check/material.h"
#include "pki/pem.h"

#include <fmt/format.h>

#include <set>

namespace meshtrust::mesh {
namespace {

using Fingerprints = std::set<std::string>;

void add(std::string_view pem, Fingerprints& known) {
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates) return;  // an empty text, mostly
  for (const pki::Certificate& one : *certificates) {
    known.insert(one.fingerprint());
  }
}

/// What workloads may be told to trust.
Fingerprints anchors_of(const StoreFacts& store) {
  Fingerprints known;
  for (const std::string& root : store.roots) {
    add(root, known);
  }
  add(store.above, known);
  add(store.ever_above, known);
  return known;
}

/// What cannot be read at all is told by those who load it.
std::vector<Stranger> unknown_in(std::string_view pem,
                                 std::string_view file,
                                 const Fingerprints& known) {
  std::vector<Stranger> strangers;
  for (const pki::PemBlock& block : pki::scan_pem(pem).blocks) {
    if (block.label == "X509 CRL") continue;
    const auto der = block.label == "CERTIFICATE" ? pki::decode(block) : base::Bytes{};
    const auto certificate = pki::Certificate::from_der(der ? *der : base::Bytes{});
    if (certificate && known.contains(certificate->fingerprint())) continue;
    strangers.push_back({.file = std::string(file),
                         .name = certificate
                                     ? describe(*certificate)
                                     : fmt::format("a PEM block '{}' (line {})",
                                                   base::printable(block.label, 40), block.line)});
  }
  return strangers;
}

}  // namespace

std::vector<Stranger> strangers_among(std::string_view roots,
                                      std::string_view file,
                                      const StoreFacts& store) {
  return unknown_in(roots, file, anchors_of(store));
}

std::vector<Stranger> strangers_in(const istio::PublicBundle& bundle, const StoreFacts& store) {
  const Fingerprints anchors = anchors_of(store);
  Fingerprints own;
  if (const auto live = pki::certificates_from_pem(bundle.ca_cert)) {
    own.insert(live->front().fingerprint());
  }
  Fingerprints presented = anchors;
  presented.insert(own.begin(), own.end());
  std::vector<Stranger> all = unknown_in(bundle.ca_cert, istio::kCaCertFile, own);
  for (const auto& more : {unknown_in(bundle.cert_chain, istio::kCertChainFile, presented),
                           unknown_in(bundle.root_cert, istio::kRootCertFile, anchors)}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace meshtrust::mesh
