#include "k8s/web_socket.h"

#include "base/check.h"
#include "base/text.h"

#include <algorithm>
#include <deque>
#include <string>
#include <wslay/wslay.h>

namespace meshtrust::k8s {
namespace {

using base::Bytes;
using base::Code;
using base::fail;
using base::Result;
using base::Status;
using For = RawConnection::For;

constexpr std::size_t kLargestMessage = 1U << 20U;
/// What is kept unread at most, beside the message that is arriving.
constexpr std::size_t kMostUnread = 1U << 20U;

struct FreeContext {
  void operator()(wslay_event_context_ptr context) const noexcept {
    wslay_event_context_free(context);
  }
};
using Context = std::unique_ptr<wslay_event_context, FreeContext>;

}  // namespace

struct WebSocket::State {
  std::unique_ptr<RawConnection, CloseRawConnection> connection;
  base::Random& random;
  base::Clock::Steady deadline = base::Clock::Steady::max();
  Context context = {};
  std::deque<Bytes> unread = {};
  std::size_t unread_bytes = 0;
  bool ended = false;                       ///< the connection, with or without a goodbye
  std::optional<SendFailure> failure = {};  ///< of the connection
  std::string breach = {};                  ///< what the peer did against the protocol
  std::uint16_t goodbye = 0;                ///< the code of the peer's close frame
  std::string goodbye_words = {};

  static ssize_t receive(wslay_event_context_ptr context,
                         std::uint8_t* into,
                         std::size_t size,
                         int /*flags*/,
                         void* self) noexcept;
  static ssize_t send(wslay_event_context_ptr context,
                      const std::uint8_t* from,
                      std::size_t size,
                      int /*flags*/,
                      void* self) noexcept;
  static int make_mask(wslay_event_context_ptr context,
                       std::uint8_t* into,
                       std::size_t size,
                       void* self) noexcept;
  static void take(wslay_event_context_ptr context,
                   const wslay_event_on_msg_recv_arg* message,
                   void* self) noexcept;

  ssize_t outcome(Result<std::optional<std::size_t>, SendFailure> moved);
  Status exchange();
  Status wait() const;
  Status explain_end();
  bool is_full() const { return unread_bytes >= kMostUnread; }
};

/// What wslay wants to hear about an attempt to move bytes.
ssize_t WebSocket::State::outcome(Result<std::optional<std::size_t>, SendFailure> moved) {
  if (moved && *moved && **moved > 0) return static_cast<ssize_t>(**moved);
  if (moved && !*moved) {
    wslay_event_set_error(context.get(), WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  ended = true;
  if (!moved) failure = std::move(moved).error();
  wslay_event_set_error(context.get(), WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

ssize_t WebSocket::State::receive(wslay_event_context_ptr context,
                                  std::uint8_t* into,
                                  std::size_t size,
                                  int /*flags*/,
                                  void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  if (state.is_full()) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  return state.outcome(state.connection->try_read({into, size}));
}

ssize_t WebSocket::State::send(wslay_event_context_ptr /*context*/,
                               const std::uint8_t* from,
                               std::size_t size,
                               int /*flags*/,
                               void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  return state.outcome(state.connection->try_write({from, size}));
}

int WebSocket::State::make_mask(wslay_event_context_ptr /*context*/,
                                std::uint8_t* into,
                                std::size_t size,
                                void* self) noexcept {
  static_cast<State*>(self)->random.fill({into, size});
  return 0;
}

void WebSocket::State::take(wslay_event_context_ptr /*context*/,
                            const wslay_event_on_msg_recv_arg* message,
                            void* self) noexcept {
  auto& state = *static_cast<State*>(self);
  const base::ByteView content(message->msg, message->msg_length);
  if (message->opcode == WSLAY_CONNECTION_CLOSE) {
    state.goodbye = message->status_code;
    if (content.size() > 2) state.goodbye_words = base::as_text(content.subspan(2));
  } else if (message->opcode == WSLAY_BINARY_FRAME) {
    state.unread.emplace_back(content.begin(), content.end());
    state.unread_bytes += content.size();
  } else if (message->opcode == WSLAY_TEXT_FRAME) {
    state.breach = "it sent text where only bytes may stand";
  }
}

/// Sends and takes what can be without waiting.
Status WebSocket::State::exchange() {
  wslay_event_context_ptr raw = context.get();
  if (wslay_event_want_read(raw) != 0 && !ended) {
    const int code = wslay_event_recv(raw);
    MESHTRUST_CHECK(code == 0 || ended);
  }
  // wslay answers a breach of the protocol with a close frame of its own and reads no further.
  const bool gave_up =
      !ended && wslay_event_get_read_enabled(raw) == 0 && wslay_event_get_close_received(raw) == 0;
  if (wslay_event_want_write(raw) != 0 && !ended) {
    const int code = wslay_event_send(raw);
    MESHTRUST_CHECK(code == 0 || ended);
  }
  if (gave_up && breach.empty()) {
    breach = wslay_event_get_status_code_sent(raw) == WSLAY_CODE_MESSAGE_TOO_BIG
                 ? "it sent a message of more than 1 MiB"
                 : "it sent a frame that RFC 6455 forbids";
  }
  if (!breach.empty()) {
    return fail(Code::kUnavailable, "the other end broke the WebSocket protocol: " + breach,
                "a proxy or a load balancer may stand in between");
  }
  return {};
}

Status WebSocket::State::wait() const {
  const bool writes = wslay_event_want_write(context.get()) != 0;
  const For what = !writes ? For::kReading : is_full() ? For::kWriting : For::kBoth;
  auto waited = connection->wait(what, deadline);
  return waited ? Status() : Status(fail(std::move(waited).error().error));
}

/// After the end: how the peer left. An orderly goodbye is no failure.
Status WebSocket::State::explain_end() {
  if (wslay_event_get_close_received(context.get()) != 0) {
    const bool orderly = goodbye == 0 || goodbye == WSLAY_CODE_NORMAL_CLOSURE ||
                         goodbye == WSLAY_CODE_GOING_AWAY || goodbye == WSLAY_CODE_NO_STATUS_RCVD;
    if (orderly) return {};
    return fail(Code::kUnavailable, "the other end closed the WebSocket with " +
                                        std::to_string(goodbye) + " '" +
                                        base::printable(goodbye_words) + "'");
  }
  return fail(failure ? failure->error : connection->broken().error.error);
}

WebSocket::WebSocket(std::unique_ptr<RawConnection, CloseRawConnection> connection,
                     base::Random& random)
    : state_(
          std::make_unique<State>(State{.connection = std::move(connection), .random = random})) {
  const wslay_event_callbacks callbacks{.recv_callback = &State::receive,
                                        .send_callback = &State::send,
                                        .genmask_callback = &State::make_mask,
                                        .on_frame_recv_start_callback = nullptr,
                                        .on_frame_recv_chunk_callback = nullptr,
                                        .on_frame_recv_end_callback = nullptr,
                                        .on_msg_recv_callback = &State::take};
  wslay_event_context_ptr context = nullptr;
  MESHTRUST_CHECK(wslay_event_context_client_init(&context, &callbacks, state_.get()) == 0);
  state_->context.reset(context);
  wslay_event_config_set_max_recv_msg_length(context, kLargestMessage);
}

WebSocket::~WebSocket() = default;

void WebSocket::set_deadline(base::Clock::Steady deadline) {
  state_->deadline = deadline;
}

Status WebSocket::send(base::ByteView message) {
  const wslay_event_msg outgoing{
      .opcode = WSLAY_BINARY_FRAME, .msg = message.data(), .msg_length = message.size()};
  if (wslay_event_queue_msg(state_->context.get(), &outgoing) != 0) {
    MESHTRUST_TRY_DO(state_->explain_end());
    return fail(Code::kUnavailable, "the other end has closed the WebSocket");
  }
  for (;;) {
    MESHTRUST_TRY_DO(state_->exchange());
    if (state_->ended) {
      MESHTRUST_TRY_DO(state_->explain_end());
      return fail(Code::kUnavailable, "the other end has closed the WebSocket");
    }
    if (wslay_event_want_write(state_->context.get()) == 0) return {};
    MESHTRUST_TRY_DO(state_->wait());
  }
}

Result<std::optional<Bytes>> WebSocket::receive() {
  for (;;) {
    MESHTRUST_TRY_DO(state_->exchange());
    if (!state_->unread.empty()) {
      Bytes message = std::move(state_->unread.front());
      state_->unread.pop_front();
      state_->unread_bytes -= message.size();
      return std::optional(std::move(message));
    }
    if (state_->ended || wslay_event_get_close_received(state_->context.get()) != 0) {
      MESHTRUST_TRY_DO(state_->explain_end());
      return std::optional<Bytes>();
    }
    MESHTRUST_TRY_DO(state_->wait());
  }
}

Status WebSocket::close() {
  wslay_event_context_ptr context = state_->context.get();
  if (wslay_event_get_close_received(context) != 0 || state_->ended) return {};
  // Refused only when a goodbye is already under way.
  (void)wslay_event_queue_close(context, WSLAY_CODE_NORMAL_CLOSURE, nullptr, 0);
  while (!state_->ended && wslay_event_get_close_received(context) == 0) {
    state_->unread.clear();
    state_->unread_bytes = 0;
    MESHTRUST_TRY_DO(state_->exchange());
    if (state_->ended || wslay_event_get_close_received(context) != 0) break;
    MESHTRUST_TRY_DO(state_->wait());
  }
  return {};
}

}  // namespace meshtrust::k8s
