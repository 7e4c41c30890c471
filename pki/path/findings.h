#pragma once

#include "pki/path/chain_question.h"

#include <span>
#include <vector>

namespace meshtrust::pki {

/// What is not well made about the certificates of a path (the leaf first) that validates, by
/// `profile_rules`: every fault once a certificate, in the order of `Check`.
std::vector<PathFailure> findings_on(std::span<const PathCertificate> path,
                                     const ChainQuestion& question);

}  // namespace meshtrust::pki
