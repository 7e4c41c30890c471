#pragma once

#include "base/cancellation.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::base {

/// A program to run. No argument and no variable ever holds a secret.
struct Command {
  std::vector<std::string> argv;                   ///< argv[0] with a slash is a path, else by PATH
  std::map<std::string, std::string> environment;  ///< added to the caller's
  bool give_terminal = false;                      ///< standard input of the caller, else empty
  /// Ends this program alone, with kCancelled, once it says so; outlives the call.
  const Cancellation* stop = nullptr;
  /// The most it may take. Then, and when the run is cancelled, it is asked to end, and made to if
  /// it does not.
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds grace{500};  ///< the most that ending may take when it is asked to
  /// Standard output and error go to this file (0600) instead, which is emptied first and keeps
  /// the last `kMostLogBytes` of them, with a line that says what was cut. The program then is a
  /// process group of its own, which Ctrl-C at a terminal does not reach: it is asked to end once,
  /// with its children.
  std::optional<std::filesystem::path> log = std::nullopt;
};

/// What is kept of a log; while the program runs it may be twice as much.
inline constexpr std::size_t kMostLogBytes = std::size_t{1} << 20U;

struct Finished {
  int exit_code = 0;       ///< 128 + signal when it was killed
  Secret standard_output;  ///< may be a credential, so it is treated as one
};

/// Other programs, as a parameter. Standard error goes to the caller's. What they leave running in
/// the background is not waited for.
/// Errors: kNotFound (no such program), kPermission, kUnavailable (time-out), kCancelled,
/// kInternal.
class Processes {
 public:
  Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  virtual ~Processes() = default;

  virtual Result<Finished> run(const Command& command) = 0;
};

class SystemProcesses final : public Processes {
 public:
  /// Nobody cancels what these run.
  SystemProcesses() = default;
  /// Once `cancellation` says so, what runs is ended and nothing more is started. It outlives this.
  explicit SystemProcesses(const Cancellation& cancellation) : cancellation_(&cancellation) {}

  Result<Finished> run(const Command& command) override;

 private:
  const Cancellation* cancellation_ = nullptr;
};

}  // namespace meshtrust::base
