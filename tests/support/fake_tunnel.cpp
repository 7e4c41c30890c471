#include "tests/support/fake_tunnel.h"

#include "base/check.h"
#include "base/encoding.h"

#include <openssl/evp.h>

#include <array>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace meshtrust::test {
namespace {

std::string big_endian(std::size_t number, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) {
    out += static_cast<char>(number >> (8 * i) & 0xFFU);
  }
  return out;
}

std::size_t number_in(std::string_view bytes) {
  std::size_t out = 0;
  for (const char byte : bytes) {
    out = out << 8U | static_cast<unsigned char>(byte);
  }
  return out;
}

std::string applied(std::string_view mask, std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(out[i] ^ mask[i % mask.size()]);
  }
  return out;
}

}  // namespace

std::uint16_t FakeTunnel::port() const {
  return static_cast<std::uint16_t>(std::stoul(query_value(request_.query, "ports")));
}

std::string FakeTunnel::agreement() const {
  const std::string text =
      request_.headers.at("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  base::Bytes digest(20);
  MESHTRUST_CHECK(
      EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) == 1);
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Accept: " +
         base::to_base64(digest) +
         "\r\nSec-WebSocket-Protocol: " + request_.headers.at("sec-websocket-protocol") +
         "\r\n\r\n";
}

void FakeTunnel::begin() {
  const std::string port_bytes{static_cast<char>(port() & 0xFFU), static_cast<char>(port() >> 8U)};
  // In one piece, as a busy server sends it: the client must not lose what follows the head.
  (void)stream_.write(agreement() + frame(kBinary, std::string(1, '\0') + port_bytes) +
                      frame(kBinary, std::string(1, '\1') + port_bytes));
}

std::string FakeTunnel::frame(std::uint8_t opcode,
                              std::string_view payload,
                              std::uint8_t first_bits,
                              bool masked) {
  std::string out(1, static_cast<char>(opcode | first_bits));
  const unsigned int mask_bit = masked ? 0x80U : 0U;
  const std::size_t size = payload.size();
  const unsigned int marker = size < 126      ? static_cast<unsigned int>(size)
                              : size < 65'536 ? 126U
                                              : 127U;
  out += static_cast<char>(marker | mask_bit);
  if (marker == 126) out += big_endian(size, 2);
  if (marker == 127) out += big_endian(size, 8);
  if (!masked) return out.append(payload);
  return out + "mask" + applied("mask", payload);
}

void FakeTunnel::send(std::uint8_t opcode, std::string_view payload) {
  (void)stream_.write(frame(opcode, payload));
}

void FakeTunnel::say(char channel, std::string_view content) {
  send(kBinary, std::string(1, channel).append(content));
}

void FakeTunnel::say_goodbye(std::uint16_t code, std::string_view words) {
  send(kClose, big_endian(code, 2).append(words));
  wait_for_end();
}

std::optional<FakeTunnel::Frame> FakeTunnel::next_frame() {
  const auto head = stream_.read_exactly(2);
  if (!head) return std::nullopt;
  Frame frame{.opcode = static_cast<std::uint8_t>((*head)[0] & 0x0F),
              .masked = ((*head)[1] & 0x80) != 0};
  std::size_t size = static_cast<std::size_t>((*head)[1] & 0x7F);
  if (size >= 126) {
    const auto longer = stream_.read_exactly(size == 126 ? 2 : 8);
    if (!longer) return std::nullopt;
    size = number_in(*longer);
  }
  const auto mask = stream_.read_exactly(frame.masked ? 4 : 0);
  const auto payload = stream_.read_exactly(size);
  if (!mask || !payload) return std::nullopt;
  frame.payload = frame.masked ? applied(*mask, *payload) : *payload;
  return frame;
}

std::string FakeTunnel::next_data() {
  const auto frame = next_frame();
  const bool is_data =
      frame && frame->opcode == kBinary && frame->masked && frame->payload.starts_with('\0');
  return is_data ? frame->payload.substr(1) : "";
}

void FakeTunnel::wait_for_end() {
  while (next_frame()) {
  }
}

void bridge(FakeTunnel& tunnel, int fd) {
  for (;;) {
    std::array<pollfd, 2> watched{{{.fd = tunnel.stream().fd(), .events = POLLIN, .revents = 0},
                                   {.fd = fd, .events = POLLIN, .revents = 0}}};
    if (!tunnel.stream().has_pending() && poll(watched.data(), watched.size(), -1) < 0) return;
    if (watched[1].revents != 0) {
      std::array<char, 4'096> part{};
      const ssize_t size = read(fd, part.data(), part.size());
      if (size <= 0) return tunnel.say_goodbye();
      tunnel.say('\0', {part.data(), static_cast<std::size_t>(size)});
    }
    if (tunnel.stream().has_pending() || watched[0].revents != 0) {
      const std::string data = tunnel.next_data();
      if (data.empty() || ::send(fd, data.data(), data.size(), MSG_NOSIGNAL) < 0) return;
    }
  }
}

}  // namespace meshtrust::test
