#include "tests/ca/support.h"

#include <array>
#include <functional>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// What opening makes of every state in which a store's folder may be: "there is none" is said only
// where that is certain, for whoever believes it mints a new root or calls a mesh gone.

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;

struct Case {
  std::string name;
  std::function<void(const fs::path&)> damage;  ///< of a sound store with a root
  Code code;
  std::string told;  ///< the message, with the store's path as STORE
};

void make_pipe(const fs::path& path) {
  fs::remove(path);
  MESHTRUST_CHECK(mkfifo(path.c_str(), 0600) == 0);
}

fs::path key_in(const fs::path& store) {
  for (const auto& entry : fs::directory_iterator(store)) {
    if (entry.path().filename().string().starts_with("root-")) return entry.path();
  }
  return {};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class OpenTest : public StoreTest {
 protected:
  void SetUp() override {
    TrustStore store = create();
    const StoreLock held = lock(store);
    mint_clear_root(store, held);
  }
  std::string told(const base::Error& error) const {
    std::string text = replaced(error.message, key_in_message(error), "KEY");
    return replaced(text, path.string(), "STORE");
  }
  static std::string key_in_message(const base::Error& error) {
    const std::size_t at = error.message.find("root-");
    if (at == std::string::npos) return "no key at all";
    return error.message.substr(at, std::string("root-0123456789abcdef.key.pem").size());
  }
};

TEST_F(OpenTest, SaysThereIsNoneOnlyWhereThatIsCertain) {
  const fs::path sound = folder / "sound";
  fs::copy(path, sound, fs::copy_options::recursive);
  const std::vector<Case> cases{
      {"no folder", [](const auto& store) { fs::remove_all(store); }, Code::kNotFound,
       "there is no trust store at 'STORE'"},
      {"an empty folder",
       [](const auto& store) {
         fs::remove_all(store);
         fs::create_directory(store);
         fs::permissions(store, fs::perms::owner_all);
       },
       Code::kNotFound, "there is no trust store at 'STORE'"},
      {"the database is gone", [](const auto& store) { fs::remove(store / "store.db"); },
       Code::kCorrupt,
       "trust store 'STORE' holds a root key and no ledger: its database is missing"},
      {"database and key are gone",
       [](const auto& store) {
         fs::remove(store / "store.db");
         fs::remove(key_in(store));
       },
       Code::kCorrupt, "trust store 'STORE' holds no ledger: its database is missing"},
      {"the database has another name and the key is gone",
       [](const auto& store) {
         fs::rename(store / "store.db", store / "store.db.old");
         fs::remove(key_in(store));
       },
       Code::kCorrupt, "trust store 'STORE' holds no ledger: its database is missing"},
      {"only a waiting key is left",
       [](const auto& store) {
         fs::remove(store / "store.db");
         fs::remove(store / "lock");
         fs::rename(key_in(store), store / "request-0123456789abcdef.key.pem");
       },
       Code::kCorrupt, "trust store 'STORE' holds no ledger: its database is missing"},
      {"the database is empty", [](const auto& store) { put(store / "store.db", ""); },
       Code::kCorrupt, "trust store 'STORE' holds a root key and no ledger: its database is empty"},
      {"database and key are empty and gone",
       [](const auto& store) {
         put(store / "store.db", "");
         fs::remove(key_in(store));
       },
       Code::kCorrupt, "trust store 'STORE' holds no ledger: its database is empty"},
      {"a byte of the header is flipped",
       [](const auto& store) { flip_byte(store / "store.db", 3); }, Code::kCorrupt,
       "database 'STORE/store.db': file is not a database"},
      {"the key is gone", [](const auto& store) { fs::remove(key_in(store)); }, Code::kCorrupt,
       "root key 'STORE/KEY' is missing"},
      {"the folder is a file",
       [](const auto& store) {
         fs::remove_all(store);
         put(store, "");
       },
       Code::kInvalidInput, "'STORE' is not a folder, and a trust store is one"},
      {"the folder is a link that leads nowhere",
       [](const auto& store) {
         fs::remove_all(store);
         fs::create_symlink("nowhere", store);
       },
       Code::kRefused, "'STORE' is a symbolic link, which a trust store may not be"},
      {"the database is a link that leads nowhere",
       [](const auto& store) {
         fs::remove(store / "store.db");
         fs::create_symlink("nowhere", store / "store.db");
       },
       Code::kRefused, "'STORE/store.db' is a symbolic link, which a trust store may not be"},
      {"the folder is open to others",
       [](const auto& store) { fs::permissions(store, fs::perms{0755}); }, Code::kPermission,
       "'STORE' is open to others: its mode is 0755, wanted 0700"},
      {"the folder is somebody's documents",
       [](const auto& store) {
         fs::remove_all(store);
         fs::create_directory(store);
         fs::permissions(store, fs::perms::owner_all);
         put(store / "letter", "dear");
       },
       Code::kRefused, "folder 'STORE' is not empty and not a trust store"},
      {"the database is a pipe", [](const auto& store) { make_pipe(store / "store.db"); },
       Code::kCorrupt, "'STORE/store.db' is a pipe or a device, wanted a file"},
      {"the journal is a pipe", [](const auto& store) { make_pipe(store / "store.db-journal"); },
       Code::kCorrupt, "'STORE/store.db-journal' is a pipe or a device, wanted a file"},
      {"the lock is a pipe", [](const auto& store) { make_pipe(store / "lock"); }, Code::kCorrupt,
       "'STORE/lock' is a pipe or a device, wanted a file"},
      {"the key is a pipe", [](const auto& store) { make_pipe(key_in(store)); }, Code::kCorrupt,
       "'STORE/KEY' is a pipe or a device, wanted a file"},
      {"a waiting key is a pipe",
       [](const auto& store) { make_pipe(store / "request-0123456789abcdef.key.pem"); },
       Code::kCorrupt,
       "'STORE/request-0123456789abcdef.key.pem' is a pipe or a device, wanted a file"},
      {"the key is a folder",
       [](const auto& store) {
         const fs::path key = key_in(store);
         fs::remove(key);
         fs::create_directory(key);
         fs::permissions(key, fs::perms::owner_all);
       },
       Code::kCorrupt, "'STORE/KEY' is a folder, wanted a file"},
      {"others may write the list of what Git ignores",
       [](const auto& store) { fs::permissions(store / ".gitignore", fs::perms{0666}); },
       Code::kPermission, "'STORE/.gitignore' is open to others: its mode is 0666, wanted 0600"},
  };
  for (const Case& each : cases) {
    fs::remove_all(path);
    fs::copy(sound, path, fs::copy_options::recursive);
    each.damage(path);
    const auto opened = TrustStore::open(environment, path);
    ASSERT_FALSE(opened) << each.name;
    EXPECT_EQ(opened.error().code, each.code) << each.name;
    EXPECT_EQ(told(opened.error()), each.told) << each.name;
    const bool is_none = each.code == Code::kNotFound;
    const auto created = TrustStore::create(environment, path, kAlice);
    EXPECT_EQ(created.has_value(), is_none) << each.name;
    if (created) continue;
    EXPECT_EQ(told(created.error()), each.told) << each.name;
  }
}

TEST_F(OpenTest, ALockThatFindsAPipeDoesNotHang) {
  TrustStore store = open();
  make_pipe(path / "lock");
  EXPECT_EQ(store.lock("a test").error().code, Code::kCorrupt);
}

TEST_F(OpenTest, IsNotSureWhereTheWayToItEndsInALinkOrAFile) {
  fs::create_symlink(folder / "not-mounted", folder / "disk");
  put(folder / "file", "");
  struct Way {
    fs::path path;
    std::string told;
  };
  const std::string file = (folder / "file").string();
  const std::string disk = (folder / "disk").string();
  for (const Way& each :
       {Way{folder / "disk" / "shop.trust", "'" + disk + "' is a symbolic link that leads nowhere"},
        Way{folder / "disk" / "a" / "b.trust",
            "'" + disk + "' is a symbolic link that leads nowhere"},
        Way{folder / "file" / "shop.trust", "'" + file + "' is not a folder"}}) {
    const auto opened = TrustStore::open(environment, each.path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kInvalidInput);
    EXPECT_EQ(opened.error().message, "whether there is a trust store at '" + each.path.string() +
                                          "' cannot be told: " + each.told);
  }
  EXPECT_EQ(TrustStore::open(environment, folder / "a" / "b.trust").error().code, Code::kNotFound);
}

TEST_F(OpenTest, ASlashAtTheEndFollowsNoLink) {
  fs::rename(path, folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", path);
  path = path.string() + "/";
  EXPECT_EQ(open_error().code, Code::kRefused);
}

TEST_F(OpenTest, AnybodyWhoMayReplaceItIsOneTooMany) {
  fs::permissions(folder, fs::perms{0777});
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kPermission);
  EXPECT_EQ(error.message, "anybody may replace the trust store '" + path.string() +
                               "': the mode of the folder above is 0777");
  EXPECT_EQ(TrustStore::create(environment, folder / "new.trust", kAlice).error().code,
            Code::kPermission);
  EXPECT_FALSE(fs::exists(folder / "new.trust"));
  fs::permissions(folder, fs::perms{01777});
  EXPECT_TRUE(TrustStore::open(environment, path)) << "the sticky bit, as in /tmp";
  fs::permissions(folder, fs::perms{0775});
  EXPECT_TRUE(TrustStore::open(environment, path)) << "a group may be one person's own";
}

/// What files of somebody else among the store's are, needs root to be shown.
class OwnerTest : public OpenTest {
 protected:
  static constexpr uid_t kOther = 12345;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    OpenTest::SetUp();
  }
  /// The error of opening it as that user; empty when it opens.
  std::string error_as(uid_t user) {
    std::array<int, 2> ends{};
    MESHTRUST_CHECK(pipe(ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
      MESHTRUST_CHECK(setuid(user) == 0);
      const auto opened = TrustStore::open(environment, path);
      const std::string words = opened ? "" : told(opened.error());
      (void)!::write(ends[1], words.data(), words.size());
      _exit(0);
    }
    close(ends[1]);
    std::string words;
    std::array<char, 512> buffer{};
    for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
      words.append(buffer.data(), static_cast<std::size_t>(got));
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
    return words;
  }
  void give(const fs::path& what, uid_t user) {
    MESHTRUST_CHECK(chown(what.c_str(), user, user) == 0);
  }
  void give_all(uid_t user) {
    give(folder, user);
    give(path, user);
    for (const auto& entry : fs::directory_iterator(path)) {
      give(entry.path(), user);
    }
  }
};

TEST_F(OwnerTest, AStoreIsOpenedByItsOwner) {
  give_all(kOther);
  EXPECT_EQ(error_as(kOther), "");
}

TEST_F(OwnerTest, AFileOfSomebodyElseIsRefused) {
  for (const std::string name : {"store.db", "lock", ".gitignore"}) {
    give_all(kOther);
    give(path / name, 0);
    EXPECT_EQ(error_as(kOther),
              "'STORE/" + name + "' belongs to user 0, and the trust store to user 12345");
    EXPECT_EQ(error_as(0), error_as(kOther));
  }
  give_all(kOther);
  give(key_in(path), 0);
  EXPECT_EQ(error_as(kOther), "'STORE/KEY' belongs to user 0, and the trust store to user 12345");
}

TEST_F(OwnerTest, RootLooksAtWhatIsAnybodysAndWritesToItsOwn) {
  give_all(kOther);
  EXPECT_EQ(error_as(0), "");
  TrustStore store = open();
  const auto refused = store.lock("root");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "trust store '" + path.string() + "' belongs to another user");
}

}  // namespace
}  // namespace meshtrust::ca
