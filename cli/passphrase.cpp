#include "cli/passphrase.h"

#include "base/text.h"
#include "cli/passphrase_strength.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
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

base::Failure<base::Error> nobody_to_ask(std::string_view what) {
  return base::fail(Code::kUsage,
                    fmt::format("{} needs a passphrase and there is no terminal to ask on", what),
                    "set MESHTRUST_PASSWORD, or use --password-file or --password-fd");
}

Result<Secret> prompt(Session& session, PassphrasePurpose purpose, std::string_view key) {
  Terminal& terminal = session.around.terminal;
  if (!terminal.is_there()) return nobody_to_ask(fmt::format("the {}", key));
  if (purpose == PassphrasePurpose::kOpen) {
    return terminal.ask_secret(fmt::format("passphrase of the {}", key));
  }
  MESHTRUST_TRY(Secret first, terminal.ask_secret(fmt::format("passphrase for the new {}", key)));
  MESHTRUST_TRY(const Secret second, terminal.ask_secret("the same once more"));
  if (!constant_time_equal(first, second)) {
    return base::fail(Code::kUsage, "the two passphrases differ", "run the command again");
  }
  return first;
}

void warn_of_weakness(const Session& session,
                      const Secret& passphrase,
                      std::string_view key,
                      std::span<const std::string> names) {
  const std::vector<std::string> found = weaknesses_of(passphrase, names);
  if (found.empty()) return;
  session.console().warn(fmt::format(
      "the passphrase for the new {} is {}: whoever gets the file will guess it; several words "
      "that nobody would put together are better",
      key, base::join(found, ", ")));
}

/// What was given without asking, if anything was.
Result<std::optional<Secret>> find_given(Session& session, const PassphraseOptions& options) {
  const bool by_descriptor = options.file.empty() && options.descriptor >= 0;
  if (!options.file.empty() || by_descriptor) {
    const std::string path =
        by_descriptor ? fmt::format("/dev/fd/{}", options.descriptor) : options.file;
    MESHTRUST_TRY(Secret secret, session.around.files.read_secret(path, kLongest));
    cut_line_end(secret);
    if (!by_descriptor) {
      const std::string exposure = exposure_of(session.around.files, path);
      if (!exposure.empty()) session.console().warn(exposure);
    }
    return std::optional<Secret>(std::move(secret));
  }
  if (!session.around.password_given) return std::optional<Secret>();
  // Moved, not copied: when the key is open and this one copy cleared, none is left.
  return std::optional<Secret>(std::exchange(session.around.password, Secret()));
}

}  // namespace

void PassphraseOptions::declare_source(CLI::App& app, std::string_view what) {
  app.add_option("--password-file", file,
                 fmt::format("read the passphrase of {} from the first line of FILE", what))
      ->option_text("FILE");
  app.add_option("--password-fd", descriptor, "read it from an open file descriptor")
      ->option_text("N");
}

void PassphraseOptions::declare(CLI::App& app, std::string_view of_what) {
  declare_source(app, of_what);
  app.add_flag("--no-password", none,
               fmt::format("keep {} in clear text; needs --insecure as well", of_what));
  app.add_flag("--insecure", insecure, "the second word that --no-password takes");
  app.add_option("--scrypt-p", scrypt_p,
                 fmt::format("price of a guess at the passphrase of a new key: {} (0.15 s) to {}, "
                             "default {} (about a second)",
                             pki::kLeastScryptP, pki::kMostScryptP, pki::kUsualScryptP))
      ->check(CLI::Range(pki::kLeastScryptP, pki::kMostScryptP))
      ->option_text("N");
}

void PassphraseOptions::keep_from_children() const {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): fcntl has no other form
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

Result<std::optional<Secret>> find_passphrase(Session& session,
                                              const PassphraseOptions& options,
                                              PassphrasePurpose purpose,
                                              std::string_view key,
                                              std::span<const std::string> names) {
  if (options.none != options.insecure) {
    return base::fail(Code::kUsage, fmt::format("a clear-text {} takes two words", key),
                      "say '--no-password --insecure', or neither");
  }
  if (options.none) return std::optional<Secret>();
  MESHTRUST_TRY(std::optional<Secret> secret, find_given(session, options));
  if (!secret) {
    MESHTRUST_TRY(secret, prompt(session, purpose, key));
  }
  if (secret->empty()) return base::fail(Code::kUsage, "the passphrase is empty");
  if (purpose == PassphrasePurpose::kProtectNewKey) warn_of_weakness(session, *secret, key, names);
  return secret;
}

void warn_of_unused_passphrase(const Session& session, const PassphraseOptions& options) {
  const bool is_given =
      !options.file.empty() || options.descriptor >= 0 || session.around.password_given;
  if (!is_given) return;
  session.console().warn(
      "a passphrase was given, and the root key of this store is in clear text: if it should be "
      "encrypted, this is another store than you think");
}

Result<Secret> find_passphrase_of(Session& session,
                                  const PassphraseOptions& options,
                                  std::string_view what) {
  MESHTRUST_TRY(std::optional<Secret> given, find_given(session, options));
  if (given) return *std::move(given);
  Terminal& terminal = session.around.terminal;
  if (!terminal.is_there()) return nobody_to_ask(what);
  return terminal.ask_secret(fmt::format("passphrase of {}", what));
}

}  // namespace meshtrust::cli
