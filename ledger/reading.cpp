#include "base/check.h"
#include "base/encoding.h"
#include "ledger/codec.h"
#include "ledger/ledger.h"
#include "ledger/signed_head.h"
#include "pki/revocation_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// How a ledger is made from what lies in a storage, and what of that is believed.

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;

Failure<base::Error> corrupt(std::string message) {
  return fail(Code::kCorrupt, std::move(message), "restore the whole store folder from a backup");
}

using Certificates = std::map<std::string, pki::Certificate, std::less<>>;
using SignedLines = std::map<std::string, std::int64_t, std::less<>>;

constexpr std::size_t kPulse = 256;

void beat(const Pulse& pulse, std::size_t done) {
  if (pulse && done % kPulse == 0) pulse();
}

Result<Certificates> parse_all(const std::vector<StoredCertificate>& rows, const Pulse& pulse) {
  Certificates parsed;
  for (const StoredCertificate& row : rows) {
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

/// The events of all lines, each of which is what was written: the digests follow from each other.
Result<std::vector<Record>> read_lines(Rows& rows,
                                       const Certificates& certificates,
                                       const Pulse& pulse) {
  const FindCertificate find = [&certificates](std::string_view fingerprint) {
    const auto found = certificates.find(fingerprint);
    return found == certificates.end() ? nullptr : &found->second;
  };
  std::vector<Record> records;
  records.reserve(rows.lines.size());
  std::string_view previous;
  for (std::size_t i = 0; i < rows.lines.size(); ++i) {
    beat(pulse, i);
    Line& line = rows.lines[i];
    if (line.sequence != static_cast<std::int64_t>(i) + 1) {
      return corrupt(fmt::format("line {} of the ledger is missing", i + 1));
    }
    if (chain_digest(previous, line) != rows.digests[i]) {
      return corrupt(fmt::format("line {} of the ledger is not what was written", i + 1));
    }
    previous = rows.digests[i];
    auto event = event_of(line, rows.format, find);
    if (!event) {
      return corrupt(
          fmt::format("line {} of the ledger cannot be read: {}", i + 1, event.error().message));
    }
    records.push_back({.sequence = line.sequence,
                       .at = line.at,
                       .who = std::move(line.who),
                       .event = *std::move(event)});
    line = {};  // a list of a CA stands in it, and is needed once
  }
  return records;
}

/// How many lines `head` vouches for.
Result<std::int64_t> lines_signed(const SignedHead& head,
                                  const Rows& rows,
                                  const pki::Certificate& authority) {
  const auto lines = static_cast<std::int64_t>(rows.digests.size());
  if (head.sequence < 1 || head.sequence > lines) {
    return corrupt(
        fmt::format("the root's key has signed {} lines of the ledger and {} are there: "
                    "it was cut off, or is an older copy",
                    head.sequence, lines));
  }
  if (verifies(head, authority, rows.digests[static_cast<std::size_t>(head.sequence) - 1])) {
    return head.sequence;
  }
  return corrupt(
      fmt::format("the signature over lines 1 to {} of the ledger does not verify with the key of "
                  "'{}': they are not what was signed",
                  head.sequence, authority.facts().subject));
}

/// Those that may sign lines: the first root, the roots that are recorded as its successors, and
/// issuing CAs. Whether each of them counts is for the fold to say, which wants the signature of
/// the one before over its minting. A root that merely stands in the ledger is none of them: what
/// stands in front of the first root's own line must not be believed for its place.
std::vector<const pki::Certificate*> signers_in(const std::vector<Record>& records) {
  std::vector<const pki::Certificate*> signers;
  for (const Record& record : records) {
    const bool is_first_root = std::holds_alternative<RootMinted>(record.event) && signers.empty();
    if (is_first_root || std::holds_alternative<NextRootMinted>(record.event) ||
        std::holds_alternative<IssuingMinted>(record.event)) {
      signers.push_back(minted_by(record.event));
    }
  }
  return signers;
}

/// How many lines each CA has signed.
Result<SignedLines> read_heads(const Rows& rows, const std::vector<Record>& records) {
  const auto signers = signers_in(records);
  SignedLines signed_by;
  for (const SignedHead& head : rows.heads) {
    const auto signer = std::ranges::find_if(
        signers, [&](const pki::Certificate* one) { return one->fingerprint() == head.root; });
    if (signer == signers.end()) {
      return corrupt("the ledger is signed by a key that is no root's of it");
    }
    MESHTRUST_TRY(const std::int64_t lines, lines_signed(head, rows, **signer));
    signed_by.emplace(head.root, lines);
  }
  if (rows.format != Format::kUnsigned && !signers.empty() && signed_by.empty()) {
    return corrupt("the signature of the root's key over the ledger is missing");
  }
  return signed_by;
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

Status check_crl(const base::Bytes& der, const pki::Certificate& authority) {
  if (der.empty()) return {};
  const auto crl = pki::RevocationList::from_der(der);
  if (crl && crl->is_signed_by(authority)) return {};
  return fail(Code::kConflict,
              fmt::format("the list is not signed by '{}'", authority.facts().subject));
}

Status check_issuer(const pki::Certificate& certificate, const pki::Certificate& issuer) {
  if (certificate.is_signed_by(issuer)) return {};
  return fail(Code::kConflict, fmt::format("'{}' is not signed by '{}'",
                                           certificate.facts().subject, issuer.facts().subject));
}

}  // namespace

Result<Ledger> Ledger::assemble(Rows rows, const VouchedRoots& vouched, const Pulse& pulse) {
  MESHTRUST_CHECK(rows.lines.size() == rows.digests.size());
  MESHTRUST_TRY(const Certificates certificates, parse_all(rows.certificates, pulse));
  MESHTRUST_TRY(std::vector<Record> records, read_lines(rows, certificates, pulse));
  Ledger ledger;
  MESHTRUST_TRY(ledger.signed_by_, read_heads(rows, records));
  for (std::size_t i = 0; i < records.size(); ++i) {
    beat(pulse, i);
    const Record& record = records[i];
    if (const Status status = ledger.may_append(record.event); !status) {
      return corrupt(fmt::format("line {} of the ledger contradicts those before it: {}",
                                 record.sequence, status.error().message));
    }
    const Status status = ledger.check_signed(record, vouched);
    if (!status && status.error().code == Code::kRefused) return fail(status.error());
    if (!status) {
      return corrupt(
          fmt::format("line {} of the ledger{} cannot be right: {}", record.sequence,
                      record.sequence > ledger.signed_lines() ? ", which is not signed," : "",
                      status.error().message));
    }
    ledger.append(std::move(records[i]), std::move(rows.digests[i]));
  }
  if (ledger.hierarchy_.authorities().size() != certificates.size()) {
    return corrupt(fmt::format("the ledger holds {} certificates and records the minting of {}",
                               certificates.size(), ledger.hierarchy_.authorities().size()));
  }
  return ledger;
}

Status Ledger::check_signed(const Record& record, const VouchedRoots& vouched) const {
  // One that an older meshtrust wrote and nobody has signed yet.
  if (signed_by_.empty()) return check_unsigned(record.event);
  const KeysNeeded needed = hierarchy_.keys_needed(record.event);
  if (!needed.none() && record.sequence > signed_lines()) {
    return fail(Code::kConflict, fmt::format("it records '{}', which is never done without the "
                                             "root's key and its signature",
                                             name_of(record.event)));
  }
  for (const std::string& authority : needed.all) {
    const auto found = signed_by_.find(authority);
    if (found != signed_by_.end() && found->second >= record.sequence) continue;
    return fail(Code::kConflict,
                fmt::format("it records '{}', which takes the key of '{}', and that has signed {} "
                            "lines",
                            name_of(record.event), authority,
                            found == signed_by_.end() ? 0 : found->second));
  }
  if (const auto* retired = std::get_if<RootRetired>(&record.event)) {
    const auto found = signed_by_.find(retired->root);
    if (found != signed_by_.end() && found->second > record.sequence) {
      return fail(Code::kConflict, fmt::format("'{}' is retired there and has signed {} lines",
                                               retired->root, found->second));
    }
  }
  const auto* next = std::get_if<NextRootMinted>(&record.event);
  if (next == nullptr || next->voucher != Voucher::kOutside) return {};
  if (std::ranges::find(vouched, next->certificate.fingerprint()) != vouched.end()) return {};
  return fail(
      Code::kRefused,
      fmt::format("root '{}' (sha256 {}) follows '{}' without a signature of that root's key, "
                  "which was out of reach: nothing in the ledger can vouch for it",
                  next->certificate.facts().subject,
                  base::group_hex(next->certificate.fingerprint().substr(0, 16)),
                  hierarchy_.find(next->after)->certificate.facts().subject),
      "compare its fingerprint with what was written down when it was minted, and name it as "
      "vouched for");
}

Status Ledger::check_unsigned(const Event& event) const {
  return std::visit(
      Overloaded{
          [](const RootMinted& one) { return check_issuer(one.certificate, one.certificate); },
          [this](const IntermediateMinted& one) -> Status {
            const Authority* issuer = hierarchy_.issuer_of(one.certificate);
            MESHTRUST_TRY_DO(check_issuer(one.certificate, issuer->certificate));
            return check_crl(one.crl, one.certificate);
          },
          [this](const CrlMade& one) {
            return check_crl(one.crl, hierarchy_.find(one.fingerprint)->certificate);
          },
          [this](const CrlGiven& one) {
            return check_crl(one.crl, *hierarchy_.find_above(one.authority));
          },
          [](const Subordinated& one) { return check_above(one.above); },
          // What came with a later format is never met in an unsigned ledger.
          [](const auto& /*one*/) { return Status(); }},
      event);
}

}  // namespace meshtrust::ledger
