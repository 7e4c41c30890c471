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
/// else, where that may not be read, in the twin. Unknown where istiod has its CA from elsewhere.
Observed<Material> material_of(const ClusterObservation& cluster);

/// Whether the istiod of `cluster` would read a `cacerts`, and there is none.
bool lacks_cacerts(const ClusterObservation& cluster);

/// Where the istiod of `cluster` keeps and publishes things: one that is hosted for others does so
/// in a cluster that it manages. Null where none was observed.
const profiles::Cluster* target_of_istiod(const profiles::Mesh& mesh,
                                          const Observation& observation,
                                          const profiles::Cluster& cluster);
/// PEM of what the istiod of `cluster` has told workloads to trust.
Observed<std::string> roots_published_by(const profiles::Mesh& mesh,
                                         const Observation& observation,
                                         const profiles::Cluster& cluster);
/// PEM of the roots of `cluster`'s istiod: those of its CA, else, where that is not for this
/// program to see, the published ones.
Observed<std::string> roots_of_istiod(const profiles::Mesh& mesh,
                                      const Observation& observation,
                                      const profiles::Cluster& cluster);

/// The clusters whose istiod signs the workloads of `cluster`: itself, or a remote's control
/// planes.
std::vector<std::string> issuers_of(const profiles::Cluster& cluster);

/// The judge in a `PairVerdict` that runs in no mesh: it shares no code with the others, so where
/// it agrees the proof is worth more. Where it does not, that is advice: it refuses things that
/// work.
inline constexpr std::string_view kSecondOpinion = "botan";

/// The judge in a `PairVerdict` where the CA of `from` is not seen, and only the roots that it
/// publishes are: all of them have to be trusted, for nobody knows below which it signs. It always
/// gives its reason.
inline constexpr std::string_view kByRootsAlone = "published-roots";

/// Does a workload of `to` accept one of `from`?
struct PairVerdict {
  std::string from;  ///< presents its chain
  std::string to;    ///< judges it with its roots
  /// Of OpenSSL, `kSecondOpinion`, Go, BoringSSL and rustls-webpki, then by revocation lists
  /// (`istio::kListsJudge`) where `to` has any. Of `kByRootsAlone` in place of them all.
  std::vector<pki::Verdict> verdicts = {};
  std::string problem = {};  ///< why there are no verdicts: absent or unknown material
  bool is_unknown = false;

  /// Whatever runs in a mesh accepts it.
  bool accepted() const;
  /// The second opinion is no.
  bool is_doubted() const;
  /// Nobody saw a certificate of `from`; how it was judged, or empty.
  std::string judged_by_roots() const;
  /// Those who refuse and why, a line each.
  std::vector<std::string> refusals() const;
};

/// Would who believes in `roots`, and the lists `crl` (PEM, often none), accept a workload of
/// `presenting`? See `PairVerdict::verdicts`.
std::vector<pki::Verdict> judge_pair(const istio::ParsedBundle& presenting,
                                     const std::vector<pki::Certificate>& roots,
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
