#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace meshtrust::mesh {

/// It was looked for and is not there.
struct Absent {
  friend bool operator==(const Absent&, const Absent&) = default;
};

/// Why a reader of a fact may go on where the fact is unknown. `grep 'Unknown::'` finds every place
/// that does. Planners never may: they gather what is unknown, and it refuses the plan.
enum class Unknown {
  kTold,            ///< somebody tells it: the lines above, or the check whose question it is
  kNothingFollows,  ///< less is said for it, and nothing is done, undone or called good
};

/// What could not be known about one cluster (or the store, without a name), each thing once.
class Unknowns {
 public:
  /// `errors` outlives this; `where` is put before what is told.
  explicit Unknowns(base::Errors& errors, std::string_view where = {})
      : errors_(errors), where_(where) {}

  void add(const base::Error& why);

 private:
  base::Errors& errors_;
  std::string where_;
};

/// A fact from outside: found, absent, or unknown because of an error. A refusal (403) or a cut
/// connection is never "absent", and nothing is planned over an unknown: whoever asks what was
/// found says in the same breath what not knowing means.
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

  /// It was looked for and is not there; false where nobody knows.
  bool is_absent() const { return std::holds_alternative<Absent>(state_); }
  bool is_unknown() const { return std::holds_alternative<base::Error>(state_); }
  /// Why it is unknown, or null.
  const base::Error* why_unknown() const { return std::get_if<base::Error>(&state_); }

  /// What was found, or null: then it is absent, or `unknowns` has been told.
  const T* found(Unknowns& unknowns) const {
    if (const base::Error* why = why_unknown()) unknowns.add(*why);
    return std::get_if<T>(&state_);
  }
  /// What was found, or null where it is absent or unknown, for the reason that is named.
  const T* found(Unknown /*reason*/) const { return std::get_if<T>(&state_); }

 private:
  std::variant<T, Absent, base::Error> state_;
};

}  // namespace meshtrust::mesh
