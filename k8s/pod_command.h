#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "k8s/raw_connection.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// A program to be run in a container that is there already. It gets no input and no terminal.
struct PodCommand {
  std::string namespace_name = {};
  std::string pod = {};
  std::string container = {};
  std::vector<std::string> words = {};  ///< the program and its arguments; no shell reads them

  /// For people: "'curl' in pod 'sample/curl-7d9f'".
  std::string describe() const;
};

/// How a command that was run to its end came out.
struct CommandOutcome {
  int exit_code = 0;
  std::string out = {};
  std::string err = {};
};

/// The subprotocol of pods/exec that is spoken: every message begins with the number of a channel,
/// 1 for standard output, 2 for standard error, and 3 for one Status that says how it ended.
inline constexpr std::string_view kExecProtocol = "v4.channel.k8s.io";

/// What `command` says and how it ends, over a connection that has been upgraded to
/// `kExecProtocol`. `random` outlives the call. kUnavailable when it cannot be started, says more
/// than `limit_bytes`, or has not ended by `deadline`; the command itself may then go on.
base::Result<CommandOutcome> read_outcome(
    std::unique_ptr<RawConnection, CloseRawConnection> connection,
    const PodCommand& command,
    const base::Clock& clock,
    base::Random& random,
    base::Clock::Steady deadline,
    std::size_t limit_bytes);

}  // namespace meshtrust::k8s
