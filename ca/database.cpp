#include "ca/database.h"

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

constexpr std::int64_t kApplicationId = 0x6d747273;  // "mtrs"; shown by file(1)
constexpr std::int64_t kUnsignedVersion = 1;         // without the table of signatures
constexpr std::int64_t kSchemaVersion = 2;

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
constexpr std::size_t kUnsignedStatements = kSchema.size() - 1;  // of that version

Failure<base::Error> corrupt(const std::string& file, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("database '{}': {}", file, what),
              "restore the whole store folder from a backup");
}

/// The version, if it is one that is known here.
Result<std::int64_t> version_of(Sqlite& connection, const std::string& file) {
  MESHTRUST_TRY(const std::int64_t application, connection.number("PRAGMA application_id"));
  if (application != kApplicationId) return corrupt(file, "not the database of a trust store");
  MESHTRUST_TRY(const std::int64_t version, connection.number("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return fail(Code::kInvalidInput,
                fmt::format("database '{}' was written by a newer meshtrust (format {}, this one "
                            "knows {})",
                            file, version, kSchemaVersion),
                "use the meshtrust that wrote it, or a newer one");
  }
  if (version < kUnsignedVersion) {
    return corrupt(file, fmt::format("unknown format {}", version));
  }
  return version;
}

Status check_soundness(Sqlite& connection, const std::string& file, std::int64_t version) {
  MESHTRUST_TRY(Statement check, connection.prepare("PRAGMA quick_check(1)"));
  MESHTRUST_TRY(const bool answered, check.step());
  if (const std::string words = answered ? check.text() : "no answer"; words != "ok") {
    return corrupt(file, words);
  }
  MESHTRUST_TRY(Statement schema,
                connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
                                   "ORDER BY rowid"));
  const std::size_t statements = version == kUnsignedVersion ? kUnsignedStatements : kSchema.size();
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

Status read_actions(Sqlite& connection,
                    const std::string& file,
                    const Pulse& pulse,
                    LedgerRows& rows) {
  MESHTRUST_TRY(Statement query,
                connection.prepare("SELECT sequence, at, user, host, command, reason, event, "
                                   "fingerprint, cluster, detail, digest FROM action "
                                   "ORDER BY sequence"));
  while (true) {
    MESHTRUST_TRY(const bool found, query.step());
    if (!found) return {};
    if (pulse && rows.actions.size() % kPulse == 0) pulse();
    Action action;
    action.sequence = query.number();
    action.at = base::Instant(base::Seconds(query.number()));
    action.who = Who{.user = query.text(),
                     .host = query.text(),
                     .command = query.text(),
                     .reason = query.text()};
    const std::string event = query.text();
    const auto known = event_from_name(event);
    if (!known) {
      return corrupt(file, fmt::format("line {} records an unknown event", action.sequence));
    }
    action.event = *known;
    action.fingerprint = query.text();
    action.cluster = query.text();
    action.detail = query.text();
    rows.digests.push_back(query.text());
    rows.actions.push_back(std::move(action));
  }
}

Status read_certificates(Sqlite& connection, LedgerRows& rows) {
  MESHTRUST_TRY(Statement query, connection.prepare("SELECT fingerprint, der FROM certificate"));
  while (true) {
    MESHTRUST_TRY(const bool found, query.step());
    if (!found) return {};
    rows.certificates.push_back(
        IssuedCertificate{.fingerprint = query.text(), .der = query.blob()});
  }
}

Status read_heads(Sqlite& connection, LedgerRows& rows) {
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

Status set_version(Sqlite& connection, std::int64_t version) {
  return connection.run(fmt::format("PRAGMA user_version = {}", version));
}

/// From here on older versions of this program leave the ledger alone: they sign nothing.
Status make_signable(Sqlite& connection) {
  MESHTRUST_TRY(const std::int64_t version, connection.number("PRAGMA user_version"));
  if (version == kSchemaVersion) return {};
  MESHTRUST_TRY_DO(connection.run(kSchema.back()));
  return set_version(connection, kSchemaVersion);
}

Status put_head(Sqlite& connection, const SignedHead& head) {
  MESHTRUST_TRY_DO(make_signable(connection));
  MESHTRUST_TRY(Statement row,
                connection.prepare("INSERT OR REPLACE INTO signed_head VALUES (?, ?, ?)"));
  row.bind(head.root).bind(head.sequence).bind(base::ByteView(head.signature));
  MESHTRUST_TRY([[maybe_unused]] const bool none, row.step());
  return {};
}

Status insert(Sqlite& connection,
              const Action& action,
              const std::string& digest,
              const pki::Certificate* certificate) {
  if (certificate != nullptr) {
    MESHTRUST_TRY(Statement row, connection.prepare("INSERT INTO certificate VALUES (?, ?)"));
    row.bind(certificate->fingerprint()).bind(base::ByteView(certificate->der()));
    MESHTRUST_TRY([[maybe_unused]] const bool none, row.step());
  }
  MESHTRUST_TRY(Statement row, connection.prepare("INSERT INTO action "
                                                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  row.bind(action.sequence).bind(std::int64_t{action.at.time_since_epoch().count()});
  row.bind(action.who.user).bind(action.who.host);
  row.bind(action.who.command).bind(action.who.reason);
  row.bind(name_of(action.event));
  if (action.fingerprint.empty()) {
    row.bind_null();
  } else {
    row.bind(action.fingerprint);
  }
  row.bind(action.cluster).bind(action.detail).bind(digest);
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

}  // namespace

Result<LedgerRows> Database::read(const std::filesystem::path& file, const Pulse& pulse) {
  MESHTRUST_TRY(Sqlite connection, open_to_read(file));
  MESHTRUST_TRY(const Transaction snapshot, Transaction::begin(connection, Sqlite::Mode::kRead));
  MESHTRUST_TRY(const std::int64_t pages, connection.number("PRAGMA page_count"));
  if (pages == 0) {
    return fail(Code::kNotFound, fmt::format("database '{}' is empty", file.string()));
  }
  MESHTRUST_TRY(const std::int64_t version, version_of(connection, file.string()));
  MESHTRUST_TRY_DO(check_soundness(connection, file.string(), version));
  LedgerRows rows{.is_always_signed = version != kUnsignedVersion};
  MESHTRUST_TRY_DO(read_actions(connection, file.string(), pulse, rows));
  MESHTRUST_TRY_DO(read_certificates(connection, rows));
  if (rows.is_always_signed) MESHTRUST_TRY_DO(read_heads(connection, rows));
  return rows;
}

Status Database::initialise(const std::filesystem::path& file, const Action& first) {
  MESHTRUST_TRY(Sqlite connection, Sqlite::open(file, Sqlite::Mode::kWrite));
  MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection, Sqlite::Mode::kWrite));
  MESHTRUST_TRY_DO(connection.run(fmt::format("PRAGMA application_id = {}", kApplicationId)));
  MESHTRUST_TRY_DO(set_version(connection, kSchemaVersion));
  for (const char* const statement : kSchema) {
    MESHTRUST_TRY_DO(connection.run(statement));
  }
  MESHTRUST_TRY_DO(insert(connection, first, chain_digest({}, first), nullptr));
  return transaction.commit();
}

Result<Database> Database::open_to_write(const std::filesystem::path& file) {
  MESHTRUST_TRY(Sqlite connection, Sqlite::open(file, Sqlite::Mode::kWrite));
  return Database(std::move(connection));
}

Status Database::append(const Action& action,
                        const std::string& digest,
                        const pki::Certificate* certificate,
                        const SignedHead* head) {
  MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection_, Sqlite::Mode::kWrite));
  MESHTRUST_TRY_DO(insert(connection_, action, digest, certificate));
  if (head != nullptr) MESHTRUST_TRY_DO(put_head(connection_, *head));
  return transaction.commit();
}

Status Database::sign(const SignedHead& head) {
  MESHTRUST_TRY(Transaction transaction, Transaction::begin(connection_, Sqlite::Mode::kWrite));
  MESHTRUST_TRY_DO(put_head(connection_, head));
  return transaction.commit();
}

}  // namespace meshtrust::ca
