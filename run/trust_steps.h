#pragma once

#include "base/secret.h"
#include "ca/authority.h"
#include "ca/store.h"
#include "mesh/plan.h"
#include "profiles/mesh.h"
#include "run/execute.h"
#include "run/world.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace meshtrust::run {

/// How the root's key is opened, or protected when it is about to be made.
struct RootKeyAccess {
  base::Secret passphrase;
  bool clear_text = false;                 ///< the user said --no-password --insecure
  unsigned scrypt_p = pki::kUsualScryptP;  ///< of a key that is about to be made
};

/// The only code that changes anything outside for the sake of trust. One instance serves one run:
/// it holds the store's lock, and the root's signer once a step needs it.
class TrustSteps {
 public:
  /// `store` is locked and opened; all references outlive this object.
  TrustSteps(const profiles::Mesh& mesh,
             const World& world,
             const mesh::Plan& plan,
             ca::TrustStore& store,
             const ca::StoreLock& lock,
             RootKeyAccess access);

  /// Opens the root key if the plan needs one that exists already, so that a wrong passphrase is
  /// told before anything has changed.
  base::Status unlock();

  // One attempt each; see `Steps`.
  Outcome mint_root(const mesh::MintRoot& wanted);
  Outcome push(const mesh::Step& step, const mesh::PushTrust& wanted);
  Outcome make_lists(const mesh::MakeLists& wanted);
  Outcome push_lists(const mesh::Step& step, const mesh::PushLists& wanted);
  Outcome publish(const mesh::Step& step, const mesh::PublishTwin& wanted);
  Outcome record_arrival(const mesh::RecordArrival& wanted);

  /// The value of `profiles::kRootReference`; empty before the root is minted.
  std::string root_mark() const;

 private:
  base::Result<k8s::ApiClient*> client_of(const mesh::Step& step) const;
  const profiles::Cluster& cluster_of(const mesh::Step& step) const;
  std::map<std::string, std::string> labels_of(const mesh::Step& step) const;
  /// kConflict unless this store issued `ca_cert` for the cluster of `step`, and nothing stands
  /// beside it that this store does not know.
  base::Status refuse_unless_ours(const mesh::Step& step, const istio::PublicBundle& live) const;
  bool holds_what_we_know(const istio::PublicBundle& live) const;
  /// The public half of what `step` pushed earlier in this run.
  std::optional<istio::PublicBundle> pushed_by(const std::string& step) const;

  const profiles::Mesh& mesh_;
  const World& world_;
  const mesh::Plan& plan_;
  ca::TrustStore& store_;
  const ca::StoreLock& lock_;
  RootKeyAccess access_;
  std::unique_ptr<pki::Signer> root_key_;

  mutable std::mutex mutex_;  ///< guards what follows
  std::map<std::string, istio::PublicBundle> pushed_;
};

}  // namespace meshtrust::run
