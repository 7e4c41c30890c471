#include "cli/import_folder.h"

#include "base/text.h"
#include "istio/names.h"
#include "pki/chain.h"
#include "pki/key.h"

#include <fmt/format.h>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::FileFacts;
using base::FileKind;
using base::Status;

constexpr std::size_t kLargest = 1U << 20U;

/// A list is signed anew each time, so its bytes say nothing.
bool is_empty_list_of(const std::string& pem, const pki::Certificate& certificate) {
  const auto lists = pki::revocation_lists_from_pem(pem);
  return lists && lists->size() == 1 && lists->front().is_signed_by(certificate) &&
         lists->front().facts().revoked.empty();
}

}  // namespace

Status ImportFolder::already_exists(std::string_view name) const {
  return base::fail(Code::kRefused, fmt::format("'{}' already exists", file(name).string()),
                    "name another folder with --out, or replace it with --force");
}

Status ImportFolder::check_file(base::Files& files,
                                std::string_view name,
                                const std::function<bool(const std::string&)>& is_wanted) {
  MESHTRUST_TRY(const FileFacts facts, files.facts(file(name)));
  if (facts.kind == FileKind::kAbsent) return {};
  if (facts.kind != FileKind::kFile) {
    return base::fail(Code::kRefused, fmt::format("'{}' is no ordinary file", file(name).string()));
  }
  const auto content = files.read(file(name), kLargest);
  if (content && is_wanted(*content)) {
    there_.insert(name);
    return {};
  }
  return overwrite_ == base::Overwrite::kNever ? already_exists(name) : Status();
}

/// Whose key lies there, as far as the certificate beside it tells.
std::string ImportFolder::owner_of(base::Files& files, const std::string& key_id) const {
  const auto pem = files.read(file(istio::kCaCertFile), kLargest);
  const auto found = pki::certificates_from_pem(pem ? *pem : std::string());
  if (found && found->front().facts().key_id == key_id) {
    return fmt::format("the key of '{}'", base::printable(found->front().facts().subject));
  }
  return fmt::format("a key of nothing that this store knows (SHA-256 of its public half: {})",
                     key_id);
}

Status ImportFolder::check_key(base::Files& files,
                               const pki::Certificate& certificate,
                               const IsEarlierKey& is_earlier_key) {
  const std::string_view name = istio::kCaKeyFile;
  MESHTRUST_TRY(const FileFacts facts, files.facts(file(name)));
  if (facts.kind == FileKind::kAbsent) return {};
  if (facts.kind != FileKind::kFile) {
    return base::fail(Code::kRefused, fmt::format("'{}' is no ordinary file", file(name).string()));
  }
  MESHTRUST_TRY(const base::Secret content, files.read_secret(file(name), kLargest));
  // The one that waits is forgotten for its sake.
  if (pki::signs_for(certificate, content)) {
    there_.insert(name);
    return {};
  }
  const auto public_key = pki::public_key_of(content);
  const std::string key_id = public_key ? pki::key_id(*public_key) : std::string();
  if (overwrite_ == base::Overwrite::kNever) return already_exists(name);
  if (public_key && is_earlier_key(key_id)) return {};
  return base::fail(
      Code::kRefused,
      fmt::format("'{}' is {}, and no earlier key of this cluster: it may be the only copy",
                  file(name).string(),
                  public_key ? owner_of(files, key_id) : "no key that can be read"),
      "name another folder with --out, or move that file away");
}

Status ImportFolder::check(base::Files& files,
                           const istio::PublicBundle& wanted,
                           const pki::Certificate& certificate,
                           const IsEarlierKey& is_earlier_key) {
  MESHTRUST_TRY_DO(BundleFolder(folder_, overwrite_).check_place(files));
  const auto is = [](const std::string& text) {
    return [&text](const std::string& content) { return content == text; };
  };
  // The key first: of all that may stand there it is what nobody can bring back.
  MESHTRUST_TRY_DO(check_key(files, certificate, is_earlier_key));
  MESHTRUST_TRY_DO(check_file(files, istio::kRootCertFile, is(wanted.root_cert)));
  MESHTRUST_TRY_DO(check_file(files, istio::kCertChainFile, is(wanted.cert_chain)));
  MESHTRUST_TRY_DO(check_file(files, istio::kCaCertFile, is(wanted.ca_cert)));
  return check_file(files, kOwnListFile, [&certificate](const std::string& content) {
    return is_empty_list_of(content, certificate);
  });
}

bool ImportFolder::trusts_something_else(base::Files& files,
                                         const std::filesystem::path& folder,
                                         const istio::PublicBundle& wanted) {
  const auto there = files.read(folder / istio::kRootCertFile, kLargest);
  return there && *there != wanted.root_cert;
}

Status ImportFolder::write(base::Files& files,
                           const istio::Bundle& bundle,
                           const pki::RevocationList& list) const {
  MESHTRUST_TRY_DO(BundleFolder(folder_, overwrite_).make(files));
  const auto put = [&](std::string_view name, const std::string& pem) {
    if (there_.contains(name)) return Status();
    return files.write(file(name), pem, base::Access::kPublic, overwrite_);
  };
  MESHTRUST_TRY_DO(put(istio::kRootCertFile, bundle.certificates.root_cert));
  MESHTRUST_TRY_DO(put(istio::kCertChainFile, bundle.certificates.cert_chain));
  MESHTRUST_TRY_DO(put(istio::kCaCertFile, bundle.certificates.ca_cert));
  MESHTRUST_TRY_DO(put(kOwnListFile, list.pem()));
  if (there_.contains(istio::kCaKeyFile)) return {};
  return files.write_secret(file(istio::kCaKeyFile), bundle.ca_key, overwrite_);
}

}  // namespace meshtrust::cli
