#pragma once

#include "base/time.h"
#include "istio/bundle.h"
#include "pki/lint.h"
#include "pki/verify.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::istio {

/// What istiod does with a bundle when it starts.
enum class LoadOutcome { kLoads, kRefusesToStart };
std::string_view name_of(LoadOutcome outcome);

/// What is wrong with a bundle. Errors either stop istiod or break handshakes; warnings will.
struct BundleProblem {
  std::string code;  ///< stable, e.g. "chain-does-not-begin-with-ca-cert"
  pki::Severity severity = pki::Severity::kError;
  bool stops_istiod = false;  ///< istiod does not start with it
  std::string message;        ///< found versus wanted
};

/// The judgement of one bundle.
struct BundleVerdict {
  LoadOutcome outcome = LoadOutcome::kLoads;
  std::vector<BundleProblem> problems;  ///< in the order in which istiod would look
  std::vector<pki::Verdict>
      chain_verdicts;                  ///< both libraries on cert-chain.pem under root-cert.pem
  std::optional<ParsedBundle> parsed;  ///< where the certificates could be read

  /// istiod starts with it and the mesh works: no error, both libraries accept.
  bool is_good() const;
};

/// How the private key compares, found out by whoever may look at it.
enum class KeyMatch { kMatches, kOther, kUnreadable, kNotLookedAt };

/// What expires sooner than this is warned about.
constexpr base::Seconds kExpiryWarning = base::days(30);

struct BundleQuestion {
  const PublicBundle& bundle;
  KeyMatch key = KeyMatch::kNotLookedAt;
  base::Instant at;
  base::Seconds warn_before = kExpiryWarning;
};

/// Would istiod load this bundle, and would the mesh work with it?
BundleVerdict judge_bundle(const BundleQuestion& question);

/// Whether `pem` is a private key that istiod can read and that belongs to `ca_cert`.
KeyMatch match_key(const base::Secret& pem, const std::string& ca_cert);

/// The last look before a new bundle leaves the process: kRefused unless istiod would load it and
/// the mesh would work with it.
base::Status refuse_unless_good(const Bundle& bundle, base::Instant at);

}  // namespace meshtrust::istio
