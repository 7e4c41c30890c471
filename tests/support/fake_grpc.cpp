#include "tests/support/fake_grpc.h"

#include "base/bytes.h"
#include "base/check.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <vector>

namespace meshtrust::test {
namespace {

struct FreeSession {
  void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
};

/// Of names and values that outlive the submission, which copies them.
nghttp2_nv field(std::string_view name, std::string_view value) {
  // NOLINTBEGIN(cppcoreguidelines-pro-type-const-cast,cppcoreguidelines-pro-type-reinterpret-cast)
  return {.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = 0};
  // NOLINTEND(cppcoreguidelines-pro-type-const-cast,cppcoreguidelines-pro-type-reinterpret-cast)
}

std::string text_of(const std::uint8_t* data, std::size_t size) {
  return std::string(base::as_text({data, size}));
}

struct Call {
  const GrpcReply& reply;
  SeenCall seen = {};
  std::size_t sent = 0;

  void answer(nghttp2_session* session, std::int32_t id) {
    if (reply.reset) {
      nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_INTERNAL_ERROR);
      return;
    }
    std::vector<nghttp2_nv> head{field(":status", reply.http_status)};
    if (!reply.content_type.empty()) head.push_back(field("content-type", reply.content_type));
    const nghttp2_data_provider body{.source = {.ptr = this}, .read_callback = &give};
    MESHTRUST_CHECK(nghttp2_submit_response(session, id, head.data(), head.size(), &body) == 0);
  }

  static ssize_t give(nghttp2_session* session,
                      std::int32_t id,
                      std::uint8_t* into,
                      std::size_t size,
                      std::uint32_t* flags,
                      nghttp2_data_source* /*source*/,
                      void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::size_t part = std::min(size, call.reply.body.size() - call.sent);
    std::memcpy(into, call.reply.body.data() + call.sent, part);
    call.sent += part;
    if (call.sent < call.reply.body.size()) return static_cast<ssize_t>(part);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (call.reply.trailers.empty()) return static_cast<ssize_t>(part);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    std::vector<nghttp2_nv> trailers;
    for (const auto& [name, value] : call.reply.trailers) {
      trailers.push_back(field(name, value));
    }
    nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
    return static_cast<ssize_t>(part);
  }
};

}  // namespace

std::string grpc_frame(std::string_view message, char compressed) {
  std::string out(1, compressed);
  for (const unsigned int shift : {24U, 16U, 8U, 0U}) {
    out += static_cast<char>(message.size() >> shift & 0xFFU);
  }
  return out.append(message);
}

SeenCall serve_grpc(TlsStream& stream, const GrpcReply& reply) {
  Call call{.reply = reply};
  nghttp2_session_callbacks* callbacks = nullptr;
  MESHTRUST_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks,
      [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
        static_cast<Call*>(self)->seen.headers[text_of(name, name_size)] =
            text_of(value, value_size);
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data,
                    std::size_t size, void* self) {
        static_cast<Call*>(self)->seen.message += text_of(data, size);
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session* session, const nghttp2_frame* frame, void* self) {
        const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (frame->hd.type == NGHTTP2_DATA && ends)
          static_cast<Call*>(self)->answer(session, frame->hd.stream_id);
        return 0;
      });
  nghttp2_session* raw = nullptr;
  MESHTRUST_CHECK(nghttp2_session_server_new(&raw, callbacks, &call) == 0);
  const std::unique_ptr<nghttp2_session, FreeSession> session(raw);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(raw, 0, nullptr, 0);
  for (;;) {
    const std::uint8_t* data = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(raw, &data)) > 0;) {
      if (!stream.write(text_of(data, static_cast<std::size_t>(size)))) return call.seen;
    }
    const auto byte = stream.read_exactly(1);
    if (!byte || nghttp2_session_mem_recv(raw, base::as_bytes(*byte).data(), 1) != 1) break;
  }
  return call.seen;
}

}  // namespace meshtrust::test
