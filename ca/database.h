#pragma once

#include "base/result.h"
#include "ca/ledger.h"
#include "ca/sqlite.h"

#include <filesystem>
#include <string>
#include <vector>

namespace meshtrust::ca {

/// The ledger on disk: two tables to which lines are added and in which nothing is ever changed.
/// Internal; errors as `Sqlite`, and kInvalidInput for one that a newer meshtrust wrote.
class Database {
 public:
  struct Rows {
    std::vector<Action> actions;
    std::vector<std::string> digests;  ///< one for each action
    std::vector<IssuedCertificate> certificates;
  };

  /// Reads everything in one transaction, after checking that the file is sound and ours. A write
  /// that was killed half-way is rolled back first, where the caller may write; apart from that
  /// nothing is written. kNotFound when the database is (or becomes by that) empty: its creation
  /// was interrupted.
  static base::Result<Rows> read(const std::filesystem::path& file);

  /// Turns an empty file into a ledger that begins with `first`; all or nothing.
  static base::Status initialise(const std::filesystem::path& file, const Action& first);

  static base::Result<Database> open_to_write(const std::filesystem::path& file);

  /// Adds a line with its digest and the certificate that it mints, if any; durable on return.
  base::Status append(const Action& action,
                      const std::string& digest,
                      const pki::Certificate* certificate);

 private:
  explicit Database(Sqlite connection) : connection_(std::move(connection)) {}
  Sqlite connection_;
};

}  // namespace meshtrust::ca
