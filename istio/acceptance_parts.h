#pragma once

#include "istio/acceptance.h"

#include <string>
#include <string_view>
#include <vector>

// Parts of the judgement of a bundle (inside).

namespace meshtrust::istio {

/// A problem of the severity that the rule `code` has, or an error where it stops istiod.
BundleProblem bundle_problem(std::string_view code, std::string message, bool stops_istiod);

/// The CA of the bundle, in its chain or among its roots, that signed `certificate`; null for none.
const pki::Certificate* issuer_in(const ParsedBundle& bundle, const pki::Certificate& certificate);

/// What is wrong with the order of the chain, and with its length: whether every CA leaves room for
/// those below it.
std::vector<BundleProblem> problems_of_chain(const BundleQuestion& question,
                                             const ParsedBundle& bundle);

/// Roots that cannot be told apart, and what ends soon or too late.
std::vector<BundleProblem> problems_of_roots(const BundleQuestion& question,
                                             const ParsedBundle& bundle);

/// What is wrong with ca-crl.pem, in itself and beside the certificates of the bundle. Lists of
/// other clusters' CAs belong into it too.
std::vector<BundleProblem> problems_of_lists(const BundleQuestion& question,
                                             const ParsedBundle& bundle);

}  // namespace meshtrust::istio
