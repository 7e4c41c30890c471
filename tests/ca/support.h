#pragma once

#include "base/files.h"
#include "ca/authority.h"
#include "ca/store.h"
#include "tests/ca/in_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace meshtrust::ca {

/// A clock that stands where the test puts it.
class FixedClock final : public base::Clock {
 public:
  base::Instant now() const override { return time; }
  Steady steady() const override { return Steady(time.time_since_epoch()); }

  base::Instant time = base::parse_rfc3339("2026-11-21T10:00:00Z").value();
};

/// Bytes 0, 1, 2, ...: every draw differs from the last, every run repeats the first.
class CountingRandom final : public base::Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      byte = next_++;
    }
  }

 private:
  std::uint8_t next_ = 0;
};

inline const ledger::Who kAlice{.user = "alice",
                                .host = "laptop",
                                .command = "meshtrust apply --only trust",
                                .reason = "first mesh"};

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  std::filesystem::permissions(path, std::filesystem::perms{0600});
}

inline void flip_byte(const std::filesystem::path& path, std::size_t offset) {
  std::string content = content_of(path);
  content.at(offset) = static_cast<char>(content.at(offset) ^ 0x01);
  put(path, content);
}

/// A folder of its own for each test, on the real disk.
class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "meshtrust-ca-XXXXXX").string();
    MESHTRUST_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    path = folder / "shop.trust";
  }
  ~StoreTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  TrustStore create() { return TrustStore::create(environment, path, kAlice).value(); }
  TrustStore open() { return TrustStore::open(environment, path).value(); }
  StoreLock lock(TrustStore& store) { return store.lock("a test").value(); }
  base::Error open_error() { return TrustStore::open(environment, path).error(); }

  static RootRequest shop_root() {
    return {.subject = pki::DistinguishedName::parse("O=Shop,CN=Shop Mesh Root").value()};
  }
  /// Without the passphrase's key derivation, which takes its time.
  MintedRoot mint_clear_root(TrustStore& store, const StoreLock& held) {
    auto minted = mint_root(store, held, shop_root(), KeyProtection::none(), kAlice);
    EXPECT_TRUE(minted) << minted.error().message;
    return std::move(minted).value();
  }

  base::DiskFiles files;
  FixedClock clock;
  CountingRandom random;
  Shelf shelf;
  KeyRing key_ring;
  Environment environment{files, clock, random};
  std::filesystem::path folder;
  std::filesystem::path path;
};

/// What a store is made of beside its folder.
enum class Backend { kOnDisk, kLedgerInMemory, kAllInMemory };

inline std::string name_of_backend(const testing::TestParamInfo<Backend>& test) {
  switch (test.param) {
    case Backend::kOnDisk:
      return "on_disk";
    case Backend::kLedgerInMemory:
      return "ledger_in_memory";
    case Backend::kAllInMemory:
      break;
  }
  return "all_in_memory";
}

/// A test that is to hold whatever a store is made of.
class AnyStoreTest : public StoreTest, public testing::WithParamInterface<Backend> {
 protected:
  AnyStoreTest() {
    if (GetParam() != Backend::kOnDisk) environment.storage = memory_storage(shelf);
    if (GetParam() == Backend::kAllInMemory) environment.custody = memory_custody(key_ring);
  }
  /// What lies in the storage, as whoever can write to it finds it.
  ledger::Rows stored_rows() const {
    return environment.storage(path / "store.db")->read({}).value();
  }
};

}  // namespace meshtrust::ca
