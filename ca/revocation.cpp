#include "ca/revocation.h"

#include "ca/roots.h"
#include "pki/issue_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;
using ledger::CrlSet;
using ledger::Hierarchy;
using ledger::Ledger;
using pki::RevocationList;

constexpr base::Seconds kShortest = base::days(7);
/// A Secret and a ConfigMap hold a mebibyte, the other files included.
constexpr std::size_t kLargestFile = 900U << 10U;

Status check_lifetime_of_crl(base::Seconds lifetime) {
  if (lifetime >= kShortest) return {};
  return fail(Code::kRefused,
              fmt::format("a list of {} would be over before anybody notices that it was not "
                          "refreshed, and then every connection fails: wanted at least {}",
                          base::format_duration(lifetime), base::format_duration(kShortest)));
}

/// A root whose key is at hand.
struct OpenRoot {
  Root root;
  const pki::Signer* key;
};

/// The roots of `keys`, the current one first.
Result<std::vector<OpenRoot>> roots_of(const TrustStore& store, const RootKeys& keys) {
  std::vector<OpenRoot> open;
  const std::vector<Root> roots = store.roots();
  for (const pki::Signer* key : keys) {
    const std::string id = pki::key_id(key->public_key());
    const auto root = std::ranges::find_if(
        roots, [&id](const Root& one) { return one.certificate.facts().key_id == id; });
    if (root == roots.end()) return fail(Code::kRefused, "the key is that of no root of the store");
    open.push_back({.root = *root, .key = key});
  }
  std::stable_partition(open.begin(), open.end(), [](const OpenRoot& one) {
    return one.root.state == ledger::RootState::kCurrent;
  });
  return open;
}

/// The next CRL of a root: what it revokes now, with a number above all that are known.
Result<RevocationList> issue_crl(const Hierarchy& hierarchy,
                                 const OpenRoot& open,
                                 const CrlRequest& request,
                                 Instant now) {
  const pki::Certificate& issuer = open.root.issuer();
  const bool is_current = open.root.state == ledger::RootState::kCurrent;
  MESHTRUST_TRY(const std::string number,
                ledger::next_crl_number(hierarchy, open.root, request.supplied,
                                        is_current ? request.at_least_above : std::nullopt));
  return pki::issue_list(
      {.this_update = std::max(now - std::chrono::hours(1), issuer.facts().not_before),
       .next_update = std::min(now + request.lifetime, issuer.facts().not_after),
       .number = number,
       .revoked = ledger::revoked_by(hierarchy, open.root.fingerprint(), now)},
      issuer, *open.key);
}

/// Puts `crl` in the place of `last`, the one that its issuer made before; without one to `place`,
/// where the roots' stand.
void put(RevocationList crl, const base::Bytes& last, std::size_t place, CrlSet& set) {
  const auto known = std::ranges::find(set.crls, last, &RevocationList::der);
  if (known != set.crls.end()) {
    *known = std::move(crl);
  } else {
    set.crls.insert(set.crls.begin() + static_cast<std::ptrdiff_t>(place), std::move(crl));
  }
}

/// The set to be, and what has to be recorded for it, which is done last.
struct Prepared {
  CrlSet set;
  std::vector<ledger::Event> events;
};

Result<Prepared> prepare(const Hierarchy& hierarchy,
                         const std::vector<OpenRoot>& open,
                         const CrlRequest& request,
                         Instant now) {
  Prepared prepared;
  MESHTRUST_TRY(prepared.set, ledger::newest_crls(hierarchy, now));
  std::vector<ledger::Event> made;
  for (const OpenRoot& one : open) {
    MESHTRUST_TRY(RevocationList crl, issue_crl(hierarchy, one, request, now));
    made.emplace_back(ledger::CrlMade{.fingerprint = one.root.fingerprint(), .crl = crl.der()});
    put(std::move(crl), hierarchy.find(one.root.fingerprint())->newest_crl, made.size() - 1,
        prepared.set);
  }
  MESHTRUST_TRY(prepared.events,
                ledger::take_supplied(hierarchy, request.supplied, prepared.set, now));
  prepared.events.insert(prepared.events.end(), std::make_move_iterator(made.begin()),
                         std::make_move_iterator(made.end()));
  MESHTRUST_TRY_DO(ledger::refuse_gaps(prepared.set, now));
  MESHTRUST_TRY_DO(ledger::refuse_surprises(hierarchy, prepared.set));
  return prepared;
}

}  // namespace

std::vector<std::string> revocation_reasons() {
  return {"keyCompromise", "cACompromise",         "affiliationChanged",
          "superseded",    "cessationOfOperation", "privilegeWithdrawn"};
}

bool is_last_of_its_cluster(const TrustStore& store, const ledger::Authority& authority) {
  const Instant now = store.environment().clock.now();
  return store.ask([&](const Ledger& ledger) {
    return ledger::is_last_of_its_cluster(ledger.hierarchy(), authority, now);
  });
}

Result<ledger::Authority> find_issued(const TrustStore& store,
                                      std::string_view name,
                                      ledger::Wanted wanted) {
  const Instant now = store.environment().clock.now();
  return store.ask([&](const Ledger& ledger) {
    return ledger::find_issued(ledger.hierarchy(), name, wanted, now);
  });
}

Result<CrlSet> newest_crls(const TrustStore& store) {
  const Instant now = store.environment().clock.now();
  return store.ask(
      [&](const Ledger& ledger) { return ledger::newest_crls(ledger.hierarchy(), now); });
}

Result<std::vector<pki::Certificate>> lacking_a_crl(const TrustStore& store) {
  const Instant now = store.environment().clock.now();
  return store.ask(
      [&](const Ledger& ledger) { return ledger::lacking_a_crl(ledger.hierarchy(), now); });
}

Result<CrlSet> make_crls(TrustStore& store,
                         const StoreLock& lock,
                         const RootKeys& keys,
                         const CrlRequest& request,
                         const ledger::Who& who) {
  MESHTRUST_TRY_DO(root_of(store));
  MESHTRUST_TRY_DO(check_lifetime_of_crl(request.lifetime));
  MESHTRUST_TRY(const std::vector<OpenRoot> open, roots_of(store, keys));
  const Instant now = store.environment().clock.now();
  MESHTRUST_TRY(const Prepared prepared, store.ask([&](const Ledger& ledger) {
    return prepare(ledger.hierarchy(), open, request, now);
  }));
  if (const std::size_t size = pki::to_pem(prepared.set.crls).size(); size > kLargestFile) {
    return fail(Code::kRefused, fmt::format("the lists would take {} bytes, and a Secret holds {}",
                                            size, kLargestFile));
  }
  for (const ledger::Event& event : prepared.events) {
    MESHTRUST_TRY_DO(store.append(lock, who, event, keys));
  }
  return newest_crls(store);
}

}  // namespace meshtrust::ca
