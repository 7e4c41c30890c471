#include "cli/exit_code.h"

#include <algorithm>
#include <array>

namespace meshtrust::cli {
namespace {

constexpr std::array kTable{
    ExitCodeMeaning{kUsage,
                    "wrong arguments, or a confirmation is needed and there is no terminal"},
    ExitCodeMeaning{kBadInput,
                    "mesh file, kubeconfig, certificate, store or snapshot unreadable or "
                    "contradictory; wrong passphrase"},
    ExitCodeMeaning{kLocked, "another run holds the store or the cluster"},
    ExitCodeMeaning{kUnreachable, "no API server, token or tool could be reached"},
    ExitCodeMeaning{kNotPermitted, "RBAC or file permissions forbid it"},
    ExitCodeMeaning{kRefused, "policy: foreign cacerts, failed verification, critical finding"},
    ExitCodeMeaning{kNotYet, "a gate or a person is awaited"},
    ExitCodeMeaning{kPartial, "some of it is done, the rest is listed"},
    ExitCodeMeaning{kWarnings, "findings below critical"},
    ExitCodeMeaning{kChangesPending, "changes pending, only with --detailed-exitcode"},
    ExitCodeMeaning{kFailure, "anything else: full disk, bug"},
    ExitCodeMeaning{kDone, "done, or nothing to do"},
};

std::size_t rank(ExitCode code) {
  const auto found = std::find_if(kTable.begin(), kTable.end(),
                                  [code](const auto& entry) { return entry.code == code; });
  return static_cast<std::size_t>(found - kTable.begin());
}

}  // namespace

ExitCode exit_code_of(base::Code code) {
  using base::Code;
  switch (code) {
    case Code::kUsage:
      return kUsage;
    case Code::kInvalidInput:
    case Code::kCorrupt:
    case Code::kNotFound:
      return kBadInput;
    case Code::kLocked:
      return kLocked;
    case Code::kUnavailable:
      return kUnreachable;
    case Code::kPermission:
      return kNotPermitted;
    case Code::kRefused:
    case Code::kConflict:
      return kRefused;
    case Code::kNotYet:
      return kNotYet;
    case Code::kPartial:
    case Code::kCancelled:
      return kPartial;
    case Code::kInternal:
      break;
  }
  return kFailure;
}

ExitCode exit_code_of(std::span<const base::Error> errors) {
  ExitCode code = kDone;
  for (const base::Error& error : errors) {
    code = more_telling(code, exit_code_of(error.code));
  }
  return code;
}

ExitCode exit_code_of(std::span<const mesh::Finding> findings) {
  if (has_severity(findings, mesh::Severity::kCritical)) return kRefused;
  return has_severity(findings, mesh::Severity::kWarning) ? kWarnings : kDone;
}

ExitCode more_telling(ExitCode a, ExitCode b) {
  return rank(a) <= rank(b) ? a : b;
}

std::span<const ExitCodeMeaning> exit_code_table() {
  return kTable;
}

}  // namespace meshtrust::cli
