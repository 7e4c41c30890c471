#include "base/text.h"
#include "ledger/crl_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

// Numbers of CRLs, and CRLs that somebody brings along.

namespace meshtrust::ledger {
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

/// One more, in whole octets as a CRL tells it.
std::string successor(std::string digits) {
  digits.insert(0, digits.size() % 2 == 0 ? "00" : "0");
  std::size_t place = digits.size() - 1;
  for (; digits[place] == 'f'; --place) {
    digits[place] = '0';
  }
  digits[place] = digits[place] == '9' ? 'a' : static_cast<char>(digits[place] + 1);
  return digits.starts_with("00") ? digits.substr(2) : digits;
}

/// A CRL of the root from another copy of this store is followed by one that is made here. What it
/// revokes has to be revoked in this ledger too: else everybody would believe in it again.
Status refuse_to_forget(const RevocationList& crl, const Hierarchy& hierarchy, Instant at) {
  const auto& entries = hierarchy.authorities();
  for (const auto& revoked : crl.facts().revoked) {
    const auto entry = std::find_if(entries.begin(), entries.end(), [&revoked](const auto& one) {
      return one.certificate.facts().serial == revoked.serial;
    });
    const std::string of =
        fmt::format("the list of '{}' that was given ({})", crl.facts().issuer, edition_of(crl));
    if (entry == entries.end()) {
      return fail(
          Code::kRefused,
          fmt::format("{} revokes serial {}, which this store did not issue: it is an older "
                      "copy",
                      of, revoked.serial),
          "put the newest copy of the store back");
    }
    if (entry->revoked || entry->certificate.facts().not_after < at) continue;
    constexpr std::size_t kFewDigits = 16;
    return fail(Code::kRefused,
                fmt::format("{} revokes '{}', which this store does not know as revoked", of,
                            entry->certificate.facts().subject),
                fmt::format("put the newest copy of the store back, or record it: 'meshtrust ca "
                            "revoke {}', with --force where a cluster lives on it",
                            entry->fingerprint().substr(0, kFewDigits)));
  }
  return {};
}

Status no_newer(const RevocationList& crl, const RevocationList& known) {
  return fail(Code::kRefused,
              fmt::format("the list of '{}' that was given ({}) is no newer than the one that "
                          "is there ({})",
                          crl.facts().issuer, edition_of(crl), edition_of(known)),
              "ask whoever made it for the newest one");
}

/// How the ledger keeps a CRL of `issuer`: as one of its own CAs, or as one above the root.
Event kept(const Hierarchy& hierarchy, const Certificate& issuer, const RevocationList& crl) {
  if (const Authority* one = hierarchy.find(issuer.fingerprint())) {
    return CrlMade{.fingerprint = one->fingerprint(), .cluster = one->cluster, .crl = crl.der()};
  }
  const auto& entries = hierarchy.authorities();
  const auto below = std::ranges::find_if(entries, [&issuer](const Authority& one) {
    return std::ranges::find(one.above, issuer) != one.above.end();
  });
  const Authority* root = &*below;
  while (root->kind != AuthorityKind::kRoot) {
    root = hierarchy.find(root->issuer);
  }
  return CrlGiven{.root = root->fingerprint(), .authority = issuer.fingerprint(), .crl = crl.der()};
}

}  // namespace

Result<std::string> next_crl_number(const Hierarchy& hierarchy,
                                    const Root& root,
                                    std::span<const RevocationList> supplied,
                                    const std::optional<std::string>& at_least_above) {
  std::vector<RevocationList> crls;
  std::ranges::copy_if(supplied, std::back_inserter(crls),
                       [&root](const RevocationList& crl) { return crl.is_of(root.issuer()); });
  const base::Bytes& newest = hierarchy.find(root.fingerprint())->newest_crl;
  if (!newest.empty()) {
    MESHTRUST_TRY(RevocationList last, RevocationList::from_der(newest));
    crls.push_back(std::move(last));
  }
  MESHTRUST_TRY(std::string greatest, plain_digits(at_least_above.value_or("0")));
  for (const RevocationList& crl : crls) {
    MESHTRUST_TRY(std::string number, plain_digits(crl.facts().number.value_or("0")));
    if (is_less(greatest, number)) greatest = std::move(number);
  }
  const std::string next = successor(greatest);
  // RFC 5280 5.2.3; the first bit is the sign's.
  constexpr std::size_t kMostDigits = 40;
  if (next.size() < kMostDigits || (next.size() == kMostDigits && next.front() < '8')) return next;
  return fail(Code::kRefused,
              fmt::format("there is no number above '{}' for a list: RFC 5280 ends at 20 octets",
                          greatest));
}

Result<std::vector<Event>> take_supplied(const Hierarchy& hierarchy,
                                         std::span<const RevocationList> supplied,
                                         CrlSet& set,
                                         Instant at) {
  std::vector<Event> events;
  const std::vector<Root> roots = hierarchy.roots();
  for (const RevocationList& crl : supplied) {
    const auto issuer = std::find_if(set.authorities.begin(), set.authorities.end(),
                                     [&crl](const Certificate& one) { return crl.is_of(one); });
    if (issuer == set.authorities.end()) {
      return fail(
          Code::kRefused,
          fmt::format("a list of '{}' was given, which is no CA of this mesh", crl.facts().issuer));
    }
    if (!crl.facts().next_update) {
      return fail(Code::kRefused,
                  fmt::format("the list of '{}' that was given ({}) does not say until when it "
                              "counts (nextUpdate, RFC 5280 5.1.2.5)",
                              crl.facts().issuer, edition_of(crl)),
                  "ask whoever made it for one that does");
    }
    const bool is_of_root = std::ranges::any_of(
        roots, [&issuer](const Root& root) { return root.issuer() == *issuer; });
    if (is_of_root) {
      MESHTRUST_TRY_DO(refuse_to_forget(crl, hierarchy, at));
      continue;  // what it says is in the one that is made now
    }
    const auto known = std::find_if(set.crls.begin(), set.crls.end(),
                                    [&issuer](const auto& one) { return one.is_of(*issuer); });
    if (known != set.crls.end() && age_of(*known) >= age_of(crl)) {
      if (*known == crl) continue;
      return fail(no_newer(crl, *known).error());
    }
    if (known != set.crls.end()) set.crls.erase(known);
    set.crls.push_back(crl);
    events.push_back(kept(hierarchy, *issuer, crl));
  }
  return events;
}

}  // namespace meshtrust::ledger
