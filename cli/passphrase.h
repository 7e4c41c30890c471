#pragma once

#include "base/result.h"
#include "cli/session.h"
#include "pki/key.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// The flags that say where the passphrase of the root key comes from. Never its value.
struct PassphraseOptions {
  std::string file;
  int descriptor = -1;
  bool none = false;                       ///< --no-password
  bool insecure = false;                   ///< the second word that --no-password takes
  unsigned scrypt_p = pki::kUsualScryptP;  ///< what a new key costs to open

  void declare(CLI::App& app, std::string_view of_what = "the root key");
  /// The flags alone that say where the passphrase of `what` comes from, for reading only.
  void declare_source(CLI::App& app, std::string_view what);
  /// Keeps `descriptor` from every child. Called before anything is run.
  void keep_from_children() const;
};

enum class PassphrasePurpose { kOpen, kProtectNewKey };

/// The passphrase from --password-file, --password-fd, MESHTRUST_PASSWORD, or a prompt, in this
/// order; nothing when --no-password --insecure was said. The end of the line is not part of it.
/// `key` is what prompts and errors call it. kUsage when there is none and nobody to ask, when
/// --no-password lacks --insecure, or for an empty one. Warns of a passphrase for a new key that is
/// easy to guess (`names` are what would be tried first) and of a file that others may read.
base::Result<std::optional<base::Secret>> find_passphrase(Session& session,
                                                          const PassphraseOptions& options,
                                                          PassphrasePurpose purpose,
                                                          std::string_view key = "root key",
                                                          std::span<const std::string> names = {});

/// Warns where a passphrase was given and the root's key lies in clear text: somebody may have put
/// a store of his own in the place of the one that the passphrase is of.
void warn_of_unused_passphrase(const Session& session, const PassphraseOptions& options);

/// The passphrase of `what` from the same places, to open something that is not the root key; it
/// may be empty. kUsage when there is none and nobody to ask.
base::Result<base::Secret> find_passphrase_of(Session& session,
                                              const PassphraseOptions& options,
                                              std::string_view what);

}  // namespace meshtrust::cli
