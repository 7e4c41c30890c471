#include "ca/custody/key_file.h"

#include "base/encoding.h"
#include "base/text.h"

#include <fmt/format.h>

#include <utility>

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Secret;

constexpr std::size_t kLargestKey = 64U << 10U;
constexpr unsigned kOpenToOthers = 077;
constexpr std::string_view kEncryptedLabel = "ENCRYPTED PRIVATE KEY";
constexpr std::string_view kClearLabel = "PRIVATE KEY";

bool is_waiting(const fs::path& path) {
  return path.filename().string().starts_with("request-");
}

/// "root key 'shop.trust/root-....key.pem'", or what else waits in the store.
std::string called(const fs::path& path) {
  return fmt::format("{} key '{}'", is_waiting(path) ? "waiting" : "root", path.string());
}

Failure<base::Error> corrupt(const fs::path& path, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("{} {}", called(path), what),
              "restore the key file from a backup of the store");
}

/// Whether `pem` is one block with that label around base64 of a DER sequence.
bool is_block_of(std::string_view pem, std::string_view label) {
  const std::string begin = fmt::format("-----BEGIN {}-----\n", label);
  const std::string end = fmt::format("-----END {}-----", label);
  pem = base::trim(pem);
  if (!pem.starts_with(begin) || !pem.ends_with(end)) return false;
  pem.remove_prefix(begin.size());
  if (pem.size() < end.size()) return false;
  pem.remove_suffix(end.size());
  const auto der = base::secret_from_base64(pem);
  constexpr std::uint8_t kSequence = 0x30;
  return der && der->size() > 2 &&
         base::reveal_bytes(*der, "its first byte says what it is")[0] == kSequence;
}

Result<Secret> read_file(base::Files& files, const fs::path& path) {
  auto content = files.read_secret(path, kLargestKey);
  if (content) return content;
  if (content.error().code == Code::kNotFound) return corrupt(path, "is missing");
  return content;
}

Result<KeyForm> form_of(const Secret& content, const fs::path& path) {
  const std::string_view pem = base::reveal(content, "told apart by its label");
  if (is_block_of(pem, kEncryptedLabel)) return KeyForm::kEncrypted;
  if (is_block_of(pem, kClearLabel)) return KeyForm::kClear;
  return corrupt(path, "no longer holds a private key in PKCS#8");
}

std::string digest_of(const Secret& content) {
  return base::to_hex(base::sha256(base::reveal_bytes(content, "hashed only")));
}

Result<pki::PrivateKey> decrypt(const Secret& content,
                                const fs::path& path,
                                const Secret& passphrase,
                                const std::string& file_digest,
                                const base::Cancellation* cancellation) {
  auto key = pki::PrivateKey::decrypt(base::reveal(content, "encrypted; read by the decoder"),
                                      passphrase, cancellation);
  if (key) return key;
  const Code code = key.error().code;
  const bool was_tried = code != Code::kRefused && code != Code::kCancelled;
  if (was_tried && !file_digest.empty() && digest_of(content) != file_digest) {
    return corrupt(path,
                   "does not open, and is not the file that was written: it is damaged, or was "
                   "encrypted anew under another passphrase");
  }
  return fail(base::with_context(std::move(key).error(), called(path)));
}

}  // namespace

Result<KeyForm> look_at_key(base::Files& files, const fs::path& path) {
  MESHTRUST_TRY(const base::FileFacts facts, files.facts(path));
  if (facts.kind == base::FileKind::kAbsent) return corrupt(path, "is missing");
  if (facts.kind == base::FileKind::kSymlink) {
    return fail(Code::kRefused, called(path) + " is a symbolic link");
  }
  if (facts.kind != base::FileKind::kFile) return corrupt(path, "is not a file");
  if ((facts.mode & kOpenToOthers) != 0) {
    return fail(Code::kPermission,
                fmt::format("{} is open to others: its mode is {:04o}, wanted 0600", called(path),
                            facts.mode),
                fmt::format("chmod 600 '{}', and consider who may have read it", path.string()));
  }
  MESHTRUST_TRY(const Secret content, read_file(files, path));
  return form_of(content, path);
}

Result<SealedKey> seal_key(const Environment& environment,
                           const pki::PrivateKey& key,
                           const KeyProtection& protection) {
  Secret content;
  if (protection.words() == nullptr) {
    MESHTRUST_TRY(content, key.to_pem());
  } else {
    MESHTRUST_TRY(
        const std::string encrypted,
        key.encrypt(*protection.words(), protection.scrypt_p(), environment.cancellation));
    content = Secret(encrypted);
  }
  std::string digest = digest_of(content);
  return SealedKey{.content = std::move(content), .digest = std::move(digest)};
}

Result<pki::PrivateKey> open_key(const Environment& environment,
                                 const fs::path& path,
                                 const Secret& passphrase,
                                 const ExpectedKey& expected) {
  MESHTRUST_TRY(const Secret content, read_file(environment.files, path));
  MESHTRUST_TRY(const KeyForm form, form_of(content, path));
  auto key = form == KeyForm::kClear ? pki::PrivateKey::from_pem(content)
                                     : decrypt(content, path, passphrase, expected.file_digest,
                                               environment.cancellation);
  if (!key && form == KeyForm::kClear) return corrupt(path, "no longer holds a usable key");
  if (!key) return key;
  if (!pki::key_id(key->public_key()).starts_with(expected.key_id)) {
    return corrupt(path, is_waiting(path) ? "holds another key than the request's"
                                          : "holds another key than the root certificate's");
  }
  return key;
}

Result<pki::PrivateKey> put_into_custody(const Environment& environment,
                                         const fs::path& path,
                                         const SealedKey& sealed,
                                         const KeyProtection& protection,
                                         const std::string& key_id) {
  MESHTRUST_TRY_DO(environment.files.write_secret(path, sealed.content, base::Overwrite::kNever));
  const Secret none;
  return open_key(environment, path, protection.words() == nullptr ? none : *protection.words(),
                  {.key_id = key_id, .file_digest = sealed.digest});
}

}  // namespace meshtrust::ca
