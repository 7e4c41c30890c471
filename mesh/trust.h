#pragma once

#include "base/result.h"
#include "base/time.h"
#include "istio/bundle.h"
#include "mesh/finding.h"
#include "mesh/observation.h"
#include "pki/verify.h"
#include "profiles/mesh.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::mesh {

/// The root of a store, and what stands above it where another organisation's CA has certified it.
struct StoreRoot {
  pki::Certificate certificate;              ///< as it was minted, self-signed
  std::vector<pki::Certificate> above = {};  ///< see `StoreFacts`

  /// What intermediates are issued by.
  const pki::Certificate& issuer() const { return above.empty() ? certificate : above.front(); }
  /// What workloads trust.
  const pki::Certificate& anchor() const { return above.empty() ? certificate : above.back(); }
};

/// Nothing while there is none, or none that can be read.
std::optional<StoreRoot> root_of(const StoreFacts& store);

/// Where the certificates of a cluster were seen.
enum class Source {
  kCacerts,  ///< the Secret itself
  kTwin,     ///< its public twin, because the Secret may not be read
};

/// The trust material of one issuing cluster.
struct Material {
  istio::PublicBundle certificates;
  Source source = Source::kCacerts;
};

/// What is known of the certificates that `cluster`'s istiod issues under: found in `cacerts`,
/// else, where that may not be read, in the twin.
Observed<Material> material_of(const ClusterObservation& cluster);

/// The clusters whose istiod signs the workloads of `cluster`: itself, or a remote's control
/// planes.
std::vector<std::string> issuers_of(const profiles::Cluster& cluster);

/// The judge in a `PairVerdict` that runs in no mesh: it shares no code with the others, so where
/// it agrees the proof is worth more. Where it does not, that is advice: it refuses things that
/// work.
inline constexpr std::string_view kSecondOpinion = "botan";

/// Does a workload of `to` accept one of `from`?
struct PairVerdict {
  std::string from;  ///< presents its chain
  std::string to;    ///< judges it with its roots
  /// Of OpenSSL, `kSecondOpinion`, Go, BoringSSL and rustls-webpki, then by revocation lists
  /// (`istio::kListsJudge`) where `to` has any.
  std::vector<pki::Verdict> verdicts = {};
  std::string problem = {};  ///< why there are no verdicts: absent or unknown material
  bool is_unknown = false;

  /// Whatever runs in a mesh accepts it.
  bool accepted() const;
  /// The second opinion is no.
  bool is_doubted() const;
  /// Those who refuse and why, a line each.
  std::vector<std::string> refusals() const;
};

/// Would who believes in `trusting`'s roots, and its lists `crl` (PEM, often none), accept a
/// workload of `presenting`? See `PairVerdict::verdicts`.
std::vector<pki::Verdict> judge_pair(const istio::ParsedBundle& presenting,
                                     const istio::ParsedBundle& trusting,
                                     std::string_view crl,
                                     base::Instant at);

/// What a person should know of a pair: that it is refused (critical), or that the second opinion
/// is another (a warning). Nothing where all is well, or nobody could be asked.
std::optional<Finding> finding_about(const PairVerdict& pair);

/// Every ordered pair of different clusters at `at`. A mesh of one cluster gives the pair of that
/// cluster with itself.
std::vector<PairVerdict> judge_pairs(const profiles::Mesh& mesh,
                                     const Observation& observation,
                                     base::Instant at);

/// Whose a live `cacerts` is.
enum class Ownership {
  kOurs,           ///< this ledger issued its certificate, for this cluster
  kOtherCluster,   ///< this ledger issued it, for another one
  kClaimsOurRoot,  ///< signed by a root of ours, and not in the ledger
  kForeign,        ///< none of these
};
Ownership ownership_of(const CacertsFacts& cacerts,
                       std::string_view cluster,
                       const Observed<StoreFacts>& store);

}  // namespace meshtrust::mesh
