#include "cli/passphrase.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fcntl.h>
#include <utility>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
using base::Secret;

constexpr std::size_t kLongest = 4096;

void cut_line_end(Secret& secret) {
  const std::string_view text = reveal(secret, "looking for the end of the first line");
  secret.truncate(std::min(text.find_first_of("\r\n"), text.size()));
}

Result<Secret> prompt(Session& session, PassphrasePurpose purpose) {
  Terminal& terminal = session.around.terminal;
  if (!terminal.is_there()) {
    return base::fail(Code::kUsage,
                      "the root key needs a passphrase and there is no terminal to ask on",
                      "set MESHTRUST_PASSWORD, or use --password-file or --password-fd");
  }
  if (purpose == PassphrasePurpose::kOpen) return terminal.ask_secret("passphrase of the root key");
  MESHTRUST_TRY(Secret first, terminal.ask_secret("passphrase for the new root key"));
  MESHTRUST_TRY(const Secret second, terminal.ask_secret("the same once more"));
  if (!constant_time_equal(first, second)) {
    return base::fail(Code::kUsage, "the two passphrases differ", "run the command again");
  }
  return first;
}

Result<Secret> find(Session& session, const PassphraseOptions& options, PassphrasePurpose purpose) {
  if (!options.file.empty()) {
    MESHTRUST_TRY(Secret secret, session.around.files.read_secret(options.file, kLongest));
    cut_line_end(secret);
    return secret;
  }
  if (options.descriptor >= 0) {
    MESHTRUST_TRY(Secret secret, session.around.files.read_secret(
                                     fmt::format("/dev/fd/{}", options.descriptor), kLongest));
    cut_line_end(secret);
    return secret;
  }
  // Moved, not copied: when the key is open and this one copy cleared, none is left.
  if (session.around.password_given) return std::exchange(session.around.password, Secret());
  return prompt(session, purpose);
}

}  // namespace

void PassphraseOptions::declare(CLI::App& app) {
  app.add_option("--password-file", file,
                 "read the root key's passphrase from the first line of FILE")
      ->option_text("FILE");
  app.add_option("--password-fd", descriptor, "read it from an open file descriptor")
      ->option_text("N");
  app.add_flag("--no-password", none, "keep the root key in clear text; needs --insecure as well");
  app.add_flag("--insecure", insecure, "the second word that --no-password takes");
}

void PassphraseOptions::keep_from_children() const {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): fcntl has no other form
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

Result<std::optional<Secret>> find_passphrase(Session& session,
                                              const PassphraseOptions& options,
                                              PassphrasePurpose purpose) {
  if (options.none != options.insecure) {
    return base::fail(Code::kUsage, "a clear-text root key takes two words",
                      "say '--no-password --insecure', or neither");
  }
  if (options.none) return std::optional<Secret>();
  MESHTRUST_TRY(Secret secret, find(session, options, purpose));
  if (secret.empty()) return base::fail(Code::kUsage, "the passphrase is empty");
  return std::optional<Secret>(std::move(secret));
}

}  // namespace meshtrust::cli
