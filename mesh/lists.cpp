#include "mesh/lists.h"

#include "base/text.h"
#include "istio/acceptance.h"
#include "mesh/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace meshtrust::mesh {
namespace {

/// The newest list of the root that signs.
std::optional<pki::RevocationList> list_of_root(const StoreFacts& store,
                                                const pki::Certificate& root) {
  const auto lists = pki::revocation_lists_from_pem(store.lists);
  if (!lists || lists->empty() || !lists->front().is_of(root)) return std::nullopt;
  return lists->front();
}

bool names(const pki::RevocationList& list, const std::string& serial) {
  const auto& entries = list.facts().revoked;
  return std::any_of(entries.begin(), entries.end(),
                     [&serial](const auto& entry) { return entry.serial == serial; });
}

bool is_issued_by(const pki::Certificate& one, const pki::Certificate& issuer) {
  return one.facts().issuer_der == issuer.facts().subject_der;
}

/// Whether the list names what is revoked and nothing that no longer is. An entry of a certificate
/// that is over may stay.
bool names_the_revoked(const pki::RevocationList& list, const StoreFacts& store, base::Instant at) {
  const auto is_named = [&list](const std::string& serial) { return names(list, serial); };
  const auto wanted = revoked_at(store, at);
  if (!std::all_of(wanted.begin(), wanted.end(), is_named)) return false;
  return std::none_of(store.issued.begin(), store.issued.end(), [&](const IssuedFacts& issued) {
    return !issued.revoked && is_named(issued.serial);
  });
}

bool is_signed_list(const pki::RevocationList& list, const pki::Certificate& issuer) {
  return list.facts().issuer_der == issuer.facts().subject_der && list.is_signed_by(issuer);
}

/// The one of `among` whose key signed `list`, or null.
const pki::Certificate* signer_of(const pki::RevocationList& list,
                                  std::span<const pki::Certificate> among) {
  const auto found = std::find_if(among.begin(), among.end(),
                                  [&](const auto& one) { return is_signed_list(list, one); });
  return found == among.end() ? nullptr : &*found;
}

std::optional<pki::RevocationList> newest_of(const pki::Certificate& issuer,
                                             std::span<const pki::RevocationList> lists) {
  std::optional<pki::RevocationList> newest;
  for (const pki::RevocationList& list : lists) {
    if (!is_signed_list(list, issuer)) continue;
    if (!newest || age_of(*newest) < age_of(list)) newest = list;
  }
  return newest;
}

/// What is over may be missing in the next list, whatever the ledger says of it.
std::vector<std::string> unknown_as_revoked(const pki::RevocationList& list,
                                            const StoreFacts& store,
                                            base::Instant at) {
  std::vector<std::string> unknown;
  for (const auto& revoked : list.facts().revoked) {
    const bool is_known =
        std::any_of(store.issued.begin(), store.issued.end(), [&](const IssuedFacts& one) {
          return one.serial == revoked.serial && (one.revoked || one.not_after < at);
        });
    if (!is_known) unknown.push_back(revoked.serial);
  }
  return unknown;
}

std::vector<pki::Certificate> roots_of(const StoreFacts& store) {
  std::vector<pki::Certificate> roots;
  for (const std::string& pem : store.roots) {
    if (const auto root = pki::certificates_from_pem(pem)) roots.push_back(root->front());
  }
  return roots;
}

}  // namespace

std::vector<NewerList> newer_lists(std::span<const pki::RevocationList> lists,
                                   const StoreFacts& store,
                                   std::span<const pki::Certificate> authorities,
                                   base::Instant at) {
  std::vector<NewerList> newer;
  const auto known = pki::revocation_lists_from_pem(store.lists);
  const auto kept = known ? *known : std::vector<pki::RevocationList>();
  const auto roots = roots_of(store);
  for (const pki::RevocationList& list : lists) {
    const bool is_told = std::any_of(newer.begin(), newer.end(),
                                     [&list](const auto& one) { return one.list == list; });
    if (is_told || std::ranges::find(kept, list) != kept.end()) continue;
    if (const pki::Certificate* root = signer_of(list, roots)) {
      const bool is_made_here =
          std::ranges::find(store.lists_made, list.facts().fingerprint) != store.lists_made.end();
      if (is_made_here) continue;
      NewerList one{.list = list, .newest = newest_of(*root, kept), .is_of_root = true};
      one.unknown = unknown_as_revoked(list, store, at);
      const bool is_older = one.newest && age_of(list) < age_of(*one.newest) &&
                            list.facts().number != one.newest->facts().number &&
                            list.facts().this_update <= one.newest->facts().this_update;
      if (!is_older || !one.unknown.empty()) newer.push_back(std::move(one));
    } else if (const pki::Certificate* issuer = signer_of(list, authorities)) {
      auto newest = newest_of(*issuer, kept);
      if (!newest || age_of(list) <= age_of(*newest)) continue;
      newer.push_back({.list = list, .newest = std::move(newest)});
    }
  }
  return newer;
}

std::vector<pki::Certificate> authorities_above(const StoreFacts& store) {
  std::vector<pki::Certificate> authorities;
  for (const std::string* pem : {&store.above, &store.ever_above}) {
    const auto above = pki::certificates_from_pem(*pem);
    if (above) authorities.insert(authorities.end(), above->begin(), above->end());
  }
  return authorities;
}

std::vector<pki::RevocationList> forged_lists(std::span<const pki::RevocationList> lists,
                                              const StoreFacts& store) {
  std::vector<pki::RevocationList> forged;
  const auto roots = roots_of(store);
  for (const pki::RevocationList& list : lists) {
    const auto bears_its_name = [&list](const auto& root) {
      return root.facts().subject_der == list.facts().issuer_der;
    };
    const auto signed_it = [&list](const auto& root) { return list.is_signed_by(root); };
    if (std::any_of(roots.begin(), roots.end(), bears_its_name) &&
        std::none_of(roots.begin(), roots.end(), signed_it)) {
      forged.push_back(list);
    }
  }
  return forged;
}

std::optional<pki::Verdict> judge_by_lists(const std::vector<pki::Certificate>& chain,
                                           const std::vector<pki::Certificate>& roots,
                                           std::string_view pem,
                                           base::Instant at) {
  if (base::trim(pem).empty()) return std::nullopt;
  const auto refused = [](std::string reason) {
    return pki::Verdict{
        .judge = std::string(istio::kListsJudge), .accepted = false, .reason = std::move(reason)};
  };
  const auto lists = pki::revocation_lists_from_pem(pem);
  if (!lists) return refused(lists.error().message);
  std::vector<pki::Certificate> looked_up = chain;
  looked_up.insert(looked_up.end(), roots.begin(), roots.end());
  for (const pki::Certificate& bare : pki::without_list(looked_up, *lists, at)) {
    return refused(fmt::format("no list in force of '{}'", bare.facts().subject));
  }
  for (const pki::Certificate& one : chain) {
    for (const pki::Certificate& issuer : looked_up) {
      if (!is_issued_by(one, issuer)) continue;
      for (const pki::RevocationList& list : *lists) {
        if (list.is_of(issuer) && names(list, one.facts().serial)) {
          return refused(fmt::format("'{}' is revoked", one.facts().subject));
        }
      }
    }
  }
  return pki::Verdict{.judge = std::string(istio::kListsJudge), .accepted = true, .reason = {}};
}

std::vector<std::string> revoked_at(const StoreFacts& store, base::Instant at) {
  std::vector<std::string> serials;
  const auto root = root_of(store);
  if (!root) return serials;
  for (const IssuedFacts& issued : store.issued) {
    const bool is_below = !issued.is_root && issued.issuer == root->certificate.fingerprint();
    if (is_below && issued.revoked && issued.not_after >= at) serials.push_back(issued.serial);
  }
  return serials;
}

std::optional<NextList> next_list(const StoreFacts* store,
                                  const profiles::CrlProfile& crl,
                                  base::Instant at) {
  const NextList none{.why = "the root has none yet"};
  const auto root = store == nullptr ? std::nullopt : root_of(*store);
  if (!root) return none;
  const auto list = list_of_root(*store, root->issuer());
  if (!list) return none;
  if (!names_the_revoked(*list, *store, at)) {
    return NextList{.why = "since the last one something was revoked or reinstated"};
  }
  // A list never outlives its root, however often it is made anew.
  const base::Instant end = list->facts().next_update.value_or(at);
  const bool is_as_long_as_can_be = end >= root->issuer().facts().not_after;
  if (is_as_long_as_can_be || end - at >= crl.lifetime / 2) return std::nullopt;
  const bool is_over = end <= at;
  return NextList{.why = fmt::format("the last one {} {} ({})", is_over ? "ended" : "ends",
                                     base::format_relative(end, at), base::format_date(end)),
                  .is_in_time = !is_over};
}

}  // namespace meshtrust::mesh
