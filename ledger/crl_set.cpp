#include "ledger/crl_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;
using pki::age_of;
using pki::Certificate;
using pki::RevocationList;

/// The CRL of `authority` as the ledger keeps it.
Result<RevocationList> read_kept(const base::Bytes& der, const Certificate& authority) {
  auto crl = RevocationList::from_der(der);
  if (crl) return crl;
  return fail(Code::kCorrupt, fmt::format("the ledger's list of '{}' can no longer be read",
                                          authority.facts().subject));
}

Status add_newest(const Authority& authority, std::vector<RevocationList>& crls) {
  if (authority.newest_crl.empty()) return {};
  MESHTRUST_TRY(RevocationList crl, read_kept(authority.newest_crl, authority.certificate));
  crls.push_back(std::move(crl));
  return {};
}

/// The newest that was given of each of `authorities`, of which one may have several certificates.
Result<std::vector<RevocationList>> crls_given(const Authority& root,
                                               const std::vector<Certificate>& authorities) {
  std::vector<RevocationList> crls;
  for (const auto& [fingerprint, der] : root.crls_above) {
    MESHTRUST_TRY(RevocationList crl, read_kept(der, root.certificate));
    const auto issuer = std::find_if(authorities.begin(), authorities.end(),
                                     [&crl](const Certificate& one) { return crl.is_of(one); });
    if (issuer == authorities.end()) continue;
    const auto other = std::find_if(crls.begin(), crls.end(),
                                    [&issuer](const auto& one) { return one.is_of(*issuer); });
    if (other == crls.end()) {
      crls.push_back(std::move(crl));
    } else if (age_of(*other) < age_of(crl)) {
      *other = std::move(crl);
    }
  }
  return crls;
}

/// The roots that some chain may lead to: all that are not retired, the current one first.
std::vector<Root> roots_in_use(const Hierarchy& hierarchy) {
  std::vector<Root> roots = hierarchy.roots();
  std::erase_if(roots, [](const Root& one) { return one.state == RootState::kRetired; });
  std::stable_partition(roots.begin(), roots.end(),
                        [](const Root& one) { return one.state == RootState::kCurrent; });
  return roots;
}

/// Issuing CAs and intermediates that some chain may hold.
std::vector<const Authority*> below_in_use(const Hierarchy& hierarchy, Instant at) {
  std::vector<const Authority*> found;
  for (const Authority& one : hierarchy.authorities()) {
    if (one.may_be_in_use(at) && !hierarchy.is_retired(one)) found.push_back(&one);
  }
  return found;
}

/// What stands above the roots, and what stood there when a CA was minted that may be in use.
std::vector<Certificate> authorities_above(const std::vector<Root>& roots,
                                           const std::vector<const Authority*>& below,
                                           Instant at) {
  std::vector<Certificate> found;
  const auto take = [&](const std::vector<Certificate>& above) {
    for (std::size_t i = 1; i < above.size(); ++i) {  // the first is the root's own
      const bool is_known = std::find(found.begin(), found.end(), above[i]) != found.end();
      if (!is_known && at <= above[i].facts().not_after) found.push_back(above[i]);
    }
  };
  for (const Root& root : roots) {
    take(root.above);
  }
  for (const Authority* one : below) {
    take(one->above);
  }
  return found;
}

}  // namespace

const RevocationList& CrlSet::first_to_end() const {
  return *std::min_element(crls.begin(), crls.end(), [](const auto& a, const auto& b) {
    return a.facts().next_update < b.facts().next_update;
  });
}

Result<CrlSet> newest_crls(const Hierarchy& hierarchy, Instant at) {
  const std::vector<Root> roots = roots_in_use(hierarchy);
  const std::vector<const Authority*> below = below_in_use(hierarchy, at);
  const std::vector<Certificate> above = authorities_above(roots, below, at);
  CrlSet set;
  for (const Root& root : roots) {
    set.authorities.push_back(root.issuer());
    MESHTRUST_TRY_DO(add_newest(*hierarchy.find(root.fingerprint()), set.crls));
  }
  set.authorities.insert(set.authorities.end(), above.begin(), above.end());
  for (const Root& root : roots) {
    MESHTRUST_TRY(const auto given,
                  crls_given(*hierarchy.find(root.fingerprint()), set.authorities));
    set.crls.insert(set.crls.end(), given.begin(), given.end());
  }
  for (const Authority* one : below) {
    set.authorities.push_back(one->certificate);
    MESHTRUST_TRY_DO(add_newest(*one, set.crls));
  }
  return set;
}

Status refuse_gaps(const CrlSet& set, Instant at) {
  const auto bare = pki::without_list(set.authorities, set.crls, at);
  if (bare.empty()) return {};
  base::Error error{.code = Code::kRefused,
                    .message = "there would be no revocation list in force of ",
                    .hints = {}};
  for (const Certificate& each : bare) {
    error.message +=
        fmt::format("{}'{}'", &each == &bare.front() ? "" : ", ", each.facts().subject);
  }
  error.message += ": Envoy would refuse every workload below";
  error.hints = {
      "a CA whose key is elsewhere: 'meshtrust ca crl --with FILE' takes the list that whoever has "
      "the key has made, and keeps it",
      "a CA that nothing uses any more: 'meshtrust ca revoke FINGERPRINT --unused' notes that"};
  return fail(std::move(error));
}

Result<std::vector<Certificate>> lacking_a_crl(const Hierarchy& hierarchy, Instant at) {
  MESHTRUST_TRY(const CrlSet set, newest_crls(hierarchy, at));
  auto bare = pki::without_list(set.authorities, set.crls, at);
  const std::vector<Root> roots = roots_in_use(hierarchy);
  std::erase_if(bare, [&roots](const Certificate& one) {
    return std::ranges::any_of(roots, [&](const Root& root) { return one == root.issuer(); });
  });
  return bare;
}

std::vector<pki::RevokedCertificate> revoked_by(const Hierarchy& hierarchy,
                                                std::string_view issuer,
                                                Instant at) {
  std::vector<pki::RevokedCertificate> revoked;
  for (const Authority& one : hierarchy.authorities()) {
    // An ended certificate is refused anyway.
    if (!one.revoked || one.issuer != issuer || one.certificate.facts().not_after < at) continue;
    revoked.push_back({.serial = one.certificate.facts().serial,
                       .at = one.revoked->at,
                       .reason = one.revoked->reason});
  }
  return revoked;
}

Status refuse_surprises(const Hierarchy& hierarchy, const CrlSet& set) {
  std::map<base::Bytes, std::vector<const Certificate*>> issued_by;
  for (const Certificate& one : set.authorities) {
    const Authority* authority = hierarchy.find(one.fingerprint());
    if (authority != nullptr && authority->revoked) continue;
    issued_by[one.facts().issuer_der].push_back(&one);
  }
  for (const RevocationList& crl : set.crls) {
    if (crl.facts().revoked.empty()) continue;
    for (const Certificate& issuer : set.authorities) {
      if (!crl.is_of(issuer)) continue;
      for (const Certificate* one : issued_by[issuer.facts().subject_der]) {
        const auto& revoked = crl.facts().revoked;
        const bool named = std::any_of(revoked.begin(), revoked.end(), [one](const auto& each) {
          return each.serial == one->facts().serial;
        });
        if (!named) continue;
        return fail(Code::kRefused,
                    fmt::format("the list of '{}' revokes '{}': with it every workload below would "
                                "be refused",
                                issuer.facts().subject, one->facts().subject),
                    "ask whoever made that list");
      }
    }
  }
  return {};
}

}  // namespace meshtrust::ledger
