#include "istio/behaviour.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace meshtrust::istio {
namespace {

/// A change came with a release, and before that with patches of older minors: `since` names the
/// first release of each branch that has it, the oldest first.
bool has(const Version& version, std::initializer_list<Version> since) {
  const Version& everywhere = *(since.end() - 1);
  return version >= everywhere || std::any_of(since.begin(), since.end(), [&](const Version& each) {
           return each.major == version.major && each.minor == version.minor &&
                  version.patch >= each.patch;
         });
}

constexpr std::array kChanges = {
    BehaviourChange{"1.26.1",
                    "an incomplete cacerts stops istiod; before, a missing key meant a "
                    "silent self-signed CA"},
    BehaviourChange{"1.27.0", "ca-crl.pem is read and handed to sidecars"},
    BehaviourChange{"1.28.7, 1.29.3, 1.30.0",
                    "a workload's certificate never outlives the CA that signs it"},
    BehaviourChange{"1.30.0", "roots are compared as a set of certificates; before, as bytes"},
};

}  // namespace

LoaderBehaviour behaviour_of(const Version& version) {
  return {.refuses_incomplete = has(version, {{1, 26, 1}}),
          .reads_crl = has(version, {{1, 27, 0}}),
          .root_rule = has(version, {{1, 30, 0}}) ? RootRule::kSubset : RootRule::kPartOfBytes,
          .clamps_workloads = has(version, {{1, 28, 7}, {1, 29, 3}, {1, 30, 0}})};
}

std::span<const BehaviourChange> behaviour_changes() {
  return kChanges;
}

}  // namespace meshtrust::istio
