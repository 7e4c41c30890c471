#include "cli/commands/ca.h"

#include "base/text.h"
#include "ca/authority.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace meshtrust::cli {

using base::Code;
using base::Result;

void declare_store(CLI::App& app, std::string& store) {
  app.add_option("--store", store, "folder of the trust store (default mesh.trust)")
      ->option_text("DIR");
}

void declare_key(CLI::App& app, std::string& key) {
  app.add_option("--key", key, "rsa-2048, rsa-3072, rsa-4096, ecdsa-p256 (default) or ecdsa-p384")
      ->option_text("ALG");
}

Result<pki::KeyAlgorithm> parse_key(const std::string& name) {
  if (const auto algorithm = pki::key_algorithm_from_name(name)) return *algorithm;
  std::vector<std::string> known;
  for (const auto one : pki::all_key_algorithms()) {
    known.emplace_back(pki::name_of(one));
  }
  return base::fail(Code::kUsage, fmt::format("unknown key algorithm '{}'", name),
                    "use " + base::join(known, ", "));
}

Result<base::Seconds> parse_lifetime(const std::string& text) {
  auto lifetime = base::parse_duration(text);
  if (!lifetime) return base::fail(Code::kUsage, "--lifetime: " + lifetime.error().message);
  return lifetime;
}

Result<ca::TrustStore> open_store(const Session& session, const std::string& path) {
  auto store = ca::TrustStore::open(session.environment(), path);
  if (!store && store.error().code == Code::kNotFound && store.error().hints.empty()) {
    return base::fail(with_hint(
        store.error(), fmt::format("make one with 'meshtrust ca create --store {}'", path)));
  }
  return store;
}

Result<StoreWithRoot> open_store_with_root(const Session& session, const std::string& path) {
  MESHTRUST_TRY(ca::TrustStore store, open_store(session, path));
  auto root = store.root();
  if (!root) {
    return base::fail(Code::kNotFound, fmt::format("the trust store '{}' has no root yet", path),
                      fmt::format("make one with 'meshtrust ca create --store {}'", path));
  }
  return StoreWithRoot{.store = std::move(store), .root = std::move(*root)};
}

Result<ca::StoreLock> lock_store(const Session& session, ca::TrustStore& store) {
  return store.lock(ca::describe_holder(session.who(), session.around.process_id, session.now()));
}

Result<std::unique_ptr<pki::Signer>> open_root_key(Session& session,
                                                   const StoreWithRoot& opened,
                                                   const PassphraseOptions& options) {
  if (!opened.root.key_is_encrypted) {
    warn_of_unused_passphrase(session, options);
    return ca::unlock_root(opened.store, {});
  }
  MESHTRUST_TRY(const auto passphrase, find_passphrase(session, options, PassphrasePurpose::kOpen));
  if (!passphrase) {
    return base::fail(Code::kUsage, "the root key is encrypted and needs its passphrase",
                      "leave out --no-password --insecure");
  }
  return ca::unlock_root(opened.store, *passphrase);
}

base::Status check_new_file(const Session& session, const std::string& path) {
  base::Files& files = session.around.files;
  MESHTRUST_TRY(const base::FileFacts there, files.facts(path));
  if (there.kind != base::FileKind::kAbsent) {
    return base::fail(Code::kRefused, fmt::format("'{}' already exists", path),
                      "name another file with --out");
  }
  // Only writing tells whether a folder can be written to. A leftover of a run that was killed here
  // is replaced by the next.
  const std::filesystem::path probe =
      std::filesystem::path(path).parent_path() / ".meshtrust-probe";
  auto written = files.write(probe, {}, base::Access::kPrivate, base::Overwrite::kReplace);
  if (written) {
    const base::Status removed = files.remove(probe);
    // Gone already where another run tries the same folder.
    return removed || removed.error().code == Code::kNotFound ? base::Status() : removed;
  }
  base::Error error =
      with_context(std::move(written).error(), fmt::format("'{}' cannot be written", path));
  error.hints = {"name another file with --out"};
  return base::fail(std::move(error));
}

Result<bool> confirm(Session& session, const std::string& what, const std::string& question) {
  if (session.options.yes) return true;
  if (!session.around.terminal.is_there()) {
    return base::fail(Code::kUsage, what + " and there is no terminal to ask on", "say --yes");
  }
  return session.around.terminal.confirm(question);
}

std::string coverage_text(const ca::Coverage& coverage) {
  const std::string lines = base::count_of(static_cast<std::size_t>(coverage.lines), "line");
  if (coverage.signed_lines == 0) return lines + ", not signed yet";
  if (coverage.signed_lines == coverage.lines) return lines + ", all signed by the root's key";
  return fmt::format("{}, signed by the root's key up to line {}; since then without it: {}", lines,
                     coverage.signed_lines, base::join(coverage.since, ", "));
}

base::Json to_json(const ca::Coverage& coverage) {
  return {
      {"lines", coverage.lines}, {"signedLines", coverage.signed_lines}, {"since", coverage.since}};
}

int report(const Session& session, const base::Status& done) {
  if (done) return kDone;
  session.console().show(done.error());
  return exit_code_of(done.error().code);
}

}  // namespace meshtrust::cli
