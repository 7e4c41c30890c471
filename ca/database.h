#pragma once

#include "base/result.h"
#include "ca/ledger.h"
#include "ca/sqlite.h"

#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::ca {

/// The ledger on disk: two tables to which lines are added and in which nothing is ever changed,
/// and one that says how far each root's key has signed them. One that an older meshtrust wrote has
/// not got that third table until something is signed. Internal; errors as `Sqlite`, and
/// kInvalidInput for one that a newer meshtrust wrote.
class Database {
 public:
  /// Reads everything in one transaction, after checking that the file is sound and ours. A write
  /// that was killed half-way is rolled back first, where the caller may write; apart from that
  /// nothing is written. kNotFound when the database is (or becomes by that) empty: its creation
  /// was interrupted.
  static base::Result<LedgerRows> read(const std::filesystem::path& file, const Pulse& pulse = {});

  /// Turns an empty file into a ledger that begins with `first`; all or nothing.
  static base::Status initialise(const std::filesystem::path& file, const Action& first);

  static base::Result<Database> open_to_write(const std::filesystem::path& file);

  /// Adds a line with its digest, and, where there are such, the certificate that it mints and the
  /// signature over it, which takes the place of the same root's last; durable on return.
  base::Status append(const Action& action,
                      const std::string& digest,
                      const pki::Certificate* certificate,
                      const SignedHead* head);

  /// Puts a signature over what is there in place of the same root's last; durable on return.
  base::Status sign(const SignedHead& head);

 private:
  explicit Database(Sqlite connection) : connection_(std::move(connection)) {}
  Sqlite connection_;
};

}  // namespace meshtrust::ca
