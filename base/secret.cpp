#include "base/secret.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace meshtrust::base {
namespace {

std::uint8_t* allocate(std::size_t capacity) {
  // A full secure heap must not fail a rotation half-way: ordinary memory, wiped as well, is next.
  void* memory = OPENSSL_secure_malloc(capacity);
  if (memory == nullptr) memory = OPENSSL_malloc(capacity);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<std::uint8_t*>(memory);
}

void release(std::uint8_t* data, std::size_t capacity) {
  if (data != nullptr) OPENSSL_secure_clear_free(data, capacity);
}

}  // namespace

Secret::Secret(std::string_view content) {
  append(content);
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  other.clear();
  return *this;
}

Secret::~Secret() {
  release(data_, capacity_);
}

Secret Secret::clone() const {
  return Secret(reveal(*this, "a copy that is a secret again"));
}

Secret Secret::of_size(std::size_t size) {
  Secret secret;
  secret.reserve(size);
  if (size != 0) std::memset(secret.data_, 0, size);
  secret.size_ = size;
  return secret;
}

void Secret::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  const std::size_t grown = std::max({capacity, capacity_ * 2, std::size_t{64}});
  std::uint8_t* fresh = allocate(grown);
  if (size_ != 0) std::memcpy(fresh, data_, size_);
  release(data_, capacity_);
  data_ = fresh;
  capacity_ = grown;
}

void Secret::append(std::string_view more) {
  if (more.empty()) return;
  reserve(size_ + more.size());
  std::memcpy(data_ + size_, more.data(), more.size());
  size_ += more.size();
}

void Secret::append(const Secret& more) {
  // Room first: growing moves the bytes, which matters when a secret is appended to itself.
  reserve(size_ + more.size_);
  append(reveal(more, "appended to another secret"));
}

void Secret::truncate(std::size_t size) {
  if (size >= size_) return;
  OPENSSL_cleanse(data_ + size, size_ - size);
  size_ = size;
}

void Secret::clear() {
  release(data_, capacity_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

std::span<std::uint8_t> Secret::writable() {
  return {data_, size_};
}

std::string_view reveal(const Secret& secret, std::string_view /*purpose*/) {
  return as_text({secret.data_, secret.size_});
}

ByteView reveal_bytes(const Secret& secret, std::string_view purpose) {
  return as_bytes(reveal(secret, purpose));
}

bool constant_time_equal(const Secret& a, const Secret& b) {
  const std::string_view left = reveal(a, "constant-time comparison");
  const std::string_view right = reveal(b, "constant-time comparison");
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace meshtrust::base
