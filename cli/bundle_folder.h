#pragma once

#include "base/files.h"
#include "base/result.h"
#include "istio/bundle.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

/// The folder that the four files of a bundle are written to.
class BundleFolder {
 public:
  BundleFolder(std::string folder, base::Overwrite overwrite)
      : folder_(std::move(folder)), overwrite_(overwrite) {}

  /// That the file `name` (one of `istio::kCaFiles`) may be replaced whatever was said of the rest:
  /// it is known to be nobody's any more.
  void replace(std::string_view name) { replaceable_.insert(name); }

  /// Everything that stands in the way, found before a key is opened.
  base::Status check(base::Files& files) const;
  /// That part of `check` that is not about files: the folder is one, or can be made.
  base::Status check_place(base::Files& files) const;
  /// Makes the folder where it is missing.
  base::Status make(base::Files& files) const;
  /// All four or, of those that replace nothing, none. What somebody else has written there since
  /// `check` (kConflict) stays: it may be the only copy of a key. Our key comes last: whoever finds
  /// it finds the certificates that belong to it.
  base::Status write(base::Files& files, const istio::Bundle& bundle) const;

 private:
  base::Status check_parent(base::Files& files) const;
  /// Adds the names of new files to `made`.
  base::Status write_files(base::Files& files,
                           const istio::Bundle& bundle,
                           std::vector<std::string_view>& made) const;
  std::filesystem::path file(std::string_view name) const { return folder_ / name; }

  std::filesystem::path folder_;
  base::Overwrite overwrite_;
  std::set<std::string_view> replaceable_;
};

}  // namespace meshtrust::cli
