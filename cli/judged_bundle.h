#pragma once

#include "base/json.h"
#include "base/time.h"
#include "cli/bundle_files.h"
#include "istio/acceptance.h"
#include "mesh/finding.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// What is asked about every bundle alike.
struct BundleTerms {
  base::Instant at;
  istio::Version version;
  std::optional<istio::PublicBundle> loaded;
  bool multi_root = false;
};

/// One bundle and what was found.
struct JudgedBundle {
  BundlePaths paths;
  std::optional<base::Error> unreadable = {};
  istio::BundleVerdict verdict = {};
  std::string root_cert = {};  ///< the roots as they stand in the file
  std::string ca_crl = {};     ///< likewise the lists, where they count; often none
};

/// Reads and judges the files of `judged.paths`.
void judge_files(base::Files& files, const BundleTerms& terms, JudgedBundle& judged);

/// The three answers, the certificates, and what each verifier says.
std::string render(const JudgedBundle& judged, const BundleTerms& terms);
/// `kind: BundleVerification`.
base::Json to_json(const JudgedBundle& judged, const BundleTerms& terms);

/// Its problems, by its name where it is `is_one_of_many`.
std::vector<mesh::Finding> findings_of(const JudgedBundle& judged, bool is_one_of_many);

}  // namespace meshtrust::cli
