#pragma once

#include "base/files.h"
#include "base/result.h"
#include "cli/bundle_folder.h"
#include "istio/bundle.h"
#include "pki/certificate.h"
#include "pki/revocation_list.h"

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace meshtrust::cli {

/// The empty revocation list of an imported CA.
inline constexpr std::string_view kOwnListFile = "own-crl.pem";

/// The folder that an import writes to: the four files of a bundle and the list of its CA. What is
/// there already and is what would be written stays as it is, so that an import that was
/// interrupted can be run again.
class ImportFolder {
 public:
  /// Whether a key (by its id) is one that the cluster had before.
  using IsEarlierKey = std::function<bool(const std::string& key_id)>;

  ImportFolder(std::string folder, base::Overwrite overwrite)
      : folder_(std::move(folder)), overwrite_(overwrite) {}

  /// Everything that stands in the way, found before a key is opened. Even with kReplace a key is
  /// replaced only by a later one of its own cluster: it may be the only copy.
  base::Status check(base::Files& files,
                     const istio::PublicBundle& wanted,
                     const pki::Certificate& certificate,
                     const IsEarlierKey& is_earlier_key);

  /// Whether `check` found all of it there, as an import that was interrupted at its end leaves it.
  bool is_complete() const { return there_.size() == kFiles; }
  /// Whether the folder tells a cluster today to trust something else than `wanted`.
  static bool trusts_something_else(base::Files& files,
                                    const std::filesystem::path& folder,
                                    const istio::PublicBundle& wanted);

  /// What `check` did not find there already. The key comes last: whoever finds it finds all else.
  base::Status write(base::Files& files,
                     const istio::Bundle& bundle,
                     const pki::RevocationList& list) const;

 private:
  base::Status check_file(base::Files& files,
                          std::string_view name,
                          const std::function<bool(const std::string&)>& is_wanted);
  base::Status check_key(base::Files& files,
                         const pki::Certificate& certificate,
                         const IsEarlierKey& is_earlier_key);
  base::Status already_exists(std::string_view name) const;
  std::string owner_of(base::Files& files, const std::string& key_id) const;
  std::filesystem::path file(std::string_view name) const { return folder_ / name; }

  static constexpr std::size_t kFiles = 5;

  std::filesystem::path folder_;
  base::Overwrite overwrite_;
  std::set<std::string_view> there_;  ///< as they would be written
};

}  // namespace meshtrust::cli
