#pragma once

#include "base/result.h"
#include "ca/store.h"
#include "cli/exit_code.h"
#include "cli/passphrase.h"
#include "cli/session.h"
#include "pki/key.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

// What the commands of `meshtrust ca` have in common.

namespace meshtrust::cli {

inline constexpr std::string_view kCaGroup = "The CA by itself, without a cluster";
inline constexpr std::string_view kDefaultStore = "mesh.trust";
inline constexpr std::string_view kStoreFile =
    "mesh.trust  the trust store: the root's encrypted key, the ledger, a lock";

void declare_store(CLI::App& app, std::string& store);
void declare_key(CLI::App& app, std::string& key);

/// kUsage for what is no algorithm, naming those that are.
base::Result<pki::KeyAlgorithm> parse_key(const std::string& name);
/// The value of --lifetime.
base::Result<base::Seconds> parse_lifetime(const std::string& text);

/// The store, with the command that makes one as a hint where there is none.
base::Result<ca::TrustStore> open_store(const Session& session, const std::string& path);
/// The store and its root.
struct StoreWithRoot {
  ca::TrustStore store;
  ca::Root root;
};
base::Result<StoreWithRoot> open_store_with_root(const Session& session, const std::string& path);

base::Result<ca::StoreLock> lock_store(const Session& session, ca::TrustStore& store);

/// The key of the store's root, its passphrase found where `options` say if it needs one.
base::Result<std::unique_ptr<pki::Signer>> open_root_key(Session& session,
                                                         const StoreWithRoot& opened,
                                                         const PassphraseOptions& options);

/// kRefused when there is something at `path`, and what stands in the way of writing a file there:
/// found before anything is done that cannot be done twice.
base::Status check_new_file(const Session& session, const std::string& path);

/// Asks before something that nobody can bring back; --yes is the answer. kUsage, saying `what`
/// would be lost, where nobody can be asked.
base::Result<bool> confirm(Session& session, const std::string& what, const std::string& question);

/// How much of the ledger the root's key has signed: "5 lines, all signed by the root's key".
std::string coverage_text(const ca::Coverage& coverage);
/// {"lines": 5, "signedLines": 3, "since": ["revoked"]}
base::Json to_json(const ca::Coverage& coverage);

/// The exit code of `done`; says what went wrong.
int report(const Session& session, const base::Status& done);

}  // namespace meshtrust::cli
