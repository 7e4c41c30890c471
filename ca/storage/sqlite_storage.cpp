#include "ca/storage/sqlite_storage.h"

#include "ca/storage/sqlite.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;
using ledger::Format;
using ledger::Line;
using ledger::Pulse;
using ledger::Rows;
using ledger::SignedHead;

constexpr std::int64_t kApplicationId = 0x6d747273;  // "mtrs"; shown by file(1)

/// PRAGMA user_version.
constexpr std::int64_t number_of(Format format) {
  return static_cast<std::int64_t>(format);
}

/// In the order of creation. SQLite keeps these very texts, so comparing them on opening shows
/// whether the schema is still the one that was written.
constexpr std::array kSchema{
    R"(CREATE TABLE certificate (
  fingerprint TEXT NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 64),
  der BLOB NOT NULL
) STRICT)",
    R"(CREATE TABLE action (
  sequence INTEGER NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  command TEXT NOT NULL,
  reason TEXT NOT NULL,
  event TEXT NOT NULL,
  fingerprint TEXT REFERENCES certificate (fingerprint),
  cluster TEXT NOT NULL,
  detail TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 64)
) STRICT)",
    R"(CREATE TRIGGER certificate_is_never_changed BEFORE UPDATE ON certificate
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END)",
    R"(CREATE TRIGGER certificate_is_never_removed BEFORE DELETE ON certificate
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END)",
    R"(CREATE TRIGGER action_is_never_changed BEFORE UPDATE ON action
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END)",
    R"(CREATE TRIGGER action_is_never_removed BEFORE DELETE ON action
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END)",
    R"(CREATE TABLE signed_head (
  root TEXT NOT NULL PRIMARY KEY REFERENCES certificate (fingerprint),
  sequence INTEGER NOT NULL REFERENCES action (sequence),
  signature BLOB NOT NULL
) STRICT, WITHOUT ROWID)",
};
constexpr std::size_t kUnsignedStatements = kSchema.size() - 1;  // without signatures

Failure<base::Error> corrupt(const std::string& file, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("database '{}': {}", file, what),
              "restore the whole store folder from a backup");
}

/// The format, if it is one that is known here.
Result<Format> format_of(Sqlite& connection, const std::string& file) {
  MESHTRUST_TRY(const std::int64_t application, connection.number("PRAGMA application_id"));
  if (application != kApplicationId) return corrupt(file, "not the database of a trust store");
  MESHTRUST_TRY(const std::int64_t version, connection.number("PRAGMA user_version"));
  if (version > number_of(ledger::kNewestFormat)) {
    return fail(Code::kInvalidInput,
                fmt::format("database '{}' was written by a newer meshtrust (format {}, this one "
                            "knows {})",
                            file, version, number_of(ledger::kNewestFormat)),
                "use the meshtrust that wrote it, or a newer one");
  }
  if (version < number_of(Format::kUnsigned)) {
    return corrupt(file, fmt::format("unknown format {}", version));
  }
  return static_cast<Format>(version);
}

Status check_soundness(Sqlite& connection, const std::string& file, Format format) {
  MESHTRUST_TRY(Statement check, connection.prepare("PRAGMA quick_check(1)"));
  MESHTRUST_TRY(const bool answered, check.step());
  if (const std::string words = answered ? check.text() : "no answer"; words != "ok") {
    return corrupt(file, words);
  }
  MESHTRUST_TRY(Statement schema,
                connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
                                   "ORDER BY rowid"));
  const std::size_t statements = format == Format::kUnsigned ? kUnsignedStatements : kSchema.size();
  for (std::size_t i = 0; i < statements; ++i) {
    MESHTRUST_TRY(const bool found, schema.step());
    if (!found || schema.text() != kSchema.at(i)) {
      return corrupt(file, "its schema has been changed");
    }
  }
  MESHTRUST_TRY(const bool more, schema.step());
  if (more) return corrupt(file, "its schema has been added to");
  return {};
}

constexpr std::size_t kPulse = 256;

Status read_lines(Sqlite& connection, const Pulse& pulse, Rows& rows) {
  MESHTRUST_TRY(Statement query,
                connection.prepare("SELECT sequence, at, user, host, command, reason, event, "
                                   "fingerprint, cluster, detail, digest FROM action "
                                   "ORDER BY sequence"));
  while (true) {
    MESHTRUST_TRY(const bool found, query.step());
    if (!found) return {};
    if (pulse && rows.lines.size() % kPulse == 0) pulse();
    Line line;
    line.sequence = query.number();
    line.at = base::Instant(base::Seconds(query.number()));
    line.who = ledger::Who{.user = query.text(),
                           .host = query.text(),
                           .command = query.text(),
                           .reason = query.text()};
    line.event = query.text();
    line.fingerprint = query.text();
    line.cluster = query.text();
    line.detail = query.text();
    rows.digests.push_back(query.text());
    rows.lines.push_back(std::move(line));
  }
}

Status read_certificates(Sqlite& connection, Rows& rows) {
  MESHTRUST_TRY(Statement query, connection.prepare("SELECT fingerprint, der FROM certificate"));
  while (true) {
    MESHTRUST_TRY(const bool found, query.step());
    if (!found) return {};
    rows.certificates.push_back(
        ledger::StoredCertificate{.fingerprint = query.text(), .der = query.blob()});
  }
}

Status read_heads(Sqlite& connection, Rows& rows) {
  MESHTRUST_TRY(Statement query,
                connection.prepare("SELECT root, sequence, signature FROM signed_head"));
  while (true) {
    MESHTRUST_TRY(const bool found, query.step());
    if (!found) return {};
    SignedHead head;
    head.root = query.text();
    head.sequence = query.number();
    head.signature = query.blob();
    rows.heads.push_back(std::move(head));
  }
}

Status set_format(Sqlite& connection, Format format) {
  return connection.run(fmt::format("PRAGMA user_version = {}", number_of(format)));
}

/// From here on versions of this program that know less leave the ledger alone: they would sign
/// nothing, or not know what they read.
Status raise_format(Sqlite& connection, Format wanted) {
  MESHTRUST_TRY(const std::int64_t version, connection.number("PRAGMA user_version"));
  if (version >= number_of(wanted)) return {};
  if (version == number_of(Format::kUnsigned)) MESHTRUST_TRY_DO(connection.run(kSchema.back()));
  return set_format(connection, wanted);
}

Status put_head(Sqlite& connection, const SignedHead& head) {
  MESHTRUST_TRY_DO(raise_format(connection, Format::kSigned));
  MESHTRUST_TRY(Statement row,
                connection.prepare("INSERT OR REPLACE INTO signed_head VALUES (?, ?, ?)"));
  row.bind(head.root).bind(head.sequence).bind(base::ByteView(head.signature));
  MESHTRUST_TRY([[maybe_unused]] const bool none, row.step());
  return {};
}

Status insert(Sqlite& connection,
              const Line& line,
              const std::string& digest,
              const pki::Certificate* certificate) {
  if (certificate != nullptr) {
    MESHTRUST_TRY(Statement row, connection.prepare("INSERT INTO certificate VALUES (?, ?)"));
    row.bind(certificate->fingerprint()).bind(base::ByteView(certificate->der()));
    MESHTRUST_TRY([[maybe_unused]] const bool none, row.step());
  }
  MESHTRUST_TRY(Statement row, connection.prepare("INSERT INTO action "
                                                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  row.bind(line.sequence).bind(std::int64_t{line.at.time_since_epoch().count()});
  row.bind(line.who.user).bind(line.who.host);
  row.bind(line.who.command).bind(line.who.reason);
  row.bind(line.event);
  if (line.fingerprint.empty()) {
    row.bind_null();
  } else {
    row.bind(line.fingerprint);
  }
  row.bind(line.cluster).bind(line.detail).bind(digest);
  MESHTRUST_TRY([[maybe_unused]] const bool none, row.step());
  return {};
}

/// A connection that reads, after a half-done write was rolled back where that was necessary.
Result<Sqlite> open_to_read(const std::filesystem::path& file) {
  MESHTRUST_TRY(Sqlite reader, Sqlite::open(file, Sqlite::Mode::kRead));
  // The first look at the file is what meets a journal.
  auto look = reader.number("PRAGMA application_id");
  if (look) return reader;
  if (!reader.needs_recovery()) return fail(std::move(look).error());
  {
    MESHTRUST_TRY(Sqlite writer, Sqlite::open(file, Sqlite::Mode::kWrite));
    if (auto rolled_back = writer.number("PRAGMA application_id"); !rolled_back) {
      return fail(base::with_context(std::move(rolled_back).error(),
                                     "rolling back a write that was interrupted"));
    }
  }
  return Sqlite::open(file, Sqlite::Mode::kRead);
}

class SqliteWriter final : public StorageWriter {
 public:
  explicit SqliteWriter(Sqlite connection) : connection_(std::move(connection)) {}

  Status append(const Addition& addition) override {
    MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection_, Sqlite::Mode::kWrite));
    MESHTRUST_TRY_DO(insert(connection_, addition.line, addition.digest, addition.minted));
    for (const SignedHead& head : addition.heads) {
      MESHTRUST_TRY_DO(put_head(connection_, head));
    }
    // An unsigned ledger stays one until something is signed.
    if (addition.format > Format::kSigned) {
      MESHTRUST_TRY_DO(raise_format(connection_, addition.format));
    }
    return transaction.commit();
  }

  Status sign(const SignedHead& head) override {
    MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection_, Sqlite::Mode::kWrite));
    MESHTRUST_TRY_DO(put_head(connection_, head));
    return transaction.commit();
  }

 private:
  Sqlite connection_;
};

class SqliteStorage final : public Storage {
 public:
  explicit SqliteStorage(std::filesystem::path file) : file_(std::move(file)) {}

  Result<Rows> read(const Pulse& pulse) override {
    MESHTRUST_TRY(Sqlite connection, open_to_read(file_));
    MESHTRUST_TRY(const Transaction snapshot, Transaction::begin(connection, Sqlite::Mode::kRead));
    MESHTRUST_TRY(const std::int64_t pages, connection.number("PRAGMA page_count"));
    if (pages == 0) {
      return fail(Code::kNotFound, fmt::format("database '{}' is empty", file_.string()));
    }
    MESHTRUST_TRY(const Format format, format_of(connection, file_.string()));
    MESHTRUST_TRY_DO(check_soundness(connection, file_.string(), format));
    Rows rows{.format = format};
    MESHTRUST_TRY_DO(read_lines(connection, pulse, rows));
    MESHTRUST_TRY_DO(read_certificates(connection, rows));
    if (format != Format::kUnsigned) MESHTRUST_TRY_DO(read_heads(connection, rows));
    return rows;
  }

  Status initialise(const Line& first) override {
    MESHTRUST_TRY(Sqlite connection, Sqlite::open(file_, Sqlite::Mode::kWrite));
    MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection, Sqlite::Mode::kWrite));
    MESHTRUST_TRY_DO(connection.run(fmt::format("PRAGMA application_id = {}", kApplicationId)));
    MESHTRUST_TRY_DO(set_format(connection, Format::kSigned));
    for (const char* const statement : kSchema) {
      MESHTRUST_TRY_DO(connection.run(statement));
    }
    MESHTRUST_TRY_DO(insert(connection, first, ledger::chain_digest({}, first), nullptr));
    return transaction.commit();
  }

  Result<std::unique_ptr<StorageWriter>> open_to_write() override {
    MESHTRUST_TRY(Sqlite connection, Sqlite::open(file_, Sqlite::Mode::kWrite));
    return std::unique_ptr<StorageWriter>(std::make_unique<SqliteWriter>(std::move(connection)));
  }

 private:
  std::filesystem::path file_;
};

}  // namespace

std::unique_ptr<Storage> sqlite_storage(const std::filesystem::path& file) {
  return std::make_unique<SqliteStorage>(file);
}

}  // namespace meshtrust::ca
