#include "pki/family.h"

#include <map>
#include <string>

namespace meshtrust::pki {
namespace {

constexpr std::size_t kMostTried = 32;

bool identifiers_agree(const CertificateFacts& child, const CertificateFacts& parent) {
  return !child.authority_key_id || !parent.subject_key_id ||
         *child.authority_key_id == *parent.subject_key_id;
}

using ByName = std::multimap<base::Bytes, std::size_t>;

std::optional<std::size_t> find_issuer_of(std::size_t child,
                                          const std::vector<Certificate>& members,
                                          const ByName& by_name) {
  const auto [begin, end] = by_name.equal_range(members[child].facts().issuer_der);
  std::optional<std::size_t> found;
  std::size_t tried = 0;
  for (auto each = begin; each != end && tried < kMostTried; ++each) {
    const std::size_t parent = each->second;
    if (parent == child || !identifiers_agree(members[child].facts(), members[parent].facts())) {
      continue;
    }
    ++tried;
    if (!members[child].is_signed_by(members[parent])) continue;
    // A self-signed issuer is the end of a path, so it is preferred to its cross-certificates.
    if (members[parent].is_self_signed()) return parent;
    if (!found) found = parent;
  }
  return found;
}

bool is_above(const Family& family, std::size_t member, std::size_t start) {
  std::optional<std::size_t> at = start;
  while (at && *at != member) {
    at = family.issuer[*at];
  }
  return at.has_value();
}

}  // namespace

Family find_family(std::span<const Certificate> certificates) {
  Family family;
  std::map<std::string, std::size_t> seen;
  ByName by_name;
  for (const Certificate& certificate : certificates) {
    const auto [entry, is_new] = seen.emplace(certificate.fingerprint(), family.members.size());
    family.place.push_back(entry->second);
    if (!is_new) continue;
    by_name.emplace(certificate.facts().subject_der, family.members.size());
    family.members.push_back(certificate);
  }
  family.issuer.resize(family.members.size());
  for (std::size_t i = 0; i < family.members.size(); ++i) {
    if (family.members[i].is_self_signed()) continue;
    const auto issuer = find_issuer_of(i, family.members, by_name);
    if (issuer && !is_above(family, i, *issuer)) family.issuer[i] = issuer;
  }
  return family;
}

}  // namespace meshtrust::pki
