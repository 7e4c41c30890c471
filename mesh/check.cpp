#include "mesh/check.h"

#include "mesh/check/identity.h"
#include "mesh/check/installation.h"
#include "mesh/check/istiod.h"
#include "mesh/check/material.h"
#include "mesh/check/ownership.h"
#include "mesh/check/roots.h"
#include "mesh/check/workloads.h"

#include <array>

namespace meshtrust::mesh {

std::span<const Check> trust_checks() {
  static constexpr std::array kChecks{
      Check{"servers-answer", "does every API server answer?", check_servers_answer},
      Check{"clusters-distinct", "are they different clusters?", check_clusters_distinct},
      Check{"kubernetes-supported", "is their version supported?", check_kubernetes_supported},
      Check{"namespace-usable", "can the system namespace be used?", check_namespace_usable},
      Check{"marks-ours", "does nothing bear the marks of another mesh?", check_marks},
      Check{"network-agrees", "is the network label what the mesh file says?",
            check_network_agrees},
      Check{"root-agrees", "is the store's root what the mesh file says?", check_root_agrees},
      Check{"cacerts-read", "does istiod read cacerts, and nothing else?", check_cacerts_read},
      Check{"cacerts-ours", "did this store issue every live cacerts?", check_cacerts_ours},
      Check{"cacerts-sound", "would istiod load it, and the mesh work?", check_cacerts_sound},
      Check{"root-mintable", "is every cluster known before a root is minted?",
            check_root_mintable},
      Check{"live-roots-agree", "do workloads trust the store's root?", check_live_roots_agree},
      Check{"anchors-known", "is nothing trusted that nobody here knows?", check_anchors_known},
      Check{"store-newest", "is this the newest copy of the store?", check_store_newest},
      Check{"trust-domain-agrees", "is the trust domain what the mesh file says?",
            check_trust_domain_agrees},
      Check{"twin-agrees", "does the public twin tell the truth?", check_twin_agrees},
      Check{"istiod-uses-cacerts", "does a running istiod use it?", check_istiod_uses_cacerts},
      Check{"renewal-not-due", "is there time before the intermediates expire?",
            check_renewal_not_due},
      Check{"lists-refreshed", "are the revocation lists refreshed in time?",
            check_revocation_lists},
      Check{"mutual-trust", "does every cluster accept every other?", check_mutual_trust},
  };
  return kChecks;
}

std::span<const Check> mesh_checks() {
  static constexpr std::array kChecks{
      Check{"installable", "does the mesh file say all that an installation needs?",
            check_installable},
      Check{"installations-ours", "are the live control planes this mesh's, of its version?",
            check_installations},
      Check{"api-servers-reachable", "can peers reach every API server at its address?",
            check_api_servers},
      Check{"remotes-free", "does nobody else manage the remotes?", check_managers},
      Check{"addresses-disjoint", "do clusters of one network have addresses of their own?",
            check_pod_addresses},
      Check{"gateway-api-there", "is the Gateway API installed where it is needed?",
            check_gateway_api},
      Check{"webhooks-backed", "does every webhook of Istio's have somebody to call?",
            check_orphaned_webhooks},
      Check{"access-ours", "are the remote secrets this mesh's?", check_remote_secrets},
      Check{"clusters-known-once", "does no istiod know a cluster by two names, or one of others?",
            check_known_clusters},
      Check{"gateway-addresses-agree", "have gateways the addresses that the mesh file states?",
            check_stated_addresses},
      Check{"gateways-bounded", "who may reach the control ports of gateways?",
            check_open_gateways},
      Check{"access-works", "does every remote secret do what its istiod needs of it?",
            check_access},
      Check{"workloads-told", "did workloads tell what they present and trust?",
            check_workloads_told},
      Check{"workloads-renew", "are the certificates of workloads in force?",
            check_workloads_renew},
      Check{"workloads-moved", "are they of the CA that istiod is to sign with?",
            check_workloads_moved},
      Check{"workload-roots-agree", "do workloads trust what their cluster publishes?",
            check_workload_roots},
      Check{"workloads-accepted", "does every workload accept every other?",
            check_workloads_accepted},
  };
  return kChecks;
}

Answer ask_all(std::span<const Check> checks, const CheckSubject& subject) {
  Answer answer;
  for (const Check& check : checks) {
    check.ask(subject, answer);
  }
  return answer;
}

}  // namespace meshtrust::mesh
