#include "ca/revocation.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/issue_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;
using pki::Certificate;
using pki::RevocationList;

constexpr base::Seconds kShortest = base::days(7);
constexpr std::size_t kLeastDigits = 16;
/// A Secret and a ConfigMap hold a mebibyte, the other files included.
constexpr std::size_t kLargestFile = 900U << 10U;

bool is_in_force(const Certificate& certificate, Instant at) {
  return certificate.facts().not_before <= at && at <= certificate.facts().not_after;
}

/// Whether some chain may still hold it.
bool may_be_in_use(const LedgerEntry& entry, Instant at) {
  return entry.kind == AuthorityKind::kIntermediate && entry.state != Delivery::kAbandoned &&
         at <= entry.certificate.facts().not_after;
}

Result<std::vector<RevocationList>> lists_made_of(const LedgerEntry& entry) {
  std::vector<RevocationList> lists;
  if (entry.newest_list.empty()) return lists;
  const auto der = base::from_base64(entry.newest_list);
  auto list = der ? RevocationList::from_der(*der) : Result<RevocationList>(fail(der.error()));
  if (!list) {
    return fail(Code::kCorrupt, fmt::format("the ledger's list of '{}' can no longer be read",
                                            entry.certificate.facts().subject));
  }
  lists.push_back(*std::move(list));
  return lists;
}

/// One more than the number of the last list of the root; 1 for the first.
Result<std::uint64_t> next_number(const LedgerEntry& root) {
  MESHTRUST_TRY(const auto last, lists_made_of(root));
  if (last.empty()) return std::uint64_t{1};
  const std::string digits = last.front().facts().number.value_or("0");
  constexpr std::size_t kMostDigits = 15;  // of 16: room to count
  if (digits.size() > kMostDigits) {
    return fail(Code::kCorrupt,
                fmt::format("the number '{}' of the last list is too large", digits));
  }
  return std::stoull(digits, nullptr, 16) + 1;
}

std::vector<pki::RevokedCertificate> revoked_in(const std::vector<LedgerEntry>& entries,
                                                const Certificate& issuer,
                                                Instant at) {
  std::vector<pki::RevokedCertificate> revoked;
  for (const LedgerEntry& entry : entries) {
    // An ended certificate is refused anyway.
    if (!entry.revoked || entry.issuer != issuer.fingerprint() ||
        entry.certificate.facts().not_after < at) {
      continue;
    }
    revoked.push_back({.serial = entry.certificate.facts().serial,
                       .at = entry.revoked->at,
                       .reason = entry.revoked->reason});
  }
  return revoked;
}

}  // namespace

std::vector<std::string> revocation_reasons() {
  return {"keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation",
          "privilegeWithdrawn"};
}

bool is_last_of_its_cluster(const TrustStore& store, const LedgerEntry& entry, Instant at) {
  if (!may_be_in_use(entry, at)) return false;
  const auto all = store.issued();
  return std::none_of(all.begin(), all.end(), [&](const LedgerEntry& other) {
    return other.cluster == entry.cluster && other.fingerprint() != entry.fingerprint() &&
           other.state == Delivery::kPushed && other.minted_at >= entry.minted_at &&
           !other.revoked && is_in_force(other.certificate, at) &&
           other.kind == AuthorityKind::kIntermediate;
  });
}

Result<LedgerEntry> find_issued(const TrustStore& store, std::string_view name) {
  std::string digits;
  for (const char c : name) {
    if (c != ' ' && c != ':')
      digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool is_hex = digits.size() >= kLeastDigits && digits.size() <= 64 &&
                      digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  std::optional<LedgerEntry> found;
  for (const LedgerEntry& entry : store.issued()) {
    if (entry.kind == AuthorityKind::kIntermediate && entry.cluster == name) found = entry;
  }
  if (found) return *found;
  for (const LedgerEntry& entry : store.issued()) {
    if (!is_hex || !entry.fingerprint().starts_with(digits)) continue;
    if (found) {
      return fail(Code::kUsage,
                  fmt::format("several fingerprints begin with '{}'", base::printable(name, 80)),
                  "give more digits");
    }
    found = entry;
  }
  if (found) return *found;
  return fail(Code::kNotFound,
              fmt::format("this store issued nothing to a cluster '{0}' and nothing with the "
                          "fingerprint '{0}'",
                          base::printable(name, 80)),
              "'meshtrust ca list' shows what it issued; a fingerprint needs 16 digits at least");
}

Result<ListSet> newest_lists(const TrustStore& store) {
  ListSet set;
  const auto root = store.root();
  if (!root) return set;
  const Instant now = store.environment().clock.now();
  set.authorities.push_back(root->issuer());
  if (!root->above.empty()) {
    set.authorities.insert(set.authorities.end(), root->above.begin() + 1, root->above.end());
  }
  for (const LedgerEntry& entry : store.issued()) {
    const bool signs = entry.fingerprint() == root->fingerprint();
    if (!signs && !may_be_in_use(entry, now)) continue;
    if (!signs) set.authorities.push_back(entry.certificate);
    MESHTRUST_TRY(const auto made, lists_made_of(entry));
    set.lists.insert(signs ? set.lists.begin() : set.lists.end(), made.begin(), made.end());
  }
  return set;
}

Status refuse_gaps(const ListSet& set, Instant at) {
  const auto bare = pki::without_list(set.authorities, set.lists, at);
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
      "an intermediate's key is forgotten once it is pushed, so its list is made at "
      "minting or not at all: mint a successor, and record the old one as unused",
      "or give a list that whoever has the key has made, with --with FILE"};
  return fail(std::move(error));
}

Result<ListSet> make_lists(TrustStore& store,
                           const StoreLock& lock,
                           const pki::Signer& root_key,
                           const ListRequest& request,
                           const Who& who) {
  const auto root = store.root();
  if (!root) {
    return fail(Code::kNotFound,
                fmt::format("trust store '{}' has no root yet", store.path().string()));
  }
  const Instant now = store.environment().clock.now();
  const Instant end = std::min(now + request.lifetime, root->issuer().facts().not_after);
  if (end - now < kShortest) {
    return fail(Code::kRefused,
                fmt::format("a list of {} would be over before anybody notices that it was not "
                            "refreshed, and then every connection fails: wanted at least {}",
                            base::format_duration(std::max(end - now, base::Seconds{0})),
                            base::format_duration(kShortest)));
  }
  MESHTRUST_TRY(ListSet set, newest_lists(store));
  const auto entries = store.issued();
  const auto own = std::find_if(entries.begin(), entries.end(), [&root](const auto& entry) {
    return entry.fingerprint() == root->fingerprint();
  });
  MESHTRUST_CHECK(own != entries.end());
  MESHTRUST_TRY(const std::uint64_t number, next_number(*own));
  MESHTRUST_TRY(const RevocationList list,
                pki::issue_list({.this_update = std::max(now - std::chrono::hours(1),
                                                         root->issuer().facts().not_before),
                                 .next_update = end,
                                 .number = number,
                                 .revoked = revoked_in(entries, root->certificate, now)},
                                root->issuer(), root_key));
  // The one before, if any, stands first.
  if (!own->newest_list.empty()) set.lists.erase(set.lists.begin());
  set.lists.insert(set.lists.begin(), list);
  set.lists.insert(set.lists.end(), request.supplied.begin(), request.supplied.end());
  MESHTRUST_TRY_DO(refuse_gaps(set, now));
  if (const std::size_t size = pki::to_pem(set.lists).size(); size > kLargestFile) {
    return fail(Code::kRefused, fmt::format("the lists would take {} bytes, and a Secret holds {}",
                                            size, kLargestFile));
  }
  MESHTRUST_TRY_DO(store.append(lock, Action{.who = who,
                                             .event = Event::kListMade,
                                             .fingerprint = root->fingerprint(),
                                             .detail = base::to_base64(list.der())}));
  return set;
}

}  // namespace meshtrust::ca
