#pragma once

#include "istio/acceptance.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Parts of the judgement of a bundle (inside).

namespace meshtrust::istio {

/// A problem by the rule `code`. Where it stops istiod, or the rule is an error although istiod and
/// workloads get by (then it is about safety), it is an error; else advice.
BundleProblem bundle_problem(std::string_view code, std::string message, bool stops_istiod);

/// Adds one that does not stop istiod.
void report(std::vector<BundleProblem>& problems, std::string_view code, std::string message);

/// What somebody in a mesh may refuse workloads for: an error that explains it where one of those
/// whom the rule `code` names does (`said`); else it works, and is a warning at most.
BundleProblem problem_in_use(std::string_view code,
                             std::string message,
                             std::span<const pki::Verdict> said);

/// A bundle that could be read, and what is known of it before parts of it are judged.
struct JudgedBundle {
  const BundleQuestion& question;
  const ParsedBundle& certificates;
  std::vector<pki::Verdict> said = {};      ///< of its workloads
  std::vector<pki::Certificate> path = {};  ///< see `path_of`
  bool works = false;                       ///< istiod verifies it, and all accept its workloads
  const FileNames& files() const { return file_names(question.form); }
};

/// Whether `one` is among `certificates`.
bool holds(const std::vector<pki::Certificate>& certificates, const pki::Certificate& one);

/// The CA of the bundle, in its chain or among its roots, that signed `certificate`; null for none.
const pki::Certificate* issuer_in(const ParsedBundle& bundle, const pki::Certificate& certificate);

/// The signing certificate and what stands above it, up to a root or as far as it goes. Of several
/// certificates of one issuer those that have not ended at `at` come first, as for verifiers.
std::vector<pki::Certificate> path_of(const ParsedBundle& bundle, base::Instant at);

/// What is wrong with single certificates, by the rules of `pki/lint.h` that are errors.
std::vector<BundleProblem> problems_of_certificates(const JudgedBundle& bundle);

/// What is wrong with the order of the chain, and with its length: whether every CA leaves room for
/// those below it.
std::vector<BundleProblem> problems_of_chain(const JudgedBundle& bundle);

/// Anchors that are no roots, or cannot be told apart.
std::vector<BundleProblem> problems_of_roots(const JudgedBundle& bundle);

/// What has ended, and what ends soon or too late.
std::vector<BundleProblem> problems_of_times(const JudgedBundle& bundle);

/// What is wrong with ca-crl.pem, in itself and beside the certificates of the bundle. Lists of
/// other clusters' CAs belong into it too.
std::vector<BundleProblem> problems_of_lists(const JudgedBundle& bundle);

}  // namespace meshtrust::istio
