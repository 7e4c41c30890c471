#pragma once

#include "istio/acceptance.h"

#include <vector>

namespace meshtrust::istio {

/// What stands in the certificate files of a bundle and is no certificate: private keys, requests,
/// other PEM blocks, and certificates that Go does not see because something stands before them.
/// Looks at labels alone, so a key's block may have been emptied before (`pki::public_part`). Each
/// problem names the file (as its form calls it), the block and its line, and what istiod does with
/// it.
///
/// What istiod and workloads do: ca-cert.pem is read up to its first block, whatever its label;
/// every block of cert-chain.pem is sent to each workload, and its first is parsed at start;
/// root-cert.pem is published in every namespace as it is, and each of its blocks is parsed at
/// start. In the form with tls.crt the chain is tls.crt and ca.crt joined.
std::vector<BundleProblem> problems_of_foreign_blocks(const BundleQuestion& question);

/// The same for one file by itself, where the rest of the bundle is not known: `name` is
/// ca-cert.pem, cert-chain.pem, root-cert.pem or ca-crl.pem.
std::vector<BundleProblem> problems_of_foreign_blocks(std::string_view name, std::string_view pem);

}  // namespace meshtrust::istio
