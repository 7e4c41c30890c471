#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshtrust::base {

/// What a caller can do about a failure. The one table that turns these into exit codes is
/// `cli/exit_code.h`.
enum class Code {
  kUsage,         ///< the command line is wrong, or a confirmation could not be asked for
  kInvalidInput,  ///< a file, certificate, kubeconfig or passphrase of the user's is wrong
  kCorrupt,       ///< data that meshtrust itself wrote can no longer be trusted
  kLocked,        ///< another run holds the store or the cluster
  kUnavailable,   ///< a server, token or tool could not be reached; trying again may help
  kPermission,    ///< RBAC or file permissions forbid it
  kRefused,       ///< policy: doing it would damage a mesh
  kNotYet,        ///< a gate or a person is awaited
  kPartial,       ///< some of it is done, the rest is listed
  kConflict,      ///< someone else changed or owns the thing in question
  kNotFound,      ///< the thing asked for does not exist
  kCancelled,     ///< Ctrl-C or an expired deadline
  kInternal,      ///< anything else: full disk, bug
};

/// The stable, machine-readable name of a code, as it stands in JSON output ("invalid-input").
std::string_view name_of(Code code);

/// The inverse of `name_of`; `Code::kInternal` for a name that this version does not know.
Code code_from_name(std::string_view name);

/// Where in a user's file a problem is. Lines and columns count from 1; 0 means "not known".
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  std::string source_line;  ///< the text of that line, shown with a caret; empty for secret files

  friend bool operator==(const Place&, const Place&) = default;
};

/// A failure as a value. `message` is lower case, has no final period, and says found versus
/// wanted; each hint is one thing to do next. Neither ever holds key material or a token.
struct Error {
  Code code = Code::kInternal;
  std::string message;
  Place place = {};
  std::vector<std::string> hints = {};

  friend bool operator==(const Error&, const Error&) = default;
};

using Errors = std::vector<Error>;

/// `error` with what this layer knows put in front: "applying cacerts to east: ...".
Error with_context(Error error, std::string_view context);

/// `error` with one more hint.
Error with_hint(Error error, std::string hint);

}  // namespace meshtrust::base
