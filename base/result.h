#pragma once

#include "base/check.h"
#include "base/error.h"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace meshtrust::base {

/// The failure half of a `Result`, made by `fail(...)`. Converts to any `Result<T, E>`.
template <class E>
struct Failure {
  E error;
};

/// A value or the reason why there is none. Spelled like `std::expected`, which the supported
/// compilers do not have yet.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point of the type
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): `return fail(...);` likewise
  Result(Failure<E> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return checked(*this); }
  const T& value() const& { return checked(*this); }
  T&& value() && { return std::move(checked(*this)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  E& error() & { return failed(*this); }
  const E& error() const& { return failed(*this); }
  E&& error() && { return std::move(failed(*this)); }

 private:
  template <class Self>
  static auto& checked(Self& self) {
    MESHTRUST_CHECK(self.has_value());
    return *std::get_if<0>(&self.state_);
  }
  template <class Self>
  static auto& failed(Self& self) {
    MESHTRUST_CHECK(!self.has_value());
    return *std::get_if<1>(&self.state_);
  }

  std::variant<T, E> state_;
};

/// Success without a value.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): `return fail(...);` is the point of the type
  Result(Failure<E> failure) : error_(std::move(failure.error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { MESHTRUST_CHECK(has_value()); }

  const E& error() const& {
    MESHTRUST_CHECK(error_.has_value());
    return *error_;
  }
  E&& error() && {
    MESHTRUST_CHECK(error_.has_value());
    return *std::move(error_);
  }

 private:
  std::optional<E> error_;
};

using Status = Result<void>;

inline Failure<Error> fail(Error error) {
  return {std::move(error)};
}
inline Failure<Errors> fail(Errors errors) {
  return {std::move(errors)};
}
inline Failure<Error> fail(Code code, std::string message) {
  return {Error{.code = code, .message = std::move(message)}};
}
inline Failure<Error> fail(Code code, std::string message, std::string hint) {
  return {Error{.code = code, .message = std::move(message), .hints = {std::move(hint)}}};
}

}  // namespace meshtrust::base

// NOLINTBEGIN(cppcoreguidelines-macro-usage,bugprone-macro-parentheses): no C++20 construct returns
// from its caller
#define MESHTRUST_CONCAT_INNER(a, b) a##b
#define MESHTRUST_CONCAT(a, b) MESHTRUST_CONCAT_INNER(a, b)
#define MESHTRUST_TRY_INNER(temporary, declaration, expression)                 \
  auto temporary = (expression);                                                \
  if (!temporary) return ::meshtrust::base::fail(std::move(temporary).error()); \
  declaration = *std::move(temporary)

/// `MESHTRUST_TRY(const Root root, load(path));` declares `root`, or returns the error.
#define MESHTRUST_TRY(declaration, expression) \
  MESHTRUST_TRY_INNER(MESHTRUST_CONCAT(try_result_, __LINE__), declaration, expression)

/// Returns the error of an expression that has no value.
#define MESHTRUST_TRY_DO(expression)                                                \
  do {                                                                              \
    auto try_status = (expression);                                                 \
    if (!try_status) return ::meshtrust::base::fail(std::move(try_status).error()); \
  } while (false)
// NOLINTEND(cppcoreguidelines-macro-usage,bugprone-macro-parentheses)
