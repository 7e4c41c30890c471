#pragma once

#include "base/files.h"
#include "base/result.h"
#include "istio/bundle.h"

#include <filesystem>
#include <string>

namespace meshtrust::cli {

/// The folder that the four files of a bundle are written to.
class BundleFolder {
 public:
  BundleFolder(std::string folder, base::Overwrite overwrite)
      : folder_(std::move(folder)), overwrite_(overwrite) {}

  /// Everything that stands in the way, found before a key is opened.
  base::Status check(base::Files& files) const;
  /// That part of `check` that is not about files: the folder is one, or can be made.
  base::Status check_place(base::Files& files) const;
  /// Makes the folder where it is missing.
  base::Status make(base::Files& files) const;
  /// All four or, where none was there before, none. The key comes last: whoever finds it finds
  /// the certificates that belong to it.
  base::Status write(base::Files& files, const istio::Bundle& bundle) const;

 private:
  base::Status check_parent(base::Files& files) const;
  base::Status write_files(base::Files& files, const istio::Bundle& bundle) const;
  std::filesystem::path file(std::string_view name) const { return folder_ / name; }

  std::filesystem::path folder_;
  base::Overwrite overwrite_;
};

}  // namespace meshtrust::cli
