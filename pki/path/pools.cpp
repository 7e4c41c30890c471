#include "pki/path/pools.h"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace meshtrust::pki {
namespace {

/// 0 for an issuer whose key identifier is the one that `child` names, 2 for another's.
int likeness(const PathCertificate& child, const PathCertificate& issuer) {
  const std::string wanted = child.facts().authority_key_id.value_or("");
  const std::string found = issuer.facts().subject_key_id.value_or("");
  if (wanted == found) return 0;
  return wanted.empty() || found.empty() ? 1 : 2;
}

}  // namespace

Pools::Pools(const ChainQuestion& question, const Rules& rules) : rules_(rules) {
  std::unordered_set<std::string> seen;
  for (const PathCertificate& anchor : question.anchors) {
    if (!seen.insert(anchor.facts().fingerprint).second) continue;
    anchors_[name_key(anchor.facts().subject)].push_back(&anchor);
  }
  seen.clear();
  Pool intermediates;
  for (std::size_t i = 1; i < question.chain.size(); ++i) {
    const PathCertificate& one = question.chain[i];
    if (!seen.insert(one.facts().fingerprint).second) continue;
    intermediates.push_back(&one);
    intermediates_[name_key(one.facts().subject)].push_back(&one);
  }
  find_reachable(intermediates);
}

std::string Pools::name_key(const PathName& name) const {
  return rules_.folds_names ? name.key() : name.raw;
}

void Pools::find_reachable(const Pool& intermediates) {
  std::multimap<std::string, std::string> issued;  // issuer's name to subject's
  for (const PathCertificate* one : intermediates) {
    issued.emplace(name_key(one->facts().issuer), name_key(one->facts().subject));
  }
  std::vector<std::string> open;
  for (const auto& [name, anchors] : anchors_) {
    open.push_back(name);
    reachable_.insert(name);
  }
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    const auto [first, last] = issued.equal_range(name);
    for (auto it = first; it != last; ++it) {
      if (reachable_.insert(it->second).second) open.push_back(it->second);
    }
  }
}

bool Pools::leads_somewhere(const PathCertificate& certificate) const {
  return reachable_.contains(name_key(certificate.facts().issuer));
}

std::vector<Candidate> Pools::candidates(const PathCertificate& child) const {
  std::vector<Candidate> all;
  const std::string name = name_key(child.facts().issuer);
  const auto append = [&](const Named& named, bool is_anchor) {
    const auto found = named.find(name);
    if (found == named.end()) return;
    const auto begin = static_cast<std::ptrdiff_t>(all.size());
    for (const PathCertificate* one : found->second) {
      all.push_back({one, is_anchor});
    }
    if (!rules_.turns_back || rules_.signatures_last) return;  // as they stand
    std::stable_sort(all.begin() + begin, all.end(), [&](const Candidate& a, const Candidate& b) {
      return likeness(child, *a.certificate) < likeness(child, *b.certificate);
    });
  };
  append(anchors_, true);
  append(intermediates_, false);
  return all;
}

}  // namespace meshtrust::pki
