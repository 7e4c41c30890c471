#include "k8s/grpc.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <optional>

namespace meshtrust::k8s {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;

/// Before each message: whether it is compressed, and its size in four bytes, high byte first.
constexpr std::size_t kPrefix = 5;
constexpr std::size_t kMostWords = 4'096;

struct FreeSession {
  void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
};
struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* callbacks) const noexcept {
    nghttp2_session_callbacks_del(callbacks);
  }
};
using Session = std::unique_ptr<nghttp2_session, FreeSession>;
using Callbacks = std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks>;

Failure<base::Error> no_answer(const std::string& why) {
  return fail(Code::kUnavailable, "no gRPC answer: " + why);
}

Bytes framed(ByteView message) {
  Bytes out{0};
  for (const unsigned int shift : {24U, 16U, 8U, 0U}) {
    out.push_back(static_cast<std::uint8_t>(message.size() >> shift));
  }
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

/// `grpc-message` is percent-encoded (the gRPC over HTTP/2 specification, "Responses").
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? base::from_hex(text.substr(i + 1, 2)) : Bytes();
    if (byte && byte->size() == 1) {
      out += static_cast<char>(byte->front());
      i += 2;
    } else {
      out += text[i];
    }
  }
  return base::printable(out);
}

/// The one exchange on a connection. The callbacks of nghttp2 are its static members.
class Exchange {
 public:
  explicit Exchange(const GrpcCall& call) : call_(call), body_(framed(call.message)) {}

  /// Sends the request and takes in what comes back until the stream is closed.
  Status run(ByteStream& stream);
  Result<GrpcAnswer> answer() &&;

 private:
  static int take_header(nghttp2_session* session,
                         const nghttp2_frame* frame,
                         const std::uint8_t* name,
                         std::size_t name_size,
                         const std::uint8_t* value,
                         std::size_t value_size,
                         std::uint8_t flags,
                         void* self) noexcept;
  static int take_data(nghttp2_session* session,
                       std::uint8_t flags,
                       std::int32_t id,
                       const std::uint8_t* data,
                       std::size_t size,
                       void* self) noexcept;
  static int note_close(nghttp2_session* session,
                        std::int32_t id,
                        std::uint32_t error_code,
                        void* self) noexcept;
  static ssize_t give_body(nghttp2_session* session,
                           std::int32_t id,
                           std::uint8_t* into,
                           std::size_t size,
                           std::uint32_t* flags,
                           nghttp2_data_source* source,
                           void* self) noexcept;

  Session open();
  void submit(nghttp2_session* session);
  void header(std::string_view name, std::string_view value);
  Status flush(nghttp2_session* session, ByteStream& stream) const;

  const GrpcCall& call_;
  const Bytes body_;
  std::size_t sent_ = 0;
  Bytes received_;
  bool too_large_ = false;
  std::optional<std::uint32_t> closed_;  ///< with which HTTP/2 error code
  std::string http_status_;
  std::string content_type_;
  std::optional<int> status_;
  std::string words_;
};

int Exchange::take_header(nghttp2_session* /*session*/,
                          const nghttp2_frame* /*frame*/,
                          const std::uint8_t* name,
                          std::size_t name_size,
                          const std::uint8_t* value,
                          std::size_t value_size,
                          std::uint8_t /*flags*/,
                          void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.header(base::as_text({name, name_size}), base::as_text({value, value_size}));
  return 0;
}

void Exchange::header(std::string_view name, std::string_view value) {
  value = value.substr(0, kMostWords);
  if (name == ":status") http_status_ = value;
  if (name == "content-type") content_type_ = value;
  if (name == "grpc-message") words_ = decoded(value);
  if (name == "grpc-status") {
    int number = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    if (read.ec == std::errc() && read.ptr == value.data() + value.size()) status_ = number;
  }
}

int Exchange::take_data(nghttp2_session* /*session*/,
                        std::uint8_t /*flags*/,
                        std::int32_t /*id*/,
                        const std::uint8_t* data,
                        std::size_t size,
                        void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.too_large_ = exchange.too_large_ || size > exchange.call_.answer_limit_bytes + kPrefix -
                                                          exchange.received_.size();
  if (exchange.too_large_) return NGHTTP2_ERR_CALLBACK_FAILURE;
  exchange.received_.insert(exchange.received_.end(), data, data + size);
  return 0;
}

int Exchange::note_close(nghttp2_session* /*session*/,
                         std::int32_t /*id*/,
                         std::uint32_t error_code,
                         void* self) noexcept {
  static_cast<Exchange*>(self)->closed_ = error_code;
  return 0;
}

ssize_t Exchange::give_body(nghttp2_session* /*session*/,
                            std::int32_t /*id*/,
                            std::uint8_t* into,
                            std::size_t size,
                            std::uint32_t* flags,
                            nghttp2_data_source* /*source*/,
                            void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::size_t part = std::min(size, exchange.body_.size() - exchange.sent_);
  std::memcpy(into, exchange.body_.data() + exchange.sent_, part);
  exchange.sent_ += part;
  if (exchange.sent_ == exchange.body_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(part);
}

Session Exchange::open() {
  nghttp2_session_callbacks* raw_callbacks = nullptr;
  MESHTRUST_CHECK(nghttp2_session_callbacks_new(&raw_callbacks) == 0);
  const Callbacks callbacks(raw_callbacks);
  nghttp2_session_callbacks_set_on_header_callback(raw_callbacks, &take_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw_callbacks, &take_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(raw_callbacks, &note_close);
  nghttp2_session* raw = nullptr;
  MESHTRUST_CHECK(nghttp2_session_client_new(&raw, raw_callbacks, this) == 0);
  return Session(raw);
}

nghttp2_nv field(std::string_view name, std::string_view value, int flags = 0) {
  // nghttp2 copies both unless told otherwise; the C struct has no const.
  const ByteView name_bytes = base::as_bytes(name);
  const ByteView value_bytes = base::as_bytes(value);
  // NOLINTBEGIN(cppcoreguidelines-pro-type-const-cast)
  return {.name = const_cast<std::uint8_t*>(name_bytes.data()),
          .value = const_cast<std::uint8_t*>(value_bytes.data()),
          .namelen = name_bytes.size(),
          .valuelen = value_bytes.size(),
          .flags = static_cast<std::uint8_t>(flags)};
  // NOLINTEND(cppcoreguidelines-pro-type-const-cast)
}

void Exchange::submit(nghttp2_session* session) {
  const std::array<nghttp2_settings_entry, 1> settings{
      {{.settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH, .value = 0}}};
  MESHTRUST_CHECK(
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  std::vector<nghttp2_nv> fields{field(":method", "POST"),
                                 field(":scheme", "https"),
                                 field(":path", call_.method),
                                 field(":authority", call_.authority),
                                 field("te", "trailers"),
                                 field("content-type", "application/grpc"),
                                 field("user-agent", "meshtrust/" MESHTRUST_VERSION)};
  for (const auto& [name, value] : call_.metadata) {
    fields.push_back(field(name, value));
  }
  base::Secret credential;
  if (call_.bearer_token != nullptr) {
    credential.append("Bearer ");
    credential.append(*call_.bearer_token);
    // Kept out of the tables of HPACK, at both ends.
    fields.push_back(field("authorization", reveal(credential, "bearer token of a gRPC call"),
                           NGHTTP2_NV_FLAG_NO_INDEX));
  }
  const nghttp2_data_provider body{.source = {.ptr = this}, .read_callback = &give_body};
  MESHTRUST_CHECK(
      nghttp2_submit_request(session, nullptr, fields.data(), fields.size(), &body, nullptr) > 0);
}

Status Exchange::flush(nghttp2_session* session, ByteStream& stream) const {
  for (;;) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    if (size < 0) return no_answer(nghttp2_strerror(static_cast<int>(size)));
    if (size == 0) return {};
    MESHTRUST_TRY_DO(stream.write({data, static_cast<std::size_t>(size)}));
  }
}

Status Exchange::run(ByteStream& stream) {
  const Session session = open();
  submit(session.get());
  std::array<std::uint8_t, 16'384> part{};
  for (;;) {
    MESHTRUST_TRY_DO(flush(session.get(), stream));
    if (closed_) break;
    if (nghttp2_session_want_read(session.get()) == 0) {
      return no_answer("the server gave up the connection");
    }
    MESHTRUST_TRY(const std::size_t size, stream.read(part));
    if (size == 0) return no_answer("the server closed the connection");
    const ssize_t taken = nghttp2_session_mem_recv(session.get(), part.data(), size);
    if (too_large_) {
      return no_answer("it is larger than " + std::to_string(call_.answer_limit_bytes) + " bytes");
    }
    if (taken < 0) return no_answer(nghttp2_strerror(static_cast<int>(taken)));
  }
  nghttp2_session_terminate_session(session.get(), NGHTTP2_NO_ERROR);
  return flush(session.get(), stream);
}

Result<GrpcAnswer> Exchange::answer() && {
  const bool is_grpc = content_type_.starts_with("application/grpc");
  if (closed_ != NGHTTP2_NO_ERROR && !status_) {
    return no_answer("the server ended the stream with " +
                     std::string(nghttp2_http2_strerror(closed_.value_or(0))));
  }
  if (http_status_ != "200" || !is_grpc) {
    return no_answer("found HTTP status " + base::printable(http_status_, 3) + " and '" +
                     base::printable(content_type_, 80) + "', wanted 200 and 'application/grpc'");
  }
  if (!status_) return no_answer("it has no 'grpc-status'");
  if (*status_ != 0) return GrpcAnswer{.status = *status_, .words = std::move(words_)};
  if (received_.size() < kPrefix) return no_answer("it says OK and holds no message");
  std::size_t size = 0;
  for (std::size_t i = 1; i < kPrefix; ++i) {
    size = size << 8U | received_[i];
  }
  if (received_[0] != 0) return no_answer("it is compressed, though nobody offered that");
  if (size != received_.size() - kPrefix) {
    return no_answer("it is not one message: found " + std::to_string(received_.size() - kPrefix) +
                     " bytes, announced were " + std::to_string(size));
  }
  received_.erase(received_.begin(), received_.begin() + kPrefix);
  return GrpcAnswer{.status = 0, .words = std::move(words_), .message = std::move(received_)};
}

/// Any workload of a mesh has a certificate under its root, so a chain without a name is not
/// enough.
std::string why_not_trusted(const TlsPeer& peer) {
  if (!peer.objection.empty()) return peer.objection;
  return peer.verdict == TlsVerdict::kTrusted ? "its name was not verified" : "it was not verified";
}

}  // namespace

Result<GrpcAnswer> call_grpc(TlsStream& stream, const GrpcCall& call) {
  const TlsPeer& peer = stream.peer();
  const std::string action = "calling " + call.method;
  if (peer.protocol != "h2") {
    return fail(base::with_context({.code = Code::kUnavailable,
                                    .message = "the server speaks no HTTP/2, it picked '" +
                                               base::printable(peer.protocol, 40) + "'"},
                                   action));
  }
  if (call.bearer_token != nullptr && peer.verified_name.empty()) {
    return fail(base::with_context(
        {.code = Code::kRefused,
         .message = "a token is not sent to a server whose certificate is not trusted: " +
                    why_not_trusted(peer)},
        action));
  }
  Exchange exchange(call);
  if (auto done = exchange.run(stream); !done) {
    return fail(base::with_context(std::move(done).error(), action));
  }
  auto answer = std::move(exchange).answer();
  if (!answer) return fail(base::with_context(std::move(answer).error(), action));
  return answer;
}

}  // namespace meshtrust::k8s
