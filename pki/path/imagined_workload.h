#pragma once

#include "pki/path/chain_question.h"
#include "pki/verify.h"

#include <vector>

namespace meshtrust::pki {

/// What Go, BoringSSL and rustls-webpki (as istiod, Envoy and ztunnel call them, see `Rules`) would
/// say of a workload that the CA `question.chain.front()` signs as istiod does: in both roles, with
/// the rest of the chain and the roots as they are. The workload is imagined and its signature
/// taken for granted, so no key is needed; what is judged is everything above it. One verdict each,
/// in the order of `modelled_rules`.
std::vector<Verdict> judge_imagined_workload(const TrustQuestion& question);

}  // namespace meshtrust::pki
