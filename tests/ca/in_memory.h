#pragma once

#include "ca/custody/custody.h"
#include "ca/environment.h"
#include "ca/storage/storage.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// A storage and a custody in memory: what holds of them and of those on disk, holds of the
// interface.

namespace meshtrust::ca {

/// What lies in the storages of a test, by the file that stands for each.
using Shelf = std::map<std::filesystem::path, ledger::Rows>;

class MemoryStorage final : public Storage {
 public:
  MemoryStorage(Shelf& shelf, std::filesystem::path file) : shelf_(shelf), file_(std::move(file)) {}

  base::Result<ledger::Rows> read(const ledger::Pulse& /*pulse*/) override {
    const auto found = shelf_.find(file_);
    if (found != shelf_.end()) return found->second;
    return base::fail(base::Code::kNotFound, "nothing is in it");
  }

  base::Status initialise(const ledger::Line& first) override {
    shelf_[file_] = {.lines = {first}, .digests = {ledger::chain_digest({}, first)}};
    std::ofstream(file_) << "in memory\n";
    return {};
  }

  base::Result<std::unique_ptr<StorageWriter>> open_to_write() override {
    return std::unique_ptr<StorageWriter>(std::make_unique<Writer>(shelf_.at(file_)));
  }

 private:
  class Writer final : public StorageWriter {
   public:
    explicit Writer(ledger::Rows& rows) : rows_(rows) {}

    base::Status append(const Addition& addition) override {
      const auto expected = static_cast<std::int64_t>(rows_.lines.size()) + 1;
      if (addition.line.sequence != expected) {
        return base::fail(base::Code::kCorrupt, "a line with this number is there");
      }
      rows_.lines.push_back(addition.line);
      rows_.digests.push_back(addition.digest);
      if (addition.minted != nullptr) {
        rows_.certificates.push_back(
            {.fingerprint = addition.minted->fingerprint(), .der = addition.minted->der()});
      }
      for (const ledger::SignedHead& head : addition.heads) {
        put(head);
      }
      rows_.format = std::max(rows_.format, addition.format);
      return {};
    }

    base::Status sign(const ledger::SignedHead& head) override {
      put(head);
      return {};
    }

   private:
    void put(const ledger::SignedHead& head) {
      std::erase_if(rows_.heads, [&head](const auto& one) { return one.root == head.root; });
      rows_.heads.push_back(head);
    }
    ledger::Rows& rows_;
  };

  Shelf& shelf_;
  std::filesystem::path file_;
};

inline MakeStorage memory_storage(Shelf& shelf) {
  return [&shelf](const std::filesystem::path& file) -> std::unique_ptr<Storage> {
    return std::make_unique<MemoryStorage>(shelf, file);
  };
}

/// Keys in clear-text PEM, by name.
using KeyRing = std::map<std::string, base::Secret, std::less<>>;

/// Asks for no passphrase: a key that is kept here is as good as open.
class MemoryCustody final : public Custody {
 public:
  explicit MemoryCustody(KeyRing& keys) : keys_(keys) {}

  base::Result<std::vector<std::string>> names() override {
    std::vector<std::string> names;
    for (const auto& [name, key] : keys_) {
      names.push_back(name);
    }
    return names;
  }
  base::Result<KeyPlace> look(std::string_view name) override {
    if (keys_.contains(name)) return KeyPlace{.file = std::string(name), .is_encrypted = false};
    return base::fail(base::Code::kCorrupt, "root key '" + std::string(name) + "' is missing");
  }
  base::Result<std::unique_ptr<NewKey>> make(pki::KeyAlgorithm algorithm) override {
    MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::generate(algorithm));
    return std::unique_ptr<NewKey>(std::make_unique<New>(keys_, std::move(key)));
  }
  base::Result<std::unique_ptr<pki::Signer>> open(std::string_view name,
                                                  const base::Secret& /*passphrase*/,
                                                  const ExpectedKey& /*expected*/) override {
    return opened(keys_, name);
  }
  base::Status remove(std::string_view name) override {
    const auto found = keys_.find(name);
    if (found != keys_.end()) keys_.erase(found);
    return {};
  }

 private:
  static base::Result<std::unique_ptr<pki::Signer>> opened(const KeyRing& keys,
                                                           std::string_view name) {
    MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::from_pem(keys.find(name)->second));
    return std::unique_ptr<pki::Signer>(std::make_unique<pki::PrivateKey>(std::move(key)));
  }

  class New final : public NewKey {
   public:
    New(KeyRing& keys, pki::PrivateKey key) : keys_(keys), key_(std::move(key)) {}

    const pki::Signer& signer() const override { return key_; }
    base::Result<std::string> seal(const KeyProtection& /*protection*/) override {
      return std::string();
    }
    base::Result<std::unique_ptr<pki::Signer>> keep(std::string_view name,
                                                    const KeyProtection& /*protection*/) override {
      MESHTRUST_TRY(base::Secret pem, key_.to_pem());
      keys_.insert_or_assign(std::string(name), std::move(pem));
      return opened(keys_, name);
    }

   private:
    KeyRing& keys_;
    pki::PrivateKey key_;
  };

  KeyRing& keys_;
};

inline MakeCustody memory_custody(KeyRing& keys) {
  return [&keys](const Environment&, const std::filesystem::path&) -> std::unique_ptr<Custody> {
    return std::make_unique<MemoryCustody>(keys);
  };
}

}  // namespace meshtrust::ca
