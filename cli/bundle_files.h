#pragma once

#include "base/files.h"
#include "base/result.h"
#include "istio/bundle.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// Where the files of a bundle are.
struct BundlePaths {
  std::string name;  ///< for people: the folder, or the first file
  istio::BundleForm form = istio::BundleForm::kPem;
  std::filesystem::path ca_cert;
  std::filesystem::path ca_key;
  std::filesystem::path cert_chain;
  std::filesystem::path root_cert;
  std::filesystem::path ca_crl;  ///< empty for none
};

/// The files of a bundle as istiod would find them mounted. What is missing is listed and empty.
struct BundleFiles {
  istio::Bundle bundle;
  istio::BundleForm form = istio::BundleForm::kPem;
  std::vector<std::string> missing;
};

/// The paths of a folder: where it holds `tls.crt`, that form wins, as in istiod.
base::Result<BundlePaths> bundle_in(base::Files& files, const std::filesystem::path& folder);

/// kInvalidInput for a folder that does not exist, kPermission and what else reading may fail with;
/// a missing file is no failure.
base::Result<BundleFiles> read_bundle(base::Files& files, const BundlePaths& paths);

}  // namespace meshtrust::cli
