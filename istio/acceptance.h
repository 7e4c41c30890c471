#pragma once

#include "base/time.h"
#include "istio/behaviour.h"
#include "istio/bundle.h"
#include "pki/lint.h"
#include "pki/verify.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::istio {

/// What istiod does with a bundle: the first question.
enum class LoadOutcome {
  kLoads,
  kRefusesToStart,
  kSelfSigned,           ///< starts, with a CA of its own
  kIgnoredUntilRestart,  ///< a running one goes on with what it has loaded
};
/// "loads", "refuses to start", "silently falls back to self-signed", "ignores until restart".
std::string_view name_of(LoadOutcome outcome);
/// The same as the end of a sentence about istiod: "loads it", "refuses to start with it", ...
std::string_view sentence_of(LoadOutcome outcome);

/// The answer to one of the other two questions.
enum class Answer {
  kYes,
  kNo,
  kUnknown,  ///< there was nothing to ask about: no certificates, or none that can be read
};
/// "yes", "no", "unknown".
std::string_view name_of(Answer answer);

/// Something about a bundle that a person should know. It says which of the three answers it makes
/// a no, and then it is an error; one that says it of none is advice, and never an error.
struct BundleProblem {
  std::string code;  ///< a rule of `istio/lint.h`, e.g. "chain-does-not-begin-with-ca-cert"
  pki::Severity severity = pki::Severity::kError;
  bool stops_istiod = false;      ///< istiod does not start with it, or with a CA of its own
  bool breaks_workloads = false;  ///< why peers refuse workloads
  bool is_unsafe = false;         ///< a security team would stop it, whether it works or not
  std::string message;            ///< found versus wanted
  std::vector<std::string> hints = {};

  bool is_advice() const { return !stops_istiod && !breaks_workloads && !is_unsafe; }
};

/// The judgement of one bundle: three answers, each with what it stands on.
struct BundleVerdict {
  LoadOutcome outcome = LoadOutcome::kLoads;  ///< of an istiod that starts with it
  std::optional<LoadOutcome> reload;          ///< of one that runs with another bundle
  std::vector<BundleProblem> problems;        ///< in the order in which istiod would look
  /// What OpenSSL, Go, BoringSSL and rustls-webpki say of workloads of the signing certificate, in
  /// both roles; then, where there are revocation lists, what Envoy says by them ("lists"). These
  /// alone answer the second question.
  std::vector<pki::Verdict> workload_verdicts;
  /// Our own judge of paths on the signing certificate: advice.
  std::optional<pki::Verdict> own_verdict;
  std::optional<ParsedBundle> parsed;  ///< where the certificates could be read

  /// Would everything that runs in a mesh verify a workload of it?
  Answer workloads() const;
  /// Is nothing there that a security team would stop?
  Answer safety() const;
  /// istiod starts with it and workloads verify.
  bool works() const { return outcome == LoadOutcome::kLoads && workloads() == Answer::kYes; }
  /// All three answers are yes.
  bool is_good() const { return works() && safety() == Answer::kYes; }
  /// The first problem that is no advice, or null.
  const BundleProblem* first_error() const;
};

/// The judge in `workload_verdicts` that speaks of revocation lists.
inline constexpr std::string_view kListsJudge = "lists";

/// How the private key compares, found out by whoever may look at it.
enum class KeyMatch {
  kMatches,
  kOfRoot,  ///< of a root in root-cert.pem, while the signing certificate is another
  kOther,
  kUnreadable,
  kNotLookedAt,
};

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
  std::string why_unreadable = {};  ///< see `objection_to_key`; empty where nobody has looked
  base::Instant at;
  base::Seconds warn_before = kExpiryWarning;
  Version version = kNewestKnown;
  BundleForm form = BundleForm::kPem;
  std::optional<Running> running = {};
};

/// What OpenSSL, Go, BoringSSL and rustls-webpki say of workloads below `presenting` where
/// `trusted` are the roots, in both roles.
std::vector<pki::Verdict> judge_workloads(const ParsedBundle& presenting,
                                          const std::vector<pki::Certificate>& trusted,
                                          base::Instant at);

/// Would istiod load this bundle, would workloads below it verify, and is it safe?
BundleVerdict judge_bundle(const BundleQuestion& question);

/// The same for files of which some may be missing.
BundleVerdict judge_incomplete(const std::vector<std::string>& missing, const Version& version);

/// Whether `pem` is a private key that istiod can read, and whose: never kNotLookedAt.
KeyMatch match_key(const base::Secret& pem, const PublicBundle& certificates);

/// What stands where istiod wants a clear-text key in the first PEM block: "begins with a block 'EC
/// PARAMETERS', ...", "is encrypted, ...". Never quotes the text. Empty where nothing better can be
/// said than that it is none.
std::string objection_to_key(const base::Secret& pem);

/// The last look before a new bundle leaves the process, stricter than what others' bundles are
/// held to: kRefused unless all three answers are yes, no rule that is an error anywhere is broken,
/// our own judge of paths accepts it, and Botan, which shares no code with what made it, does too.
base::Status refuse_unless_good(const Bundle& bundle, base::Instant at);

}  // namespace meshtrust::istio
