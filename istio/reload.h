#pragma once

#include "istio/behaviour.h"

#include <string>

namespace meshtrust::istio {

/// A change of `root-cert.pem` under a running istiod.
struct RootChange {
  const std::string& loaded;  ///< the file's bytes, as they were read
  const std::string& wanted;
  RootRule rule = RootRule::kSubset;
  bool multi_root = false;  ///< ISTIO_MULTIROOT_MESH
};

/// Why istiod passes over the whole update, a new intermediate in it too, until it is restarted;
/// empty when it takes it. Equal bytes are always taken.
std::string objection_to_reload(const RootChange& change);

}  // namespace meshtrust::istio
