#include "base/encoding.h"
#include "ca/ledger.h"
#include "pki/revocation_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// How a ledger is made from what lies on disk, and what of that is believed.

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;

constexpr std::string_view kRestoreHint = "restore the whole store folder from a backup";

Failure<base::Error> corrupt(std::string_view message) {
  return fail(Code::kCorrupt, std::string(message), std::string(kRestoreHint));
}

using Certificates = std::map<std::string, pki::Certificate, std::less<>>;

constexpr std::size_t kPulse = 256;

void beat(const Pulse& pulse, std::size_t done) {
  if (pulse && done % kPulse == 0) pulse();
}

Result<Certificates> parse_all(const std::vector<IssuedCertificate>& rows, const Pulse& pulse) {
  Certificates parsed;
  for (const IssuedCertificate& row : rows) {
    beat(pulse, parsed.size());
    auto certificate = pki::Certificate::from_der(row.der);
    if (!certificate) {
      return corrupt(fmt::format("the ledger's certificate '{}' can no longer be read: {}",
                                 row.fingerprint, certificate.error().message));
    }
    if (certificate->fingerprint() != row.fingerprint) {
      return corrupt(
          fmt::format("the ledger's certificate '{}' has changed: its fingerprint is '{}'",
                      row.fingerprint, certificate->fingerprint()));
    }
    parsed.emplace(row.fingerprint, *std::move(certificate));
  }
  return parsed;
}

/// How many lines `head` vouches for.
Result<std::int64_t> lines_signed(const SignedHead& head,
                                  const LedgerRows& rows,
                                  const pki::Certificate& root) {
  const auto lines = static_cast<std::int64_t>(rows.digests.size());
  if (head.sequence < 1 || head.sequence > lines) {
    return corrupt(
        fmt::format("the root's key has signed {} lines of the ledger and {} are there: "
                    "it was cut off, or is an older copy",
                    head.sequence, lines));
  }
  if (verifies(head, root, rows.digests[static_cast<std::size_t>(head.sequence) - 1])) {
    return head.sequence;
  }
  return corrupt(
      fmt::format("the signature over lines 1 to {} of the ledger does not verify with the key of "
                  "'{}': they are not what was signed",
                  head.sequence, root.facts().subject));
}

/// How many lines the root has signed. No other signature counts, as a ledger has one root: what
/// stands in front of the root's own line must not be believed for its place.
Result<std::int64_t> signed_by_root(const LedgerRows& rows, const Certificates& certificates) {
  const auto minting = std::ranges::find(rows.actions, Event::kRootMinted, &Action::event);
  const bool has_root = minting != rows.actions.end();
  const bool is_by_others = std::ranges::any_of(rows.heads, [&](const SignedHead& head) {
    return !has_root || head.root != minting->fingerprint;
  });
  if (is_by_others) return corrupt("the ledger is signed by a key that is no root's of it");
  if (!has_root) return 0;
  const auto root = certificates.find(minting->fingerprint);
  if (root == certificates.end()) return 0;  // the fold says what is wrong
  if (!rows.heads.empty()) return lines_signed(rows.heads.front(), rows, root->second);
  if (!rows.is_always_signed) return 0;
  return corrupt("the signature of the root's key over the ledger is missing");
}

Status check_above(const std::vector<pki::Certificate>& above) {
  for (std::size_t i = 0; i < above.size(); ++i) {
    const pki::Certificate& issuer = i + 1 < above.size() ? above[i + 1] : above[i];
    if (above[i].is_signed_by(issuer)) continue;
    return fail(Code::kConflict, fmt::format("'{}' is not signed by '{}'", above[i].facts().subject,
                                             issuer.facts().subject));
  }
  return {};
}

Status check_list(std::string_view base64, const pki::Certificate& authority) {
  if (base64.empty()) return {};
  const auto der = base::from_base64(base64);
  const auto list =
      der ? pki::RevocationList::from_der(*der) : Result<pki::RevocationList>(fail(der.error()));
  if (list && list->is_signed_by(authority)) return {};
  return fail(Code::kConflict,
              fmt::format("the list is not signed by '{}'", authority.facts().subject));
}

}  // namespace

Result<Ledger> Ledger::assemble(LedgerRows rows, const Pulse& pulse) {
  MESHTRUST_CHECK(rows.actions.size() == rows.digests.size());
  MESHTRUST_TRY(const Certificates parsed, parse_all(rows.certificates, pulse));
  Ledger ledger;
  MESHTRUST_TRY(ledger.signed_lines_, signed_by_root(rows, parsed));
  for (std::size_t i = 0; i < rows.actions.size(); ++i) {
    beat(pulse, i);
    Action& action = rows.actions[i];
    const std::int64_t line = action.sequence;
    if (line != static_cast<std::int64_t>(i) + 1) {
      return corrupt(fmt::format("line {} of the ledger is missing", i + 1));
    }
    if (chain_digest(ledger.head_, action) != rows.digests[i]) {
      return corrupt(fmt::format("line {} of the ledger is not what was written", line));
    }
    const auto found = parsed.find(action.fingerprint);
    const pki::Certificate* minted =
        is_minting(action.event) && found != parsed.end() ? &found->second : nullptr;
    if (const Status status = ledger.may_append(action, minted); !status) {
      return corrupt(fmt::format("line {} of the ledger contradicts those before it: {}", line,
                                 status.error().message));
    }
    if (line > ledger.signed_lines_) {
      if (const Status status = ledger.check_unsigned(action, minted); !status) {
        return corrupt(
            fmt::format("line {} of the ledger, which is not signed, cannot be right: {}", line,
                        status.error().message));
      }
    }
    ledger.append(std::move(action), minted);
  }
  if (ledger.entries_.size() != parsed.size()) {
    return corrupt(fmt::format("the ledger holds {} certificates and records the minting of {}",
                               parsed.size(), ledger.entries_.size()));
  }
  return ledger;
}

/// What a line that no signature covers brings along has to bear its issuer's.
Status Ledger::check_unsigned(const Action& action, const pki::Certificate* certificate) const {
  if (signed_lines_ > 0 && needs_root_key(action.event)) {
    return fail(Code::kConflict, fmt::format("it records '{}', which is never done without the "
                                             "root's key and its signature",
                                             name_of(action.event)));
  }
  if (certificate != nullptr) {
    const bool is_root = action.event == Event::kRootMinted;
    const pki::Certificate& issuer = is_root ? *certificate : issuer_of(*certificate)->certificate;
    if (!certificate->is_signed_by(issuer)) {
      return fail(Code::kConflict,
                  fmt::format("'{}' is not signed by '{}'", certificate->facts().subject,
                              issuer.facts().subject));
    }
    return is_root ? Status() : check_list(action.detail, *certificate);
  }
  if (action.event == Event::kListMade) {
    return check_list(action.detail, find(action.fingerprint)->certificate);
  }
  if (action.event == Event::kListGiven) {
    const auto [authority, list] = given_list(action);
    return check_list(list, *find_above(authority));
  }
  if (action.event == Event::kSubordinated) {
    MESHTRUST_TRY(const auto above, above_from(action.detail));
    return check_above(above);
  }
  return {};
}

}  // namespace meshtrust::ca
