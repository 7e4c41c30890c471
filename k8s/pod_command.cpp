#include "k8s/pod_command.h"

#include "base/json.h"
#include "base/text.h"
#include "k8s/web_socket.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace meshtrust::k8s {
namespace {

using base::Bytes;
using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

constexpr std::uint8_t kOut = 1;
constexpr std::uint8_t kErr = 2;
constexpr std::uint8_t kEnd = 3;
/// How long output may lag behind the end: they are streams of their own on their way here.
constexpr std::chrono::seconds kGrace{5};

/// The exit code in the causes of a Status.
std::optional<int> exit_code_in(const Json& status) {
  const Json& causes = base::at_path(status, {"details", "causes"});
  if (!causes.is_array()) return std::nullopt;
  for (const Json& cause : causes) {
    if (base::string_at(cause, "reason") != "ExitCode") continue;
    const std::string text = base::string_at(cause, "message");
    int code = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    if (error == std::errc() && end == text.data() + text.size()) return code;
  }
  return std::nullopt;
}

/// What the Status on the last channel says: an exit code, or why there is none.
Result<int> exit_code_of(const std::string& text) {
  const auto status = base::parse_json(text, "the end of a command");
  if (!status || !status->is_object()) {
    return fail(Code::kUnavailable,
                "how it ended is not said in a way that is known: '" + base::printable(text) + "'");
  }
  if (base::string_at(*status, "status") == "Success") return 0;
  if (const auto code = exit_code_in(*status)) return *code;
  return fail(Code::kUnavailable,
              "it could not be run: " + base::printable(base::string_at(*status, "message")));
}

/// The messages of one command, put together by channel.
class Reader {
 public:
  Reader(WebSocket& socket, const base::Clock& clock, std::size_t limit_bytes)
      : socket_(socket), clock_(clock), limit_bytes_(limit_bytes) {}

  Result<CommandOutcome> read(base::Clock::Steady deadline) {
    socket_.set_deadline(deadline);
    while (true) {
      auto message = socket_.receive();
      // Once the end is known, it does not matter how the connection goes.
      if (!message && (end_.empty() || message.error().code == Code::kCancelled)) {
        return fail(std::move(message).error());
      }
      if (!message || !*message) break;
      MESHTRUST_TRY_DO(take(**message));
      if (!end_.empty()) socket_.set_deadline(std::min(deadline, clock_.steady() + kGrace));
    }
    if (end_.empty()) return fail(Code::kUnavailable, "the connection ended before the command");
    MESHTRUST_TRY(outcome_.exit_code, exit_code_of(end_));
    return std::move(outcome_);
  }

 private:
  Status take(const Bytes& message) {
    if (message.empty() || message.front() < kOut || message.front() > kEnd) {
      return fail(Code::kUnavailable, "a message came for a channel that does not exist");
    }
    std::string& to = message.front() == kOut   ? outcome_.out
                      : message.front() == kErr ? outcome_.err
                                                : end_;
    to += base::as_text(base::ByteView(message).subspan(1));
    if (outcome_.out.size() + outcome_.err.size() + end_.size() <= limit_bytes_) return {};
    return fail(Code::kUnavailable, "it says more than " + base::count_of(limit_bytes_, "byte"));
  }

  WebSocket& socket_;
  const base::Clock& clock_;
  const std::size_t limit_bytes_;
  CommandOutcome outcome_;
  std::string end_;
};

}  // namespace

std::string PodCommand::describe() const {
  return "'" + (words.empty() ? std::string() : words.front()) + "' in pod '" + namespace_name +
         "/" + pod + "'";
}

Result<CommandOutcome> read_outcome(std::unique_ptr<RawConnection, CloseRawConnection> connection,
                                    const PodCommand& command,
                                    const base::Clock& clock,
                                    base::Random& random,
                                    base::Clock::Steady deadline,
                                    std::size_t limit_bytes) {
  WebSocket web_socket(std::move(connection), random);
  auto outcome = Reader(web_socket, clock, limit_bytes).read(deadline);
  if (outcome || outcome.error().code == Code::kCancelled) return outcome;
  return fail(base::with_context(std::move(outcome).error(), command.describe()));
}

}  // namespace meshtrust::k8s
