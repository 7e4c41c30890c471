#pragma once

#include "base/bytes.h"

#include <span>

namespace meshtrust::base {

/// Unpredictable bytes, as a parameter. Keys are made by OpenSSL's own generator; this one serves
/// serial numbers, names and back-off, so that tests can repeat them.
class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;

  virtual void fill(std::span<std::uint8_t> out) = 0;

  Bytes bytes(std::size_t count);
};

/// The kernel's generator (getrandom). Safe from several threads at once.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

}  // namespace meshtrust::base
