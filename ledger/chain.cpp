#include "ledger/chain.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;
using pki::Certificate;

constexpr std::size_t kMostTiers = 8;

bool names_key_of(const Certificate& child, const Certificate& issuer) {
  const auto& named = child.facts().authority_key_id;
  const auto& identifier = issuer.facts().subject_key_id;
  return !named || !identifier || named == identifier;
}

bool is_issued_by(const Certificate& child, const Certificate& issuer) {
  return child.facts().issuer_der == issuer.facts().subject_der && names_key_of(child, issuer) &&
         child.is_signed_by(issuer);
}

/// What may stand between a CA and an anchor.
std::vector<Certificate> steps_in(const Hierarchy& hierarchy) {
  std::vector<Certificate> steps;
  for (const Authority& one : hierarchy.authorities()) {
    const bool is_between =
        one.kind == AuthorityKind::kBridge || one.kind == AuthorityKind::kIssuing;
    if (is_between && !one.revoked) steps.push_back(one.certificate);
    if (one.kind != AuthorityKind::kRoot) continue;
    std::ranges::copy_if(one.above, std::back_inserter(steps),
                         [](const Certificate& above) { return !above.is_self_signed(); });
  }
  return steps;
}

/// Every way from the last of `path` to `anchor`, without it.
class Search {
 public:
  Search(std::vector<Certificate> steps, const Certificate& anchor)
      : steps_(std::move(steps)), anchor_(anchor) {}

  std::vector<std::vector<Certificate>> from(const Certificate& authority) {
    std::vector<Certificate> path{authority};
    climb(path);
    return std::move(found_);
  }

 private:
  void climb(std::vector<Certificate>& path) {
    if (is_issued_by(path.back(), anchor_)) found_.push_back(path);
    if (path.size() == kMostTiers) return;
    for (const Certificate& step : steps_) {
      // The anchor's own name and key end a path; below it they would lead around in a circle, as
      // any name and key would that is met twice.
      const bool is_met =
          is_same_entity(step, anchor_) || std::ranges::any_of(path, [&](const Certificate& one) {
            return is_same_entity(one, step);
          });
      if (is_met || !is_issued_by(path.back(), step)) continue;
      path.push_back(step);
      climb(path);
      path.pop_back();
    }
  }

  static bool is_same_entity(const Certificate& a, const Certificate& b) {
    return a.facts().subject_der == b.facts().subject_der && a.facts().key_id == b.facts().key_id;
  }

  std::vector<Certificate> steps_;
  const Certificate& anchor_;
  std::vector<std::vector<Certificate>> found_;
};

Instant end_of(std::span<const Certificate> path) {
  return std::ranges::min(path, {}, [](const Certificate& one) { return one.facts().not_after; })
      .facts()
      .not_after;
}

Status check_in_force(std::span<const Certificate> path, Instant at) {
  for (const Certificate& one : path) {
    const auto& facts = one.facts();
    if (facts.not_before <= at && at < facts.not_after) continue;
    return fail(Code::kRefused,
                fmt::format("'{}' by '{}' is valid from {} to {}, and it is {}", facts.subject,
                            facts.issuer, base::format_rfc3339(facts.not_before),
                            base::format_rfc3339(facts.not_after), base::format_rfc3339(at)));
  }
  return {};
}

Status check_path(std::span<const Certificate> path, Instant at) {
  MESHTRUST_TRY_DO(check_in_force(path, at));
  return check_path_lengths(path);
}

}  // namespace

Result<Chain> find_chain(const Hierarchy& hierarchy,
                         const Certificate& authority,
                         const Certificate& anchor,
                         Instant at) {
  std::vector<std::vector<Certificate>> paths = Search(steps_in(hierarchy), anchor).from(authority);
  if (paths.empty()) {
    return fail(Code::kNotFound, fmt::format("no chain leads from '{}' to '{}'",
                                             authority.facts().subject, anchor.facts().subject));
  }
  for (auto& path : paths) {
    path.push_back(anchor);
  }
  std::ranges::stable_sort(paths, [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() < b.size() : end_of(a) > end_of(b);
  });
  const auto good = std::ranges::find_if(
      paths, [at](const auto& path) { return check_path(path, at).has_value(); });
  if (good == paths.end()) return fail(check_path(paths.front(), at).error());
  const Instant until = end_of(*good);
  good->pop_back();
  return Chain{.certificates = std::move(*good), .until = until};
}

Status check_path_lengths(std::span<const Certificate> path) {
  for (std::size_t below = 0; below < path.size(); ++below) {
    const auto& constraints = path[below].facts().basic_constraints;
    if (!constraints || !constraints->path_length) continue;
    const auto allowed = static_cast<std::size_t>(std::max(*constraints->path_length, 0));
    if (allowed >= below) continue;
    return fail(Code::kRefused,
                fmt::format("'{}' allows {} below it, wanted {} for the CAs of clusters",
                            path[below].facts().subject, base::count_of(allowed, "CA"), below));
  }
  return {};
}

}  // namespace meshtrust::ledger
