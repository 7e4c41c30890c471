#pragma once

#include "base/result.h"
#include "istio/version.h"
#include "mesh/rotation/trust_bundle.h"
#include "pki/certificate.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh::rotation {

/// How the trust of a mesh gets from one root to the next.
enum class Strategy {
  kBridge,   ///< the new root's key, certified by the old root, in every chain meanwhile
  kReverse,  ///< the old root's key, certified by the new one: needs no key of the old
  kBundle,   ///< both roots are trusted meanwhile
};
/// "bridge", "reverse", "bundle".
std::string_view name_of(Strategy strategy);

/// What of a cluster decides how an update is taken.
struct Circumstances {
  istio::Version version;   ///< of istiod
  bool multi_root = false;  ///< ISTIO_MULTIROOT_MESH at its istiods
  /// PROXY_CONFIG_XDS_AGENT at its proxies: with `multi_root` roots are pushed to workloads, and
  /// each push makes them renew.
  bool takes_pushes = false;
  /// Somebody (a VM, say) authenticates to istiod with a certificate. The pool that istiod judges
  /// those by is the root file as of its start.
  bool has_certificate_clients = false;

  friend bool operator==(const Circumstances&, const Circumstances&) = default;
};

/// One write of a cluster's `cacerts`. The next one waits until every replica of its istiods signs
/// with this one.
struct Update {
  std::string why;  ///< for people: "lists the next intermediate"
  TrustBundle bundle;
  bool restarts = false;  ///< every replica of istiod is restarted afterwards, one by one
};

/// A cluster with istiods, and what becomes of its trust, stage by stage.
struct Track {
  std::string cluster;
  TrustBundle now;  ///< loaded and in `cacerts`, both
  Circumstances circumstances;
  std::vector<std::vector<Update>> updates;  ///< by stage
};

/// A rotation from here to its end. Between two stages stands a gate for the whole mesh: nobody
/// begins one before each workload of every cluster shows and trusts what the one before led to.
struct RotationPlan {
  std::vector<std::string> stages;  ///< "prepare", "activate", "retire"
  std::vector<Track> tracks;
};

/// What is new for a cluster.
struct NextIssuer {
  std::string cluster;
  TrustBundle now;
  Circumstances circumstances;
  /// The next signing certificate, then what leads to the new root without it.
  std::vector<pki::Certificate> chain;
};

/// What is new for a mesh.
struct NextRoot {
  Strategy strategy = Strategy::kBridge;
  pki::Certificate root;  ///< the new trust anchor
  /// Between the roots, see `Strategy`: of kBridge what leads from the new root's key to the old
  /// anchor, of kReverse what leads from the old root's key to the new anchor; of kBundle nothing.
  std::vector<pki::Certificate> bridge = {};
  std::vector<NextIssuer> issuers;
};

/// New intermediates under the roots that are trusted now; one stage, "renew".
RotationPlan plan_intermediates(const std::vector<NextIssuer>& issuers);

/// A new root in three stages, "prepare", "activate", "retire".
///
/// Each update that brings another signing key is preceded by one that lists its certificate: a
/// signing request that meets a reload is answered with the old chain file and the new key.
RotationPlan plan_root(const NextRoot& next);

/// The same plan without a stage, as somebody in a hurry might have it: what follows comes at once.
RotationPlan without_stage(RotationPlan plan, std::string_view stage);

}  // namespace meshtrust::mesh::rotation
