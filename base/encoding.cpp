#include "base/encoding.h"

#include <openssl/evp.h>

#include <array>

namespace meshtrust::base {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int, 256> make_base64_values() {
  std::array<int, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values.at(static_cast<unsigned char>(kBase64[i])) = static_cast<int>(i);
  }
  return values;
}
constexpr auto kBase64Values = make_base64_values();

/// Gives every base64 character of `bytes` to `put`, padding included.
template <class Put>
void encode_base64(ByteView bytes, Put put) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const unsigned group = static_cast<unsigned>(bytes[i]) << 16U |
                           (left > 1 ? static_cast<unsigned>(bytes[i + 1]) << 8U : 0U) |
                           (left > 2 ? static_cast<unsigned>(bytes[i + 2]) : 0U);
    put(kBase64[group >> 18U & 63U]);
    put(kBase64[group >> 12U & 63U]);
    put(left > 1 ? kBase64[group >> 6U & 63U] : '=');
    put(left > 2 ? kBase64[group & 63U] : '=');
  }
}

/// Gives every byte that `text` stands for to `put`; false when it is not base64.
template <class Put>
bool decode_base64(std::string_view text, Put put) {
  unsigned group = 0;
  unsigned digits = 0;
  unsigned padding = 0;
  bool ended = false;  // after a padded group only line ends may follow
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (ended) return false;
    if (c == '=') {
      if (digits < 2) return false;
      ++padding;
    } else {
      const int value = kBase64Values.at(static_cast<unsigned char>(c));
      if (value < 0 || padding != 0) return false;
      group = group << 6U | static_cast<unsigned>(value);
      ++digits;
    }
    if (digits + padding < 4) continue;
    group <<= 6U * padding;
    for (unsigned i = 0; i + padding < 3; ++i) {
      put(static_cast<std::uint8_t>(group >> (16U - 8U * i) & 255U));
    }
    ended = padding != 0;
    group = digits = padding = 0;
  }
  return digits == 0;
}

Failure<Error> not_base64() {
  return fail(Code::kInvalidInput, "is not standard base64 with padding");
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    hex += kHexDigits[byte >> 4U];
    hex += kHexDigits[byte & 15U];
  }
  return hex;
}

Result<Bytes> from_hex(std::string_view text) {
  const auto value = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = i + 1 < text.size() ? value(text[i + 1]) : -1;
    if (high < 0 || low < 0) {
      return fail(Code::kInvalidInput, "is not an even number of hexadecimal digits");
    }
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

std::string to_base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  encode_base64(bytes, [&text](char c) { text += c; });
  return text;
}

void append_base64(Secret& out, ByteView bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  encode_base64(bytes, [&out](char c) { out.append({&c, 1}); });
}

Result<Bytes> from_base64(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  if (!decode_base64(text, [&bytes](std::uint8_t byte) { bytes.push_back(byte); })) {
    return not_base64();
  }
  return bytes;
}

Result<Secret> secret_from_base64(std::string_view text) {
  Secret secret = Secret::of_size(text.size() / 4 * 3 + 3);
  const auto out = secret.writable();
  std::size_t size = 0;
  const bool good = decode_base64(text, [&out, &size](std::uint8_t byte) { out[size++] = byte; });
  if (!good) return not_base64();
  secret.truncate(size);
  return secret;
}

Bytes sha256(ByteView bytes) {
  Bytes digest(32);
  unsigned size = 0;
  MESHTRUST_CHECK(
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string group_hex(std::string_view hex) {
  std::string grouped;
  for (std::size_t i = 0; i < hex.size(); i += 4) {
    if (i != 0) grouped += ' ';
    grouped += hex.substr(i, 4);
  }
  return grouped;
}

}  // namespace meshtrust::base
