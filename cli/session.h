#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/process_table.h"
#include "base/processes.h"
#include "base/random.h"
#include "base/secret.h"
#include "ca/environment.h"
#include "cli/console.h"
#include "cli/terminal.h"
#include "ledger/line.h"
#include "run/tls_endpoint.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace meshtrust::cli {

/// Everything that the program stands in: made once by `main`, replaced whole by tests.
struct Surroundings {
  Console& console;
  Terminal& terminal;
  base::Files& files;
  base::Clock& clock;
  base::Random& random;
  base::Processes& processes;
  const base::ProcessTable& process_table;
  base::Cancellation& cancellation;
  run::TlsEndpoints& tls_endpoints;
  /// An environment variable, or nothing when it is unset.
  std::function<std::optional<std::string>(const std::string&)> variable;
  base::Secret password;  ///< of MESHTRUST_PASSWORD, which is unset by now
  bool password_given = false;
  std::string host;
  std::string user;
  long process_id = 0;
};

enum class Output { kText, kWide, kJson, kYaml, kName };
enum class ProgressStyle { kAuto, kPlain, kJson, kNone };

/// The flags that every command understands.
struct GlobalOptions {
  std::string file = "mesh.yaml";
  std::string kubeconfig;
  std::string output = "text";
  std::string timeout = "10m";
  std::string progress = "auto";
  std::string reason;
  std::size_t jobs = 16;
  bool yes = false;
  bool verbose = false;
};

/// What a command gets to work with.
struct Session {
  Surroundings& around;
  const GlobalOptions& options;
  Output output = Output::kText;
  ProgressStyle progress = ProgressStyle::kAuto;
  std::chrono::milliseconds timeout{600'000};
  std::string command;    ///< "meshtrust apply --only trust", as typed; arguments are never secret
  std::string name = {};  ///< of the command alone: "cluster check"

  Console& console() const { return around.console; }
  base::Instant now() const { return around.clock.now(); }
  ca::Environment environment() const {
    return {.files = around.files,
            .clock = around.clock,
            .random = around.random,
            .tell = [&console = around.console](const std::string& words) { console.say(words); },
            .cancellation = &around.cancellation};
  }
  ledger::Who who() const {
    return {.user = around.user, .host = around.host, .command = command, .reason = options.reason};
  }

  /// Prints a document in the form asked for: JSON or YAML; `text` otherwise.
  void answer(const base::Json& document, const std::string& text) const;
};

}  // namespace meshtrust::cli
