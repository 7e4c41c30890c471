#include "base/error.h"

#include <array>

namespace meshtrust::base {
namespace {

struct NamedCode {
  Code code;
  std::string_view name;
};

constexpr std::array kNames{
    NamedCode{Code::kUsage, "usage"},
    NamedCode{Code::kInvalidInput, "invalid-input"},
    NamedCode{Code::kCorrupt, "corrupt"},
    NamedCode{Code::kLocked, "locked"},
    NamedCode{Code::kUnavailable, "unavailable"},
    NamedCode{Code::kPermission, "permission"},
    NamedCode{Code::kRefused, "refused"},
    NamedCode{Code::kNotYet, "not-yet"},
    NamedCode{Code::kPartial, "partial"},
    NamedCode{Code::kConflict, "conflict"},
    NamedCode{Code::kNotFound, "not-found"},
    NamedCode{Code::kCancelled, "cancelled"},
    NamedCode{Code::kInternal, "internal"},
};

}  // namespace

std::string_view name_of(Code code) {
  for (const NamedCode& entry : kNames) {
    if (entry.code == code) return entry.name;
  }
  return "internal";
}

Code code_from_name(std::string_view name) {
  for (const NamedCode& entry : kNames) {
    if (entry.name == name) return entry.code;
  }
  return Code::kInternal;
}

Error with_context(Error error, std::string_view context) {
  error.message = std::string(context) + ": " + error.message;
  return error;
}

Error with_hint(Error error, std::string hint) {
  error.hints.push_back(std::move(hint));
  return error;
}

}  // namespace meshtrust::base
