#include "k8s/tunnel.h"

#include "base/text.h"
#include "k8s/web_socket.h"

#include <algorithm>
#include <array>
#include <optional>

namespace meshtrust::k8s {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::fail;
using base::Result;
using base::Status;

constexpr std::size_t kData = 0;
constexpr std::size_t kErrors = 1;
/// The most bytes of data in one message: what kubelets read at once.
constexpr std::size_t kMostInAMessage = 32U << 10U;

class PortForward final : public ByteStream {
 public:
  PortForward(std::unique_ptr<RawConnection, CloseRawConnection> connection,
              PodPort pod,
              base::Random& random)
      : pod_(std::move(pod)), socket_(std::move(connection), random) {}

  void set_deadline(base::Clock::Steady deadline) override { socket_.set_deadline(deadline); }

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    while (data_.size() == given_) {
      if (!error_.empty()) return fail(explained());
      if (ended_) return std::size_t{0};
      MESHTRUST_TRY_DO(in_context(receive_one()));
    }
    const std::size_t part = std::min(into.size(), data_.size() - given_);
    const ByteView next = ByteView(data_).subspan(given_, part);
    std::copy(next.begin(), next.end(), into.begin());
    given_ += part;
    return part;
  }

  Status write(ByteView bytes) override {
    while (!bytes.empty()) {
      if (!error_.empty()) return fail(explained());
      const ByteView part = bytes.first(std::min(bytes.size(), kMostInAMessage));
      Bytes message{kData};
      message.insert(message.end(), part.begin(), part.end());
      if (auto sent = socket_.send(message); !sent) return why_not_sent(std::move(sent));
      bytes = bytes.subspan(part.size());
    }
    return {};
  }

  Status close() override { return in_context(socket_.close()); }

 private:
  Status receive_one() {
    MESHTRUST_TRY(const std::optional<Bytes> message, socket_.receive());
    if (!message) {
      ended_ = true;
      return {};
    }
    if (message->empty() || message->front() > kErrors) {
      return fail(Code::kUnavailable, "a message came for a channel that does not exist");
    }
    const std::size_t channel = message->front();
    ByteView content = ByteView(*message).subspan(1);
    if (!announced_.at(channel)) {
      if (content.size() < 2 || content[0] + 256U * content[1] != pod_.port) {
        return fail(Code::kUnavailable, "the first message is not about the port asked for");
      }
      announced_.at(channel) = true;
      content = content.subspan(2);
    }
    if (channel == kErrors) {
      error_ += base::as_text(content);
      return {};
    }
    data_.assign(content.begin(), content.end());
    given_ = 0;
    return {};
  }

  /// Who closes may have said before why, and that may not have been read yet.
  Status why_not_sent(Status status) {
    while (!ended_ && error_.empty() && receive_one()) {
    }
    return error_.empty() ? in_context(std::move(status)) : Status(fail(explained()));
  }

  Status in_context(Status status) const {
    if (status) return status;
    if (status.error().code == Code::kCancelled) return status;
    return fail(base::with_context(std::move(status).error(), pod_.describe()));
  }

  /// The words of a kubelet or a container runtime, which differ, but for what the kernel said.
  Error explained() const {
    Error error{
        .code = Code::kUnavailable,
        .message = pod_.describe() + " cannot be reached: " + base::printable(base::trim(error_))};
    if (error_.find("connection refused") != std::string::npos) {
      error.hints.push_back("nothing listens on port " + std::to_string(pod_.port) +
                            " inside the pod");
    }
    return error;
  }

  const PodPort pod_;
  WebSocket socket_;
  std::array<bool, 2> announced_{};
  Bytes data_;             ///< of the last message
  std::size_t given_ = 0;  ///< how much of it has been read
  std::string error_;
  bool ended_ = false;
};

}  // namespace

std::string PodPort::describe() const {
  return "port " + std::to_string(port) + " of pod '" + namespace_name + "/" + pod + "'";
}

std::unique_ptr<ByteStream> forward_port(
    std::unique_ptr<RawConnection, CloseRawConnection> connection,
    const PodPort& pod,
    base::Random& random) {
  return std::make_unique<PortForward>(std::move(connection), pod, random);
}

}  // namespace meshtrust::k8s
