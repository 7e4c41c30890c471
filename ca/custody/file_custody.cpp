#include "ca/custody/file_custody.h"

#include "ca/custody/key_file.h"
#include "ca/environment.h"
#include "ca/folder.h"

#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::Result;
using base::Status;
using SignerHandle = std::unique_ptr<pki::Signer>;

SignerHandle signer_of(pki::PrivateKey key) {
  return std::make_unique<pki::PrivateKey>(std::move(key));
}

class NewKeyFile final : public NewKey {
 public:
  NewKeyFile(const Environment& environment, Layout layout, pki::PrivateKey key)
      : environment_(environment), layout_(std::move(layout)), key_(std::move(key)) {}

  const pki::Signer& signer() const override { return key_; }

  Result<std::string> seal(const KeyProtection& protection) override {
    MESHTRUST_TRY(sealed_, seal_key(environment_, key_, protection));
    return sealed_.digest;
  }

  Result<SignerHandle> keep(std::string_view name, const KeyProtection& protection) override {
    MESHTRUST_TRY(pki::PrivateKey kept,
                  put_into_custody(environment_, layout_.key(name), sealed_, protection,
                                   pki::key_id(key_.public_key())));
    return signer_of(std::move(kept));
  }

 private:
  const Environment& environment_;
  Layout layout_;
  pki::PrivateKey key_;
  SealedKey sealed_;
};

class FileCustody final : public Custody {
 public:
  FileCustody(Environment environment, Layout layout)
      : environment_(std::move(environment)), layout_(std::move(layout)) {}

  Result<std::vector<std::string>> names() override {
    return key_files(environment_.files, layout_);
  }

  Result<KeyPlace> look(std::string_view name) override {
    const auto file = layout_.key(name);
    MESHTRUST_TRY(const KeyForm form, look_at_key(environment_.files, file));
    return KeyPlace{.file = file, .is_encrypted = form == KeyForm::kEncrypted};
  }

  Result<std::unique_ptr<NewKey>> make(pki::KeyAlgorithm algorithm) override {
    MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::generate(algorithm));
    return std::unique_ptr<NewKey>(
        std::make_unique<NewKeyFile>(environment_, layout_, std::move(key)));
  }

  Result<SignerHandle> open(std::string_view name,
                            const base::Secret& passphrase,
                            const ExpectedKey& expected) override {
    MESHTRUST_TRY(pki::PrivateKey key,
                  open_key(environment_, layout_.key(name), passphrase, expected));
    return signer_of(std::move(key));
  }

  Status remove(std::string_view name) override {
    const Status removed = environment_.files.remove(layout_.key(name));
    if (!removed && removed.error().code != Code::kNotFound) return removed;
    return {};
  }

 private:
  Environment environment_;
  Layout layout_;
};

}  // namespace

std::unique_ptr<Custody> file_custody(const Environment& environment,
                                      const std::filesystem::path& folder) {
  return std::make_unique<FileCustody>(environment, Layout(folder));
}

}  // namespace meshtrust::ca
