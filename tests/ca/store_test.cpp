#include "ca/store.h"

#include "ca/folder.h"
#include "ca/storage/sqlite.h"
#include "tests/ca/support.h"

#include <array>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  lstat(path.c_str(), &status);
  return status.st_mode & 07777U;
}

TEST_F(StoreTest, CreatesAPrivateFolderThatGitIgnores) {
  const TrustStore store = create();
  EXPECT_EQ(mode_of(path), 0700U);
  EXPECT_EQ(mode_of(path / "store.db"), 0600U);
  EXPECT_EQ(content_of(path / ".gitignore"), "*\n");
  EXPECT_FALSE(store.root().has_value());
  ASSERT_EQ(store.log().size(), 1U);
  EXPECT_TRUE(std::holds_alternative<ledger::StoreCreated>(store.log()[0].event));
  EXPECT_EQ(store.log()[0].who.reason, "first mesh");
}

TEST_F(StoreTest, ThereIsNoneBeforeItIsCreated) {
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "there is no trust store at '" + path.string() + "'");
}

TEST_F(StoreTest, IsNotCreatedTwice) {
  create();
  const auto again = TrustStore::create(environment, path, kAlice);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
}

TEST_F(StoreTest, IsNotCreatedInAFolderThatHoldsAnythingElse) {
  fs::create_directory(path);
  fs::permissions(path, fs::perms::owner_all);
  put(path / "notes.txt", "mine");
  const auto refused = TrustStore::create(environment, path, kAlice);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_EQ(content_of(path / "notes.txt"), "mine");
  EXPECT_FALSE(fs::exists(path / ".gitignore"));
}

TEST_F(StoreTest, CreationIsFinishedFromEveryStateInWhichItCanBeKilled) {
  using Leave = void (*)(const fs::path&);
  const std::vector<Leave> states{
      [](const fs::path&) {},
      [](const fs::path& store) { put(store / ".meshtrust-0011223344556677", "*"); },
      [](const fs::path& store) { put(store / ".meshtrust-creating", ""); },
      [](const fs::path& store) {
        put(store / ".meshtrust-creating", "");
        put(store / ".meshtrust-0011223344556677", "*");
      },
      [](const fs::path& store) {
        put(store / ".meshtrust-creating", "");
        put(store / ".gitignore", "*\n");
      },
      [](const fs::path& store) {
        put(store / ".meshtrust-creating", "");
        put(store / ".gitignore", "*\n");
        put(store / "lock", "somebody who was killed");
      },
      [](const fs::path& store) {
        put(store / ".meshtrust-creating", "");
        put(store / "store.db", "");
      },
      [](const fs::path& store) {
        put(store / ".meshtrust-creating", "");
        put(store / "store.db", "");
        put(store / "store.db-journal", "");
      },
  };
  for (const Leave leave : states) {
    fs::remove_all(path);
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_all);
    leave(path);
    EXPECT_EQ(open_error().code, Code::kNotFound);
    const auto store = TrustStore::create(environment, path, kAlice);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(open().log().size(), 1U);
    EXPECT_FALSE(fs::exists(path / ".meshtrust-0011223344556677"));
    EXPECT_FALSE(fs::exists(path / ".meshtrust-creating"));
  }
}

TEST_F(StoreTest, RefusesAFolderThatOthersMayEnter) {
  create();
  fs::permissions(path, fs::perms{0750});
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kPermission);
  EXPECT_EQ(error.message,
            "'" + path.string() + "' is open to others: its mode is 0750, wanted 0700");
  EXPECT_THAT(error.hints, ElementsAre("chmod 700 '" + path.string() + "'"));
}

TEST_F(StoreTest, RefusesADatabaseThatOthersMayRead) {
  create();
  fs::permissions(path / "store.db", fs::perms{0644});
  EXPECT_EQ(open_error().code, Code::kPermission);
}

TEST_F(StoreTest, RefusesASymbolicLinkInItsPlace) {
  create();
  fs::rename(path, folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", path);
  EXPECT_EQ(open_error().code, Code::kRefused);
  EXPECT_EQ(TrustStore::create(environment, path, kAlice).error().code, Code::kRefused);
}

TEST_F(StoreTest, RefusesALinkedDatabase) {
  create();
  fs::rename(path / "store.db", folder / "other.db");
  fs::create_symlink(folder / "other.db", path / "store.db");
  EXPECT_EQ(open_error().code, Code::kRefused);
}

TEST_F(StoreTest, IsReachedThroughLinkedFoldersAboveIt) {
  fs::create_directory(folder / "real");
  fs::create_directory_symlink(folder / "real", folder / "link");
  path = folder / "link" / "shop.trust";
  create();
  EXPECT_EQ(open().log().size(), 1U);
}

TEST_F(StoreTest, ReadingWritesNothing) {
  create();
  for (const auto& entry : fs::directory_iterator(path)) {
    fs::permissions(entry.path(), fs::perms::owner_read);
  }
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec);
  const auto names_before = files.list(path).value();
  const auto time_before = fs::last_write_time(path);
  EXPECT_EQ(open().log().size(), 1U);
  EXPECT_EQ(files.list(path).value(), names_before);
  EXPECT_EQ(fs::last_write_time(path), time_before);
  TrustStore store = open();
  EXPECT_EQ(store.lock("a test").error().code, Code::kPermission);
  fs::permissions(path, fs::perms::owner_all);
}

TEST_F(StoreTest, OneWorksAndTheOtherHearsWhoHoldsTheLock) {
  TrustStore first = create();
  TrustStore second = open();
  const auto held = first.lock(describe_holder(kAlice, 4242, clock.now()));
  ASSERT_TRUE(held);
  const auto refused = second.lock("another");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kLocked);
  EXPECT_THAT(refused.error().message,
              HasSubstr("pid 4242 of alice@laptop since 2026-11-21T10:00:00Z: "
                        "meshtrust apply --only trust"));
}

TEST_F(StoreTest, ARemovedLockFileLetsNobodyElseIn) {
  TrustStore store = create();
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = store.lock("pid 4242 of alice@laptop");
    (void)::write(pipe_ends[1], held ? "y" : "n", 1);
    pause();
  }
  char taken = 0;
  ASSERT_EQ(::read(pipe_ends[0], &taken, 1), 1);
  EXPECT_EQ(taken, 'y');
  fs::remove(path / "lock");
  for (int run = 0; run < 2; ++run) {
    const auto refused = store.lock("another");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kLocked);
    EXPECT_THAT(
        refused.error().message,
        testing::MatchesRegex("trust store '" + path.string() + "' is held by pid " +
                              std::to_string(child) + ": .*ca_tests.*, whose lock file is gone"));
    EXPECT_EQ(store.lock("another").error().code, Code::kLocked);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(store.lock("next"));
}

TEST_F(StoreTest, TheLockEndsWithItsHolder) {
  TrustStore store = create();
  { const StoreLock held = lock(store); }
  EXPECT_TRUE(store.lock("next"));
}

TEST_F(StoreTest, TheLockEndsWithAKilledProcess) {
  TrustStore store = create();
  const pid_t child = fork();
  if (child == 0) {
    const auto held = store.lock("doomed");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(store.lock("survivor"));
}

TEST_F(StoreTest, TakingTheLockReadsWhatOthersWrote) {
  TrustStore first = create();
  TrustStore second = open();
  {
    const StoreLock held = lock(first);
    mint_clear_root(first, held);
  }
  EXPECT_FALSE(second.root().has_value());
  const StoreLock held = lock(second);
  EXPECT_TRUE(second.root().has_value());
}

TEST_F(StoreTest, TakingTheLockSweepsUpTemporaryFiles) {
  TrustStore store = create();
  put(path / ".meshtrust-0011223344556677", "half a key");
  const StoreLock held = lock(store);
  EXPECT_FALSE(fs::exists(path / ".meshtrust-0011223344556677"));
}

TEST_F(StoreTest, RefusesAPathThatGitTracks) {
  TrustStore store = create();
  const std::string quiet = " >/dev/null 2>&1";
  const std::string git = "git -C '" + folder.string() + "' ";
  if (std::system(("git --version" + quiet).c_str()) != 0) GTEST_SKIP() << "git is not installed";
  ASSERT_EQ(std::system((git + "init" + quiet).c_str()), 0);
  EXPECT_TRUE(store.lock("untracked"));
  ASSERT_EQ(std::system((git + "add -f shop.trust/store.db" + quiet).c_str()), 0);
  const auto refused = store.lock("tracked");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  for (const std::string version : {"3", "4"}) {
    ASSERT_EQ(std::system((git + "update-index --index-version " + version + quiet).c_str()), 0);
    EXPECT_EQ(store.lock("tracked").error().code, Code::kRefused) << "index version " << version;
  }
  fs::remove_all(path);
  EXPECT_EQ(TrustStore::create(environment, path, kAlice).error().code, Code::kRefused);
}

/// A process that is killed between writing pages and committing leaves a journal; here the journal
/// and the torn database of such a moment are put side by side.
TEST_F(StoreTest, RollsBackAWriteThatWasKilled) {
  create();
  const fs::path database = path / "store.db";
  const pid_t child = fork();
  if (child == 0) {
    auto connection = Sqlite::open(database, Sqlite::Mode::kWrite).value();
    // One page of cache forces pages into the file before the commit.
    (void)connection.run("PRAGMA cache_size = 1; BEGIN IMMEDIATE");
    (void)connection.run(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO action SELECT i, 0, 'u', 'h', 'c', 'r', 'pushed', NULL, '', '', "
        "'0123456789012345678901234567890123456789012345678901234567890123' FROM n");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_GT(fs::file_size(path / "store.db-journal"), 0U);
  EXPECT_EQ(open().log().size(), 1U);
}

TEST_F(StoreTest, ADatabaseOfANewerVersionIsRefusedAsThat) {
  create();
  {
    auto connection = Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value();
    ASSERT_TRUE(connection.run("PRAGMA user_version = 7"));
  }
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kInvalidInput);
  EXPECT_THAT(error.message,
              HasSubstr("written by a newer meshtrust (format 7, this one knows 3)"));
}

TEST_F(StoreTest, TheLedgerCannotBeEditedThroughSql) {
  create();
  auto connection = Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value();
  EXPECT_FALSE(connection.run("UPDATE action SET user = 'mallory'"));
  EXPECT_FALSE(connection.run("DELETE FROM action"));
}

TEST_F(StoreTest, AnEditedLineShows) {
  create();
  {
    auto connection = Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value();
    ASSERT_TRUE(
        connection.run("INSERT INTO action SELECT 2, at, user, host, command, reason, "
                       "'key-planned', NULL, cluster, detail, digest FROM action"));
  }
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("line 2 of the ledger is not what was written"));
}

TEST_F(StoreTest, AChangedSchemaShows) {
  create();
  {
    auto connection = Sqlite::open(path / "store.db", Sqlite::Mode::kWrite).value();
    ASSERT_TRUE(connection.run("DROP TRIGGER action_is_never_changed"));
  }
  EXPECT_EQ(open_error().code, Code::kCorrupt);
}

class CorruptStoreTest : public StoreTest {
 protected:
  CorruptStoreTest() {
    TrustStore store = create();
    const StoreLock held = lock(store);
    const MintedRoot minted = mint_clear_root(store, held);
    key_file = minted.root.key_file;
    (void)mint_intermediate(store, held, *minted.signer, {.cluster = "east"}, kAlice).value();
    expected = store.log().size();
  }
  fs::path key_file;
  std::size_t expected = 0;
};

/// No byte of the database may be flipped without either being noticed or meaning nothing (unused
/// space in a page). It is never read as something else.
TEST_F(CorruptStoreTest, AFlippedByteIsNoticedOrMeansNothing) {
  const fs::path database = path / "store.db";
  const std::string sound = content_of(database);
  const std::string fingerprint = open().issued().back().fingerprint();
  std::size_t noticed = 0;
  for (std::size_t offset = 0; offset < sound.size(); offset += 37) {
    flip_byte(database, offset);
    const auto store = TrustStore::open(environment, path);
    if (store) {
      EXPECT_EQ(store->log().size(), expected) << offset;
      EXPECT_EQ(store->issued().back().fingerprint(), fingerprint) << offset;
      EXPECT_EQ(store->log()[0].who.user, "alice") << offset;
    } else {
      ++noticed;
      EXPECT_THAT(store.error().code,
                  testing::AnyOf(Code::kCorrupt, Code::kInvalidInput, Code::kRefused,
                                 Code::kInternal, Code::kPermission))
          << offset;
    }
    put(database, sound);
  }
  EXPECT_GT(noticed, 50U);
}

TEST_F(CorruptStoreTest, ATruncatedDatabaseIsNoticed) {
  const fs::path database = path / "store.db";
  const std::string sound = content_of(database);
  for (const std::size_t size : {std::size_t{0}, std::size_t{50}, std::size_t{4096},
                                 sound.size() - 4096, sound.size() - 1}) {
    put(database, sound.substr(0, size));
    EXPECT_EQ(open_error().code, Code::kCorrupt) << size;
    EXPECT_EQ(TrustStore::create(environment, path, kAlice).error().code, Code::kCorrupt) << size;
  }
}

TEST_F(CorruptStoreTest, AMissingDatabaseBesideAKeyIsNoticed) {
  fs::remove(path / "store.db");
  EXPECT_EQ(open_error().message, "trust store '" + path.string() +
                                      "' holds a root key and no ledger: its database is missing");
}

TEST_F(CorruptStoreTest, AMissingKeyIsNoticed) {
  fs::remove(key_file);
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kCorrupt);
  EXPECT_EQ(error.message, "root key '" + key_file.string() + "' is missing");
}

TEST_F(CorruptStoreTest, AGarbledKeyIsNoticed) {
  for (const std::string garbage : {"", "garbage", "-----BEGIN PRIVATE KEY-----\n"}) {
    put(key_file, garbage);
    EXPECT_EQ(open_error().code, Code::kCorrupt) << garbage;
  }
}

TEST_F(CorruptStoreTest, AKeyThatOthersMayReadIsRefused) {
  fs::permissions(key_file, fs::perms{0640});
  EXPECT_EQ(open_error().code, Code::kPermission);
}

TEST_F(CorruptStoreTest, AKeyThatTheLedgerDoesNotKnowIsNeitherUsedNorRemoved) {
  const fs::path foreign = path / "root-0123456789abcdef.key.pem";
  put(foreign, content_of(key_file));
  const auto error = open_error();
  EXPECT_EQ(error.code, Code::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("is not in the ledger: the database may be an older copy"));
  EXPECT_TRUE(fs::exists(foreign));
}

TEST_F(CorruptStoreTest, AnotherRootsKeyUnderItsNameIsNoticed) {
  put(key_file,
      base::reveal(
          pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value().to_pem().value(),
          "a test key"));
  const auto error = unlock_root(open(), base::Secret()).error();
  EXPECT_EQ(error.code, Code::kCorrupt);
  EXPECT_EQ(error.message,
            "root key '" + key_file.string() + "' holds another key than the root certificate's");
}

}  // namespace
}  // namespace meshtrust::ca
