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

/// What Go, BoringSSL and rustls-webpki (as istiod, Envoy and ztunnel call them, see `Rules`) would
/// say of a workload that the CA `question.chain.front()` signs as istiod does: in both roles, with
/// the rest of the chain and the roots as they are. The workload is imagined and its signature
/// taken for granted, so no key is needed; what is judged is everything above it. One verdict each,
/// in the order of `modelled_rules`.
std::vector<Verdict> judge_imagined_workload(const TrustQuestion& question);

}  // namespace meshtrust::pki
