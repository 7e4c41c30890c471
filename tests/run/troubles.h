#pragma once

#include "tests/run/run_fixture.h"

#include <ostream>

namespace meshtrust::run::testing {

/// What can go wrong with one request, as a parameter of tests.
struct Trouble {
  const char* name;
  test::Fault fault;
};

inline std::ostream& operator<<(std::ostream& out, const Trouble& trouble) {
  return out << trouble.name;
}

inline const Trouble kForbidden{"Forbidden",
                                {.reply = test::failure_reply(403, "Forbidden", "no")}};
inline const Trouble kUnauthorized{"Unauthorized",
                                   {.reply = test::failure_reply(401, "Unauthorized", "no")}};
inline const Trouble kConflict{"Conflict", {.reply = test::failure_reply(409, "Conflict", "no")}};
inline const Trouble kInternalError{
    "InternalError", {.reply = test::failure_reply(500, "InternalError", "etcd is gone")}};
inline const Trouble kNotServed{"NotServed",
                                {.reply = {.status = 404, .body = "404 page not found\n"}}};
inline const Trouble kCutBefore{"CutBefore", {.kind = test::Fault::Kind::kCutBefore}};
inline const Trouble kCutAfter{"CutAfter", {.kind = test::Fault::Kind::kCutAfter}};
inline const Trouble kCutInTheMiddle{"CutInTheMiddle", {.kind = test::Fault::Kind::kTruncate}};

}  // namespace meshtrust::run::testing
