#pragma once

#include "istio/bundle.h"
#include "mesh/observation.h"

#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// Something in a file of a cluster's trust that does not come from its store.
struct Stranger {
  std::string file;  ///< "root-cert.pem"
  /// "'O=Other,CN=Root' (sha256 a0f5 ...)", or, of a block that some loaders take for a certificate
  /// and others skip, "a PEM block 'TRUSTED CERTIFICATE' (line 14)".
  std::string name;
};

/// What stands in `roots`, a text like root-cert.pem, and is no anchor of `store`: neither one of
/// its roots nor a CA that stands above one, or did. An intermediate is none, whoever issued it:
/// Envoy trusts whatever is in that file. `file` is what the text is called.
std::vector<Stranger> strangers_among(std::string_view roots,
                                      std::string_view file,
                                      const StoreFacts& store);

/// Likewise all files of `bundle`, whose CA (the first certificate of ca-cert.pem) is of the store:
/// beside it ca-cert.pem holds nothing, and cert-chain.pem no more than what stands above it.
std::vector<Stranger> strangers_in(const istio::PublicBundle& bundle, const StoreFacts& store);

}  // namespace meshtrust::mesh
