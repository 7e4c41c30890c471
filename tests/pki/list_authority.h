#pragma once

#include "base/random.h"
#include "pki/issue.h"
#include "pki/issue_list.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace meshtrust::pki::testing {

/// A CA of its own, whose lists tests can make; below nobody: a root.
struct ListAuthority {
  ListAuthority(const std::string& name, const ListAuthority* issuer, base::Instant at)
      : now(at),
        key(PrivateKey::generate(KeyAlgorithm::kEcdsaP256).value()),
        certificate(issue(name, issuer)) {}

  Certificate issue(const std::string& name, const ListAuthority* issuer) const {
    const CaTemplate wanted{
        .subject = {.attributes = {{"O", "Shop"}, {"CN", name}}},
        .not_before = now - base::days(1),
        .not_after = now + (issuer == nullptr ? base::days(3650) : base::days(700))};
    base::SystemRandom random;
    if (issuer == nullptr) return issue_root(wanted, key, random).value();
    return issue_intermediate(wanted, key.public_key(), issuer->certificate, issuer->key, random)
        .value();
  }

  /// Its list of these serials, PEM, good for `life` from now on: its first, or a later edition,
  /// which is as many hours younger.
  std::string list(base::Seconds life,
                   const std::vector<std::string>& revoked = {},
                   unsigned edition = 1) const {
    ListTemplate wanted{
        .this_update = now - base::days(1) + base::Seconds{1} + std::chrono::hours(edition - 1),
        .next_update = now + life,
        .number = fmt::format("{:02x}", edition),
        .revoked = {}};
    for (const std::string& one : revoked) {
      wanted.revoked.push_back({.serial = one, .at = now, .reason = "keyCompromise"});
    }
    return issue_list(wanted, certificate, key).value().pem();
  }

  const std::string& serial() const { return certificate.facts().serial; }

  base::Instant now;
  PrivateKey key;
  Certificate certificate;
};

}  // namespace meshtrust::pki::testing
