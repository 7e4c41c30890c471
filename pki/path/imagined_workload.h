#pragma once

#include "pki/path/chain_question.h"
#include "pki/verify.h"

#include <span>
#include <string_view>
#include <vector>

namespace meshtrust::pki {

/// What each of `judges` (see `chain_judges`) says of the CA `question.chain.front()` itself, for
/// any purpose.
std::vector<Verdict> judge_authority(const TrustQuestion& question,
                                     std::span<const std::string_view> judges);

/// A CA whose key signs workloads, what those show beside their own certificate, and who is trusted
/// by those who look at it.
struct WorkloadQuestion {
  const Certificate& authority;
  std::vector<Certificate> shown = {};  ///< in any order, perhaps without `authority`
  std::vector<Certificate> roots = {};
  base::Instant at;
};

/// What OpenSSL, Go, BoringSSL and rustls-webpki (as istiod, Envoy and ztunnel call them: Go and
/// BoringSSL by their `Rules`, the last by `ztunnel_rules`) would say of a workload that the CA
/// signs as istiod does: in both roles, with what is shown and the roots as they are. The workload
/// is imagined (`imagine_leaf`) and its signature taken for granted, so no key is needed; what is
/// judged is everything above it. One verdict each, in this order.
std::vector<Verdict> judge_imagined_workload(const WorkloadQuestion& question);

/// The same of a workload that is there: its own certificate is the first of the chain, and its
/// signature and names are judged as well.
std::vector<Verdict> judge_presented_workload(const TrustQuestion& question);

}  // namespace meshtrust::pki
