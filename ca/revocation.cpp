#include "ca/revocation.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/issue_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <tuple>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Instant;
using base::Result;
using base::Status;
using pki::age_of;
using pki::Certificate;
using pki::edition_of;
using pki::RevocationList;

constexpr base::Seconds kShortest = base::days(7);
constexpr std::size_t kLeastDigits = 16;
/// A Secret and a ConfigMap hold a mebibyte, the other files included.
constexpr std::size_t kLargestFile = 900U << 10U;

bool is_in_force(const Certificate& certificate, Instant at) {
  return certificate.facts().not_before <= at && at <= certificate.facts().not_after;
}

bool is_live(const LedgerEntry& entry, Instant at) {
  return entry.kind == AuthorityKind::kIntermediate && entry.state == Delivery::kPushed &&
         is_in_force(entry.certificate, at);
}

/// The list of `authority` that the ledger keeps as `base64`.
Result<RevocationList> read_kept(const std::string& base64, const Certificate& authority) {
  const auto der = base::from_base64(base64);
  auto list = der ? RevocationList::from_der(*der) : Result<RevocationList>(fail(der.error()));
  if (list) return list;
  return fail(Code::kCorrupt, fmt::format("the ledger's list of '{}' can no longer be read",
                                          authority.facts().subject));
}

Result<std::vector<RevocationList>> lists_made_of(const LedgerEntry& entry) {
  std::vector<RevocationList> lists;
  if (entry.newest_list.empty()) return lists;
  MESHTRUST_TRY(RevocationList list, read_kept(entry.newest_list, entry.certificate));
  lists.push_back(std::move(list));
  return lists;
}

/// The newest that was given of each of `authorities`, of which one may have several certificates.
Result<std::vector<RevocationList>> lists_given(const LedgerEntry& root,
                                                const std::vector<Certificate>& authorities) {
  std::vector<RevocationList> lists;
  for (const auto& [fingerprint, base64] : root.lists_above) {
    MESHTRUST_TRY(RevocationList list, read_kept(base64, root.certificate));
    const auto issuer = std::find_if(authorities.begin(), authorities.end(),
                                     [&list](const Certificate& one) { return list.is_of(one); });
    if (issuer == authorities.end()) continue;
    const auto other = std::find_if(lists.begin(), lists.end(),
                                    [&issuer](const auto& one) { return one.is_of(*issuer); });
    if (other == lists.end()) {
      lists.push_back(std::move(list));
    } else if (age_of(*other) < age_of(list)) {
      *other = std::move(list);
    }
  }
  return lists;
}

/// What stands above the root, and what stood there when a CA was minted that may be in use.
std::vector<Certificate> authorities_above(const Root& root,
                                           const std::vector<LedgerEntry>& entries,
                                           Instant at) {
  std::vector<Certificate> found;
  const auto take = [&](const std::vector<Certificate>& above) {
    for (std::size_t i = 1; i < above.size(); ++i) {  // the first is the root's own
      const bool is_known = std::find(found.begin(), found.end(), above[i]) != found.end();
      if (!is_known && at <= above[i].facts().not_after) found.push_back(above[i]);
    }
  };
  take(root.above);
  for (const LedgerEntry& entry : entries) {
    if (entry.may_be_in_use(at)) take(entry.above);
  }
  return found;
}

/// Hex of a number that is not negative, in one form: lower case, no zeros in front.
Result<std::string> plain_digits(const std::string& number) {
  std::string digits;
  for (const char c : number) {
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (digits.empty() || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is no number of a list, wanted hexadecimal digits",
                            base::printable(number, 80)));
  }
  return digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
}

/// Of two numbers in that form.
bool is_less(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

/// The greatest number among `at_least_above`, the last list of the root and those of it in
/// `supplied`, as `plain_digits`; that of 0 without any.
Result<std::string> greatest_number(const std::optional<std::string>& at_least_above,
                                    const std::vector<RevocationList>& supplied,
                                    const Certificate& root,
                                    const LedgerEntry& entry) {
  MESHTRUST_TRY(std::vector<RevocationList> lists, lists_made_of(entry));
  std::ranges::copy_if(supplied, std::back_inserter(lists),
                       [&root](const RevocationList& list) { return list.is_of(root); });
  MESHTRUST_TRY(std::string greatest, plain_digits(at_least_above.value_or("0")));
  for (const RevocationList& list : lists) {
    MESHTRUST_TRY(std::string number, plain_digits(list.facts().number.value_or("0")));
    if (is_less(greatest, number)) greatest = std::move(number);
  }
  return greatest;
}

/// One more, in whole octets as a list tells it.
std::string successor(std::string digits) {
  digits.insert(0, digits.size() % 2 == 0 ? "00" : "0");
  std::size_t place = digits.size() - 1;
  for (; digits[place] == 'f'; --place) {
    digits[place] = '0';
  }
  digits[place] = digits[place] == '9' ? 'a' : static_cast<char>(digits[place] + 1);
  return digits.starts_with("00") ? digits.substr(2) : digits;
}

Result<std::string> number_after(const std::string& greatest) {
  std::string next = successor(greatest);
  // RFC 5280 5.2.3; the first bit is the sign's.
  constexpr std::size_t kMostDigits = 40;
  if (next.size() < kMostDigits || (next.size() == kMostDigits && next.front() < '8')) return next;
  return fail(Code::kRefused,
              fmt::format("there is no number above '{}' for a list: RFC 5280 ends at 20 octets",
                          greatest));
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
  return {"keyCompromise", "cACompromise",         "affiliationChanged",
          "superseded",    "cessationOfOperation", "privilegeWithdrawn"};
}

bool is_last_of_its_cluster(const TrustStore& store, const LedgerEntry& entry, Instant at) {
  if (!entry.may_be_in_use(at)) return false;
  const auto all = store.issued();
  return std::none_of(all.begin(), all.end(), [&](const LedgerEntry& other) {
    return other.cluster == entry.cluster && other.fingerprint() != entry.fingerprint() &&
           other.minted_at >= entry.minted_at && is_live(other, at) && !other.revoked &&
           (!other.was_written || entry.was_written);
  });
}

namespace {

Result<LedgerEntry> find_of_cluster(const std::vector<LedgerEntry>& of_cluster,
                                    std::string_view name,
                                    Wanted wanted,
                                    Instant at) {
  std::vector<LedgerEntry> meant;
  for (const LedgerEntry& entry : of_cluster) {
    if (is_live(entry, at) && entry.revoked.has_value() == (wanted == Wanted::kRevoked)) {
      meant.push_back(entry);
    }
  }
  if (meant.empty()) return of_cluster.back();
  if (meant.size() == 1) return meant.front();
  base::Error error{
      .code = Code::kUsage,
      .message = fmt::format("cluster '{}' got {} that may be in use", base::printable(name, 80),
                             base::count_of(meant.size(), "intermediate")),
      .hints = {"name the one that is meant by its fingerprint:"}};
  for (const LedgerEntry& entry : meant) {
    error.hints.push_back(fmt::format("{} (of {})",
                                      base::group_hex(entry.fingerprint().substr(0, 16)),
                                      base::format_date(entry.minted_at)));
  }
  return fail(std::move(error));
}

}  // namespace

Result<LedgerEntry> find_issued(const TrustStore& store, std::string_view name, Wanted wanted) {
  const auto all = store.issued();
  std::vector<LedgerEntry> of_cluster;
  std::copy_if(all.begin(), all.end(), std::back_inserter(of_cluster), [name](const auto& entry) {
    return entry.kind == AuthorityKind::kIntermediate && entry.cluster == name;
  });
  if (!of_cluster.empty()) {
    return find_of_cluster(of_cluster, name, wanted, store.environment().clock.now());
  }
  std::string digits;
  for (const char c : name) {
    if (c == ' ' || c == ':') continue;
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool is_hex = digits.size() >= kLeastDigits && digits.size() <= 64 &&
                      digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  std::optional<LedgerEntry> found;
  for (const LedgerEntry& entry : all) {
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

const RevocationList& ListSet::first_to_end() const {
  return *std::min_element(lists.begin(), lists.end(), [](const auto& a, const auto& b) {
    return a.facts().next_update < b.facts().next_update;
  });
}

Result<ListSet> newest_lists(const TrustStore& store) {
  ListSet set;
  const auto root = store.root();
  if (!root) return set;
  const Instant now = store.environment().clock.now();
  const std::vector<LedgerEntry> entries = store.issued();
  set.authorities = authorities_above(*root, entries, now);
  set.authorities.insert(set.authorities.begin(), root->issuer());
  const LedgerEntry own = *store.find(root->fingerprint());
  MESHTRUST_TRY(set.lists, lists_made_of(own));
  MESHTRUST_TRY(const auto given, lists_given(own, set.authorities));
  set.lists.insert(set.lists.end(), given.begin(), given.end());
  for (const LedgerEntry& entry : entries) {
    if (!entry.may_be_in_use(now)) continue;
    set.authorities.push_back(entry.certificate);
    MESHTRUST_TRY(const auto made, lists_made_of(entry));
    set.lists.insert(set.lists.end(), made.begin(), made.end());
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
      "a CA whose key is elsewhere: 'meshtrust ca crl --with FILE' takes the list that whoever has "
      "the key has made, and keeps it",
      "a CA that nothing uses any more: 'meshtrust ca revoke FINGERPRINT --unused' notes that"};
  return fail(std::move(error));
}

Result<std::vector<Certificate>> lacking_a_list(const TrustStore& store) {
  MESHTRUST_TRY(const ListSet set, newest_lists(store));
  auto bare = pki::without_list(set.authorities, set.lists, store.environment().clock.now());
  const auto root = store.root();
  std::erase_if(bare, [&root](const Certificate& one) { return root && one == root->issuer(); });
  return bare;
}

namespace {

/// A list of the root from another copy of this store is followed by one that is made here. What it
/// revokes has to be revoked in this ledger too: else everybody would believe in it again.
Status refuse_to_forget(const RevocationList& list,
                        const std::vector<LedgerEntry>& entries,
                        Instant at) {
  for (const auto& revoked : list.facts().revoked) {
    const auto entry = std::find_if(entries.begin(), entries.end(), [&revoked](const auto& one) {
      return one.certificate.facts().serial == revoked.serial;
    });
    const std::string of =
        fmt::format("the list of '{}' that was given ({})", list.facts().issuer, edition_of(list));
    if (entry == entries.end()) {
      return fail(
          Code::kRefused,
          fmt::format("{} revokes serial {}, which this store did not issue: it is an older "
                      "copy",
                      of, revoked.serial),
          "put the newest copy of the store back");
    }
    if (entry->revoked || entry->certificate.facts().not_after < at) continue;
    return fail(Code::kRefused,
                fmt::format("{} revokes '{}', which this store does not know as revoked", of,
                            entry->certificate.facts().subject),
                fmt::format("put the newest copy of the store back, or record it: 'meshtrust ca "
                            "revoke {}', with --force where a cluster lives on it",
                            entry->fingerprint().substr(0, kLeastDigits)));
  }
  return {};
}

/// Puts `supplied` into `set`, in place of older ones. What is to be kept in the ledger is
/// returned.
Result<std::vector<Action>> take_supplied(const std::vector<RevocationList>& supplied,
                                          const Root& root,
                                          const std::vector<LedgerEntry>& entries,
                                          ListSet& set,
                                          Instant at,
                                          const Who& who) {
  std::vector<Action> kept;
  for (const RevocationList& list : supplied) {
    const auto issuer = std::find_if(set.authorities.begin(), set.authorities.end(),
                                     [&list](const Certificate& one) { return list.is_of(one); });
    if (issuer == set.authorities.end()) {
      return fail(Code::kRefused,
                  fmt::format("a list of '{}' was given, which is no CA of this mesh",
                              list.facts().issuer));
    }
    if (!list.facts().next_update) {
      return fail(Code::kRefused,
                  fmt::format("the list of '{}' that was given ({}) does not say until when it "
                              "counts (nextUpdate, RFC 5280 5.1.2.5)",
                              list.facts().issuer, edition_of(list)),
                  "ask whoever made it for one that does");
    }
    if (issuer == set.authorities.begin()) {
      MESHTRUST_TRY_DO(refuse_to_forget(list, entries, at));
      continue;  // what it says is in the one that was made now
    }
    const auto known = std::find_if(set.lists.begin(), set.lists.end(),
                                    [&issuer](const auto& one) { return one.is_of(*issuer); });
    if (known != set.lists.end() && age_of(*known) >= age_of(list)) {
      if (*known == list) continue;
      return fail(Code::kRefused,
                  fmt::format("the list of '{}' that was given ({}) is no newer than the one that "
                              "is there ({})",
                              list.facts().issuer, edition_of(list), edition_of(*known)),
                  "ask whoever made it for the newest one");
    }
    if (known != set.lists.end()) set.lists.erase(known);
    set.lists.push_back(list);
    const auto entry = std::find_if(entries.begin(), entries.end(), [&issuer](const auto& one) {
      return one.fingerprint() == issuer->fingerprint();
    });
    if (entry == entries.end()) {
      kept.push_back({.who = who,
                      .event = Event::kListGiven,
                      .fingerprint = root.fingerprint(),
                      .detail = given_text(*issuer, list.der())});
    } else {
      kept.push_back({.who = who,
                      .event = Event::kListMade,
                      .fingerprint = entry->fingerprint(),
                      .cluster = entry->cluster,
                      .detail = base::to_base64(list.der())});
    }
  }
  return kept;
}

/// A CA that somebody else's list names, and that is not revoked by us, would be cut off by
/// accident.
Status refuse_surprises(const ListSet& set, const std::vector<LedgerEntry>& entries) {
  std::set<std::string> revoked_by_us;
  for (const LedgerEntry& entry : entries) {
    if (entry.revoked) revoked_by_us.insert(entry.fingerprint());
  }
  std::map<base::Bytes, std::vector<const Certificate*>> issued_by;
  for (const Certificate& one : set.authorities) {
    if (revoked_by_us.contains(one.fingerprint())) continue;
    issued_by[one.facts().issuer_der].push_back(&one);
  }
  for (const RevocationList& list : set.lists) {
    if (list.facts().revoked.empty()) continue;
    for (const Certificate& issuer : set.authorities) {
      if (!list.is_of(issuer)) continue;
      for (const Certificate* one : issued_by[issuer.facts().subject_der]) {
        const auto& revoked = list.facts().revoked;
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

}  // namespace

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
  if (request.lifetime < kShortest) {
    return fail(
        Code::kRefused,
        fmt::format("a list of {} would be over before anybody notices that it was not "
                    "refreshed, and then every connection fails: wanted at least {}",
                    base::format_duration(request.lifetime), base::format_duration(kShortest)));
  }
  const Instant end = std::min(now + request.lifetime, root->issuer().facts().not_after);
  MESHTRUST_TRY(ListSet set, newest_lists(store));
  const auto entries = store.issued();
  const auto own = std::find_if(entries.begin(), entries.end(), [&root](const auto& entry) {
    return entry.fingerprint() == root->fingerprint();
  });
  MESHTRUST_CHECK(own != entries.end());
  MESHTRUST_TRY(const std::string greatest,
                greatest_number(request.at_least_above, request.supplied, root->issuer(), *own));
  MESHTRUST_TRY(const std::string number, number_after(greatest));
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
  MESHTRUST_TRY(const std::vector<Action> kept,
                take_supplied(request.supplied, *root, entries, set, now, who));
  MESHTRUST_TRY_DO(refuse_gaps(set, now));
  MESHTRUST_TRY_DO(refuse_surprises(set, entries));
  if (const std::size_t size = pki::to_pem(set.lists).size(); size > kLargestFile) {
    return fail(Code::kRefused, fmt::format("the lists would take {} bytes, and a Secret holds {}",
                                            size, kLargestFile));
  }
  for (const Action& action : kept) {
    MESHTRUST_TRY_DO(store.append(lock, action, nullptr, &root_key));
  }
  MESHTRUST_TRY_DO(store.append(lock,
                                Action{.who = who,
                                       .event = Event::kListMade,
                                       .fingerprint = root->fingerprint(),
                                       .detail = base::to_base64(list.der())},
                                nullptr, &root_key));
  return newest_lists(store);
}

}  // namespace meshtrust::ca
