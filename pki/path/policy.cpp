#include "pki/path/policy.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace meshtrust::pki {
namespace {

constexpr std::string_view kAnyPolicy = "2.5.29.32.0";

/// The lowest level of RFC 9618's graph: the policies that are valid so far, and what the next
/// certificate may call each. The levels above are not needed to tell whether any is left.
class ValidPolicies {
 public:
  bool empty() const { return valid_.empty(); }
  /// A certificate without policies was met.
  bool dropped() const { return dropped_; }
  void drop() {
    valid_.clear();
    dropped_ = true;
  }

  /// 6.1.3 (d): what `policies` of the next certificate leave.
  void descend(const std::vector<std::string>& policies, bool any_counts) {
    std::set<std::string> expected;
    for (const auto& [policy, names] : valid_) {
      expected.insert(names.begin(), names.end());
    }
    const bool any_above = valid_.contains(std::string(kAnyPolicy));
    std::map<std::string, std::set<std::string>> level;
    bool has_any = false;
    for (const std::string& policy : policies) {
      has_any = has_any || policy == kAnyPolicy;
      if (policy == kAnyPolicy) continue;
      if (any_above || expected.contains(policy)) level[policy] = {policy};
    }
    if (has_any && any_counts) {
      for (const std::string& policy : expected) {
        level.try_emplace(policy, std::set<std::string>{policy});
      }
    }
    valid_ = std::move(level);
  }

  /// 6.1.4 (b) (1) and (2).
  void map(const std::string& policy, const std::set<std::string>& to) {
    const auto found = valid_.find(policy);
    if (found != valid_.end()) {
      found->second = to;
    } else if (valid_.contains(std::string(kAnyPolicy))) {
      valid_[policy] = to;
    }
  }

  /// 6.1.4 (b) (3).
  void remove(const std::string& policy) { valid_.erase(policy); }

 private:
  bool dropped_ = false;
  std::map<std::string, std::set<std::string>> valid_{
      {std::string(kAnyPolicy), {std::string(kAnyPolicy)}}};
};

/// The state variables of 6.1.2 that count certificates.
struct Limits {
  std::size_t explicit_policy;
  std::size_t mapping;
  std::size_t any_policy;

  void step() {
    for (std::size_t* limit : {&explicit_policy, &mapping, &any_policy}) {
      if (*limit > 0) --*limit;
    }
  }
  static void lower(std::size_t& limit, const std::optional<int>& to) {
    // Below zero is a defect to everybody but Go, which takes no notice of it.
    if (to.value_or(-1) >= 0) limit = std::min(limit, static_cast<std::size_t>(*to));
  }
};

/// False when a mapping names anyPolicy (6.1.4 (a)), which counts `always` or where it would be
/// applied.
bool apply_mappings(ValidPolicies& valid,
                    const PathPolicies& policies,
                    const Limits& limits,
                    bool always) {
  const bool refused = always || (limits.mapping > 0 && !valid.dropped());
  std::map<std::string, std::set<std::string>> mapped;
  for (const auto& [from, to] : policies.mappings) {
    if (refused && (from == kAnyPolicy || to == kAnyPolicy)) return false;
    mapped[from].insert(to);
  }
  if (valid.empty()) return true;
  for (const auto& [from, to] : mapped) {
    if (limits.mapping > 0) {
      valid.map(from, to);
    } else {
      valid.remove(from);
    }
  }
  return true;
}

}  // namespace

std::optional<PathFailure> check_policies(const Path& path, const Rules& rules) {
  if (path.size() < 2) return std::nullopt;
  const std::size_t count = path.size() - 1;
  ValidPolicies valid;
  Limits limits{.explicit_policy = count + 1, .mapping = count + 1, .any_policy = count + 1};
  for (std::size_t i = count; i-- > 0;) {
    const PathFacts& facts = path[i]->facts();
    const PathPolicies& policies = facts.policies;
    const bool is_leaf = i == 0;
    const auto refuse = [&](std::string found, std::string wanted) {
      return failure_of(Check::kPolicy, *path[i], role_at(i, path.size(), true), i,
                        std::move(found), std::move(wanted));
    };
    if (!policies.policies) {
      valid.drop();
    } else if (!valid.empty()) {
      valid.descend(*policies.policies,
                    limits.any_policy > 0 || (!is_leaf && facts.is_self_issued()));
    }
    if (limits.explicit_policy == 0 && valid.empty()) {
      return refuse("no policy that is valid so far", "one, as an issuer demands");
    }
    if (is_leaf) break;
    if (!apply_mappings(valid, policies, limits, rules.idle_mappings_count)) {
      return refuse("a policy mapping of anyPolicy", "none");
    }
    if (!facts.is_self_issued()) limits.step();
    Limits::lower(limits.explicit_policy, policies.require_explicit);
    Limits::lower(limits.mapping, policies.inhibit_mapping);
    Limits::lower(limits.any_policy, policies.inhibit_any);
  }
  if (limits.explicit_policy > 0) --limits.explicit_policy;
  if (path.front()->facts().policies.require_explicit == 0) limits.explicit_policy = 0;
  if (limits.explicit_policy == 0 && valid.empty()) {
    return failure_of(Check::kPolicy, *path.front(), Role::kLeaf, 0,
                      "no policy that is valid all along the path", "one, as an issuer demands");
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
