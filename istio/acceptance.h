#pragma once

#include "base/time.h"
#include "istio/behaviour.h"
#include "istio/bundle.h"
#include "pki/lint.h"
#include "pki/verify.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::istio {

/// What istiod does with a bundle.
enum class LoadOutcome {
  kLoads,
  kRefusesToStart,
  kSelfSigned,           ///< starts, with a CA of its own
  kIgnoredUntilRestart,  ///< a running one goes on with what it has loaded
};
/// "loads", "refuses to start", "silently falls back to self-signed", "ignores until restart".
std::string_view name_of(LoadOutcome outcome);

/// What is wrong with a bundle. Errors either stop istiod or break handshakes; warnings will.
struct BundleProblem {
  std::string code;  ///< a rule of `istio/lint.h`, e.g. "chain-does-not-begin-with-ca-cert"
  pki::Severity severity = pki::Severity::kError;
  bool stops_istiod = false;  ///< istiod does not start with it
  std::string message;        ///< found versus wanted
};

/// The judgement of one bundle.
struct BundleVerdict {
  LoadOutcome outcome = LoadOutcome::kLoads;  ///< of an istiod that starts with it
  std::optional<LoadOutcome> reload;          ///< of one that runs with another bundle
  std::vector<BundleProblem> problems;        ///< in the order in which istiod would look
  std::vector<pki::Verdict>
      chain_verdicts;  ///< ours and OpenSSL's on cert-chain.pem under root-cert.pem, then Go's,
                       ///< BoringSSL's and rustls-webpki's on workloads below it
  std::optional<ParsedBundle> parsed;  ///< where the certificates could be read

  /// istiod starts with it and the mesh works: no error, so nobody refuses.
  bool is_good() const;
};

/// How the private key compares, found out by whoever may look at it.
enum class KeyMatch { kMatches, kOther, kUnreadable, kNotLookedAt };

/// What expires sooner than this is warned about.
constexpr base::Seconds kExpiryWarning = base::days(30);

/// The bundle that an istiod has loaded, when another takes its place.
struct Running {
  const PublicBundle& bundle;
  bool multi_root = false;  ///< ISTIO_MULTIROOT_MESH
};

struct BundleQuestion {
  const PublicBundle& bundle;
  KeyMatch key = KeyMatch::kNotLookedAt;
  base::Instant at;
  base::Seconds warn_before = kExpiryWarning;
  Version version = kNewestKnown;
  BundleForm form = BundleForm::kPem;
  std::optional<Running> running = {};
};

/// Would istiod load this bundle, and would the mesh work with it?
BundleVerdict judge_bundle(const BundleQuestion& question);

/// The same for files of which some may be missing.
BundleVerdict judge_incomplete(const std::vector<std::string>& missing, const Version& version);

/// Whether `pem` is a private key that istiod can read and that belongs to `ca_cert`.
KeyMatch match_key(const base::Secret& pem, const std::string& ca_cert);

/// The last look before a new bundle leaves the process: kRefused unless istiod would load it, the
/// mesh would work with it, and Botan, which shares no code with what made it, accepts it.
base::Status refuse_unless_good(const Bundle& bundle, base::Instant at);

}  // namespace meshtrust::istio
