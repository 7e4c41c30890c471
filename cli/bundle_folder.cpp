#include "cli/bundle_folder.h"

#include "istio/names.h"

#include <fmt/format.h>

namespace meshtrust::cli {

namespace fs = std::filesystem;
using base::Code;
using base::Status;

Status BundleFolder::check_place(base::Files& files) const {
  MESHTRUST_TRY(const base::FileFacts folder, files.facts(folder_));
  if (folder.kind == base::FileKind::kAbsent) return check_parent(files);
  if (folder.kind == base::FileKind::kFolder) return {};
  return base::fail(Code::kRefused, fmt::format("'{}' is not a folder", folder_.string()),
                    "name another with --out");
}

Status BundleFolder::check(base::Files& files) const {
  MESHTRUST_TRY_DO(check_place(files));
  for (const std::string_view name : istio::kCaFiles) {
    MESHTRUST_TRY(const base::FileFacts there, files.facts(file(name)));
    if (there.kind == base::FileKind::kAbsent) continue;
    if (there.kind != base::FileKind::kFile) {
      return base::fail(Code::kRefused,
                        fmt::format("'{}' is no ordinary file", file(name).string()));
    }
    if (overwrite_ == base::Overwrite::kNever) {
      return base::fail(Code::kRefused, fmt::format("'{}' already exists", file(name).string()),
                        "name another folder with --out, or replace it with --force");
    }
  }
  return {};
}

Status BundleFolder::check_parent(base::Files& files) const {
  const fs::path parent = folder_.parent_path();
  MESHTRUST_TRY(const base::FileFacts facts, files.facts(parent.empty() ? "." : parent));
  if (facts.kind == base::FileKind::kFolder || facts.kind == base::FileKind::kSymlink) return {};
  return base::fail(
      Code::kInvalidInput,
      fmt::format("there is no folder '{}' to make '{}' in", parent.string(), folder_.string()),
      "create it, or name another with --out");
}

Status BundleFolder::make(base::Files& files) const {
  MESHTRUST_TRY(const base::FileFacts folder, files.facts(folder_));
  if (folder.kind == base::FileKind::kFolder) return {};
  return files.make_folder(folder_, base::Access::kPrivate);
}

Status BundleFolder::write(base::Files& files, const istio::Bundle& bundle) const {
  MESHTRUST_TRY_DO(make(files));
  std::vector<std::string_view> made;
  Status written = write_files(files, bundle, made);
  if (written) return {};
  for (const std::string_view name : made) {
    // The first failure is the one to tell.
    (void)files.remove(file(name)).has_value();
  }
  return written;
}

Status BundleFolder::write_files(base::Files& files,
                                 const istio::Bundle& bundle,
                                 std::vector<std::string_view>& made) const {
  const auto put = [&](std::string_view name, const auto& write_it) {
    const auto overwrite = replaceable_.contains(name) ? base::Overwrite::kReplace : overwrite_;
    Status written = write_it(file(name), overwrite);
    if (written && overwrite == base::Overwrite::kNever) made.push_back(name);
    return written;
  };
  const auto put_public = [&](std::string_view name, const std::string& pem) {
    return put(name, [&](const fs::path& path, base::Overwrite overwrite) {
      return files.write(path, pem, base::Access::kPublic, overwrite);
    });
  };
  MESHTRUST_TRY_DO(put_public(istio::kRootCertFile, bundle.certificates.root_cert));
  MESHTRUST_TRY_DO(put_public(istio::kCertChainFile, bundle.certificates.cert_chain));
  MESHTRUST_TRY_DO(put_public(istio::kCaCertFile, bundle.certificates.ca_cert));
  return put(istio::kCaKeyFile, [&](const fs::path& path, base::Overwrite overwrite) {
    return files.write_secret(path, bundle.ca_key, overwrite);
  });
}

}  // namespace meshtrust::cli
