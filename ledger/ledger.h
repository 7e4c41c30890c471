#pragma once

#include "base/result.h"
#include "ledger/event.h"
#include "ledger/hierarchy.h"
#include "ledger/line.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ledger {

/// Called every now and then while much is read.
using Pulse = std::function<void()>;

/// What whoever reads a ledger knows from elsewhere: fingerprints of roots that somebody outside of
/// it has vouched for. See `Voucher::kOutside`.
using VouchedRoots = std::vector<std::string>;

/// What has been issued and done, in memory. Pure: made from rows, and asked before a line is
/// added. Nothing is ever changed or removed in it, so what is true now is what the events say when
/// read in order.
class Ledger {
 public:
  /// kCorrupt, naming the line, when a digest does not follow from its line and the one before, a
  /// line cannot be read, a certificate does not parse or is not what its fingerprint says, an
  /// event contradicts those before it, or a signature over the head does not hold: it does not
  /// verify, is over a line that is not there, is missing, or something stands behind it that only
  /// its key can do (`Hierarchy::keys_needed`).
  /// Certificates and CRLs behind what is signed are verified against their issuers' keys; those
  /// before were when it was signed.
  ///
  /// A later root is believed for the signatures of two, of itself and of the root before, each
  /// over a ledger that holds its minting. Where that root's key was out of reach, nothing in the
  /// ledger can vouch for it: kRefused unless it is one of `vouched`.
  static base::Result<Ledger> assemble(Rows rows,
                                       const VouchedRoots& vouched = {},
                                       const Pulse& pulse = {});

  const std::vector<Record>& records() const { return records_; }
  const Hierarchy& hierarchy() const { return hierarchy_; }
  /// Names of root keys that were planned and neither became a root nor were discarded.
  const std::vector<std::string>& planned_keys() const { return planned_keys_; }
  /// Oldest first.
  const std::vector<PendingRequest>& requests() const { return requests_; }

  /// The digest of the last line; empty for an empty ledger.
  const std::string& head() const { return head_; }
  /// How many lines some root's key has signed; 0 for none.
  std::int64_t signed_lines() const;
  /// That the key of this CA has signed the ledger up to its last line.
  void note_signed(const std::string& authority);

  /// Whether `event` may follow. kNotFound for a fingerprint that was not issued here, kConflict
  /// when it contradicts the lines before it.
  base::Status may_append(const Event& event) const;
  /// Adds what may follow. `record.sequence` is the next one, `digest` that of its line.
  void append(Record record, std::string digest);

 private:
  base::Status may_request(const std::string& key, bool opens) const;
  base::Status may_plan(const std::string& key, bool plans) const;
  /// What a line that no signature covers brings along has to bear its issuer's.
  base::Status check_unsigned(const Event& event) const;
  base::Status check_signed(const Record& record, const VouchedRoots& vouched) const;

  std::vector<Record> records_;
  Hierarchy hierarchy_;
  std::vector<std::string> planned_keys_;
  std::vector<PendingRequest> requests_;
  std::string head_;
  std::map<std::string, std::int64_t, std::less<>> signed_by_;  // up to which line, by fingerprint
};

}  // namespace meshtrust::ledger
