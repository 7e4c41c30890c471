#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// SQLite types, owned here through out-of-line deleters only.
struct sqlite3;
struct sqlite3_stmt;

namespace meshtrust::ca {

/// One prepared statement. Parameters and columns are bound and read in order. Internal.
class Statement {
 public:
  Statement& bind(std::int64_t number);
  Statement& bind(std::string_view text);
  Statement& bind(base::ByteView blob);
  Statement& bind_null();

  /// Whether there is a (next) row.
  base::Result<bool> step();

  std::int64_t number();
  std::string text();
  base::Bytes blob();

 private:
  friend class Sqlite;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3_stmt* statement, std::string file);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string file_;
  int bind_problem_ = 0;
  int parameter_ = 0;
  int column_ = 0;
};

/// One connection to one database file that exists already. No link anywhere in its path is
/// followed by SQLite, so it is resolved here first. Internal.
///
/// Errors: kCorrupt, kPermission, kLocked (busy for five seconds), kInternal (disk full,
/// input/output error). `needs_recovery` tells one case of kPermission apart.
class Sqlite {
 public:
  enum class Mode { kRead, kWrite };

  static base::Result<Sqlite> open(const std::filesystem::path& file, Mode mode);

  /// Runs statements that give no rows of interest.
  base::Status run(const std::string& statements);
  base::Result<Statement> prepare(std::string_view statement);
  /// The number in the first column of the first row; 0 without a row.
  base::Result<std::int64_t> number(std::string_view statement);

  /// Whether the last failure was that a half-done write stands in the journal and this connection
  /// may not roll it back because it only reads.
  bool needs_recovery() const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  explicit Sqlite(std::string file) : file_(std::move(file)) {}
  base::Status configure(Mode mode);

  std::string file_;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// A transaction that is rolled back unless it was committed.
class Transaction {
 public:
  static base::Result<Transaction> begin(Sqlite& database, Sqlite::Mode mode);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  base::Status commit();

 private:
  explicit Transaction(Sqlite& database) : database_(&database) {}
  Sqlite* database_;
};

}  // namespace meshtrust::ca
