#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <string_view>

namespace meshtrust::base {

/// Bytes that nobody may see: a private key, a passphrase, a token, a request body that carries
/// one.
///
/// They live in OpenSSL's secure heap (locked, left out of core dumps, guarded) and are wiped when
/// the owner goes. Move-only; no printing, no `==`. The only ways to look inside are `reveal` and
/// `reveal_bytes`, which want a purpose: `grep -rn 'reveal' ` is the audit of every place.
///
/// When the secure heap is not set up (tests) or full, ordinary memory is used and wiped likewise.
class Secret {
 public:
  Secret() = default;
  /// Takes a copy. The caller wipes the original where it was the first to hold it.
  explicit Secret(std::string_view content);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  /// A copy, asked for by name so that none is made by accident.
  Secret clone() const;

  /// `size` zero bytes, to be filled through `writable()`.
  static Secret of_size(std::size_t size);

  void append(std::string_view more);
  void append(const Secret& more);
  void reserve(std::size_t capacity);
  /// Shortens to `size`, wiping the rest. Never lengthens.
  void truncate(std::size_t size);
  /// Wipes and empties.
  void clear();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// For code that produces a secret in place (a decoder, a prompt, a socket read).
  std::span<std::uint8_t> writable();

 private:
  friend std::string_view reveal(const Secret& secret, std::string_view purpose);

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// The content as text. `purpose` says who gets to see it and is there for the reader of the code.
/// The view lives as long as the secret.
std::string_view reveal(const Secret& secret, std::string_view purpose);

/// The content as bytes; the same rule.
ByteView reveal_bytes(const Secret& secret, std::string_view purpose);

/// Whether two secrets are equal, in time that depends on their lengths only.
bool constant_time_equal(const Secret& a, const Secret& b);

}  // namespace meshtrust::base
