#include "ca/storage/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <system_error>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;

constexpr std::chrono::milliseconds kPatience(5000);

Code code_of(int problem, int system_error) {
  switch (problem & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
      return Code::kCorrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::kPermission;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kLocked;
    case SQLITE_CANTOPEN:
      if (problem == SQLITE_CANTOPEN_SYMLINK) return Code::kRefused;
      if (system_error == EACCES || system_error == EPERM || system_error == EROFS) {
        return Code::kPermission;
      }
      return Code::kInternal;
    default:
      return Code::kInternal;
  }
}

std::string hint_of(Code code) {
  switch (code) {
    case Code::kCorrupt:
      return "restore the whole store folder from a backup";
    case Code::kPermission:
      return "the store's owner must be able to write to its folder and database";
    case Code::kLocked:
      return "another run is writing; try again when it has ended";
    default:
      return {};
  }
}

Failure<base::Error> failure(sqlite3* connection, int problem, const std::string& file) {
  const int system_error = connection == nullptr ? 0 : sqlite3_system_errno(connection);
  const Code code = code_of(problem, system_error);
  // SQLite's own sentence for a full disk also covers its size limit; the usual cause is named.
  std::string words = (problem & 0xff) == SQLITE_FULL ? "no space left on the disk"
                      : connection == nullptr         ? sqlite3_errstr(problem)
                                                      : sqlite3_errmsg(connection);
  const bool is_about_disk =
      (problem & 0xff) == SQLITE_IOERR || (problem & 0xff) == SQLITE_CANTOPEN;
  if (is_about_disk && system_error != 0) {
    words += fmt::format(" ({})", std::generic_category().message(system_error));
  }
  base::Error error{.code = code, .message = fmt::format("database '{}': {}", file, words)};
  if (std::string hint = hint_of(code); !hint.empty()) error.hints.push_back(std::move(hint));
  return fail(std::move(error));
}

int length_of(std::size_t size) {
  MESHTRUST_CHECK(size <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(size);
}

}  // namespace

Statement::Statement(sqlite3_stmt* statement, std::string file)
    : statement_(statement), file_(std::move(file)) {}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(std::int64_t number) {
  bind_problem_ |= sqlite3_bind_int64(statement_.get(), ++parameter_, number);
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  // An empty view may point nowhere, and nowhere would mean NULL.
  const char* const start = text.empty() ? "" : text.data();
  bind_problem_ |= sqlite3_bind_text(statement_.get(), ++parameter_, start, length_of(text.size()),
                                     SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(base::ByteView blob) {
  bind_problem_ |= sqlite3_bind_blob(statement_.get(), ++parameter_, blob.data(),
                                     length_of(blob.size()), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind_null() {
  bind_problem_ |= sqlite3_bind_null(statement_.get(), ++parameter_);
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* const connection = sqlite3_db_handle(statement_.get());
  if (bind_problem_ != SQLITE_OK) return failure(connection, bind_problem_, file_);
  column_ = 0;
  const int outcome = sqlite3_step(statement_.get());
  if (outcome == SQLITE_ROW) return true;
  if (outcome == SQLITE_DONE) return false;
  return failure(connection, outcome, file_);
}

std::int64_t Statement::number() {
  return sqlite3_column_int64(statement_.get(), column_++);
}

std::string Statement::text() {
  const base::Bytes bytes = blob();
  return std::string(base::as_text(bytes));
}

base::Bytes Statement::blob() {
  const auto* const start =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column_));
  const int size = sqlite3_column_bytes(statement_.get(), column_++);
  return start == nullptr ? base::Bytes() : base::Bytes(start, start + size);
}

void Sqlite::Close::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}

Result<Sqlite> Sqlite::open(const std::filesystem::path& file, Mode mode) {
  std::error_code unresolved;
  const auto folder = std::filesystem::canonical(
      file.has_parent_path() ? file.parent_path() : std::filesystem::path("."), unresolved);
  const std::string resolved = (unresolved ? file : folder / file.filename()).string();
  const int access = mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  Sqlite database(file.string());
  sqlite3* connection = nullptr;
  const int problem = sqlite3_open_v2(
      resolved.c_str(), &connection,
      access | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database.connection_.reset(connection);
  if (problem != SQLITE_OK) return failure(connection, problem, database.file_);
  MESHTRUST_TRY_DO(database.configure(mode));
  return database;
}

Status Sqlite::configure(Mode mode) {
  sqlite3* const connection = connection_.get();
  sqlite3_busy_timeout(connection, static_cast<int>(kPatience.count()));
  // The file may have been tampered with: its schema may not call functions, a statement may not
  // edit it behind SQLite's back, and cells are checked as they are read.
  // NOLINTBEGIN(cppcoreguidelines-pro-type-vararg): sqlite3_db_config has no other form
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  // NOLINTEND(cppcoreguidelines-pro-type-vararg)
  MESHTRUST_TRY_DO(run("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"));
  // With FULL the emptied journal is synced as well, which is what makes a commit durable; keeping
  // the file saves syncing the folder twice in every transaction.
  if (mode == Mode::kWrite) {
    MESHTRUST_TRY_DO(run("PRAGMA synchronous = FULL; PRAGMA journal_mode = TRUNCATE;"));
  }
  return {};
}

Status Sqlite::run(const std::string& statements) {
  const int problem =
      sqlite3_exec(connection_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (problem != SQLITE_OK) return failure(connection_.get(), problem, file_);
  return {};
}

Result<Statement> Sqlite::prepare(std::string_view statement) {
  sqlite3_stmt* prepared = nullptr;
  const int problem = sqlite3_prepare_v2(connection_.get(), statement.data(),
                                         length_of(statement.size()), &prepared, nullptr);
  if (problem != SQLITE_OK) return failure(connection_.get(), problem, file_);
  return Statement(prepared, file_);
}

Result<std::int64_t> Sqlite::number(std::string_view statement) {
  MESHTRUST_TRY(Statement prepared, prepare(statement));
  MESHTRUST_TRY(const bool found, prepared.step());
  return found ? prepared.number() : 0;
}

bool Sqlite::needs_recovery() const {
  return sqlite3_extended_errcode(connection_.get()) == SQLITE_READONLY_ROLLBACK;
}

Result<Transaction> Transaction::begin(Sqlite& database, Sqlite::Mode mode) {
  MESHTRUST_TRY_DO(database.run(mode == Sqlite::Mode::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // A failure here leaves the journal, and whoever opens the database next rolls it back.
  if (database_ != nullptr) (void)database_->run("ROLLBACK");
}

Status Transaction::commit() {
  MESHTRUST_TRY_DO(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace meshtrust::ca
