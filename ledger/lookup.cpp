#include "ledger/lookup.h"

#include "base/encoding.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;

constexpr std::size_t kLeastDigits = 16;

bool is_live(const Authority& authority, Instant at) {
  const auto& facts = authority.certificate.facts();
  return authority.kind == AuthorityKind::kIntermediate && authority.state == Delivery::kPushed &&
         facts.not_before <= at && at <= facts.not_after;
}

Result<Authority> find_of_cluster(const std::vector<const Authority*>& of_cluster,
                                  std::string_view name,
                                  Wanted wanted,
                                  Instant at) {
  std::vector<const Authority*> meant;
  for (const Authority* one : of_cluster) {
    if (is_live(*one, at) && one->revoked.has_value() == (wanted == Wanted::kRevoked)) {
      meant.push_back(one);
    }
  }
  if (meant.empty()) return *of_cluster.back();
  if (meant.size() == 1) return *meant.front();
  base::Error error{
      .code = Code::kUsage,
      .message = fmt::format("cluster '{}' got {} that may be in use", base::printable(name, 80),
                             base::count_of(meant.size(), "intermediate")),
      .hints = {"name the one that is meant by its fingerprint:"}};
  for (const Authority* one : meant) {
    error.hints.push_back(fmt::format("{} (of {})",
                                      base::group_hex(one->fingerprint().substr(0, 16)),
                                      base::format_date(one->minted_at)));
  }
  return fail(std::move(error));
}

/// The digits of a fingerprint, or of its beginning, however they were typed; empty for none.
std::string typed_digits(std::string_view name) {
  std::string digits;
  for (const char c : name) {
    if (c == ' ' || c == ':') continue;
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool is_hex = digits.size() >= kLeastDigits && digits.size() <= 64 &&
                      digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_hex ? digits : std::string();
}

}  // namespace

bool is_last_of_its_cluster(const Hierarchy& hierarchy, const Authority& authority, Instant at) {
  if (!authority.may_be_in_use(at)) return false;
  return std::ranges::none_of(hierarchy.authorities(), [&](const Authority& other) {
    return other.cluster == authority.cluster && other.fingerprint() != authority.fingerprint() &&
           other.minted_at >= authority.minted_at && is_live(other, at) && !other.revoked &&
           (!other.was_written || authority.was_written);
  });
}

Result<Authority> find_issued(const Hierarchy& hierarchy,
                              std::string_view name,
                              Wanted wanted,
                              Instant at) {
  std::vector<const Authority*> of_cluster;
  for (const Authority& one : hierarchy.authorities()) {
    if (one.kind == AuthorityKind::kIntermediate && one.cluster == name) of_cluster.push_back(&one);
  }
  if (!of_cluster.empty()) return find_of_cluster(of_cluster, name, wanted, at);
  const std::string digits = typed_digits(name);
  const Authority* found = nullptr;
  for (const Authority& one : hierarchy.authorities()) {
    if (digits.empty() || !one.fingerprint().starts_with(digits)) continue;
    if (found != nullptr) {
      return fail(Code::kUsage,
                  fmt::format("several fingerprints begin with '{}'", base::printable(name, 80)),
                  "give more digits");
    }
    found = &one;
  }
  if (found != nullptr) return *found;
  return fail(Code::kNotFound,
              fmt::format("this store issued nothing to a cluster '{0}' and nothing with the "
                          "fingerprint '{0}'",
                          base::printable(name, 80)),
              "'meshtrust ca list' shows what it issued; a fingerprint needs 16 digits at least");
}

}  // namespace meshtrust::ledger
