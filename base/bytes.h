#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace meshtrust::base {

/// Bytes that anybody may see: DER of a certificate, a digest, a signature. Never a key.
using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char and uint8_t alias by rule
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char and uint8_t alias by rule
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace meshtrust::base
