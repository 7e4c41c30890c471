#pragma once

#include "base/error.h"

#include <optional>
#include <utility>
#include <variant>

namespace meshtrust::mesh {

/// It was looked for and is not there.
struct Absent {
  friend bool operator==(const Absent&, const Absent&) = default;
};

/// A fact from outside: found, absent, or unknown because of an error. A refusal (403) or a cut
/// connection is never "absent", and nothing is planned over an unknown.
template <class T>
class Observed {
 public:
  /// Nobody has looked yet, which is a kind of not knowing.
  Observed()
      : state_(base::Error{.code = base::Code::kInternal, .message = "it was not looked at"}) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a fact is what was found
  Observed(T found) : state_(std::move(found)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): `return Absent{};` is the point
  Observed(Absent absent) : state_(absent) {}

  static Observed unknown(base::Error why) {
    Observed result;
    result.state_.template emplace<base::Error>(std::move(why));
    return result;
  }

  bool is_found() const { return std::holds_alternative<T>(state_); }
  bool is_absent() const { return std::holds_alternative<Absent>(state_); }
  bool is_unknown() const { return std::holds_alternative<base::Error>(state_); }

  /// What was found, or null.
  const T* found() const { return std::get_if<T>(&state_); }
  /// Why it is unknown, or null.
  const base::Error* why_unknown() const { return std::get_if<base::Error>(&state_); }

 private:
  std::variant<T, Absent, base::Error> state_;
};

}  // namespace meshtrust::mesh
