#pragma once

#include "istio/version.h"

#include <span>
#include <string_view>

namespace meshtrust::istio {

/// How a version compares the roots that it has loaded with those of a changed `cacerts`.
enum class RootRule {
  kPartOfBytes,  ///< one file's bytes stand in one piece inside the other's
  kSubset,       ///< one file's certificates are all among the other's, in any order
};

/// What istiod does with `cacerts`, where versions differ.
struct LoaderBehaviour {
  bool refuses_incomplete = false;  ///< else a missing key means a silent self-signed CA
  bool reads_crl = false;           ///< `ca-crl.pem`, and sidecars are handed it
  RootRule root_rule = RootRule::kPartOfBytes;
  bool clamps_workloads = false;  ///< a workload's certificate never outlives the signing CA
};

/// The one place that knows what changed when.
LoaderBehaviour behaviour_of(const Version& version);

/// One change, for people: when, what.
struct BehaviourChange {
  std::string_view since;  ///< "1.26.1", or several: "1.28.7, 1.29.3, 1.30.0"
  std::string_view what;
};
std::span<const BehaviourChange> behaviour_changes();

/// What is assumed where nobody says which version runs: the newest that is known.
inline constexpr Version kNewestKnown{
    .major = kSupportedMajor, .minor = kNewestSupportedMinor, .patch = 0};

}  // namespace meshtrust::istio
