#include "istio/reload.h"

#include "istio/names.h"
#include "pki/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::istio {
namespace {

std::set<std::string> fingerprints_in(const std::string& pem) {
  std::set<std::string> found;
  const auto certificates = pki::certificates_from_pem(pem);
  if (!certificates) return found;
  for (const pki::Certificate& one : *certificates) {
    found.insert(one.fingerprint());
  }
  return found;
}

bool is_part_of(const std::string& part, const std::string& whole) {
  return whole.find(part) != std::string::npos;
}

bool may_change(const RootChange& change) {
  if (change.rule == RootRule::kPartOfBytes) {
    return is_part_of(change.loaded, change.wanted) || is_part_of(change.wanted, change.loaded);
  }
  const auto loaded = fingerprints_in(change.loaded);
  const auto wanted = fingerprints_in(change.wanted);
  return std::ranges::includes(loaded, wanted) || std::ranges::includes(wanted, loaded);
}

}  // namespace

std::string objection_to_reload(const RootChange& change) {
  if (change.loaded == change.wanted) return "";
  if (!change.multi_root) {
    return fmt::format("{} is not byte for byte what is loaded, and ISTIO_MULTIROOT_MESH is off",
                       kRootCertFile);
  }
  if (may_change(change)) return "";
  if (change.rule == RootRule::kPartOfBytes) {
    return fmt::format("neither {} nor what is loaded stands in one piece inside the other",
                       kRootCertFile);
  }
  return fmt::format("{} neither only adds roots to those loaded nor only takes some away",
                     kRootCertFile);
}

}  // namespace meshtrust::istio
