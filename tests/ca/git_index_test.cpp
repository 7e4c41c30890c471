#include "ca/git_index.h"

#include "tests/ca/support.h"

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A work tree with a file in `shop.trust`, made by Git itself.
class GitIndexTest : public StoreTest {
 protected:
  void SetUp() override {
    if (std::system("git --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "git is not installed";
    git("init -q");
    fs::create_directory(path);
    put(path / "store.db", "keys");
    put(folder / "a", "a");
    put(folder / "z", "z");
  }
  void git(const std::string& words) { git_in(folder, words); }
  void git_in(const fs::path& where, const std::string& words) {
    const std::string command =
        "git -c user.name=t -c user.email=t@example.org -c protocol.file.allow=always -C '" +
        where.string() + "' " + words + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << words;
  }
  GitAnswer ask() { return ask_git(files, path); }
  void expect_tracked(bool wanted, const std::string& where) {
    EXPECT_EQ(ask().is_tracked, wanted) << where;
    EXPECT_EQ(ask().unknown, "") << where;
  }
};

TEST_F(GitIndexTest, EveryVersionIsRead) {
  expect_tracked(false, "nothing was added");
  git("add a z");
  expect_tracked(false, "others were");
  git("add -f shop.trust");
  for (const std::string version : {"2", "3", "4"}) {
    git("update-index --index-version " + version);
    expect_tracked(true, "version " + version);
  }
  git("add -N shop.trust/store.db");
  git("rm -q --cached -r shop.trust");
  expect_tracked(false, "taken out again");
}

TEST_F(GitIndexTest, ARepositoryWithSha256IsRead) {
  fs::remove_all(folder / ".git");
  git("init -q --object-format=sha256");
  git("add a z");
  expect_tracked(false, "others");
  git("add -f shop.trust");
  expect_tracked(true, "the store");
  git("update-index --split-index");
  expect_tracked(true, "in a shared index");
}

TEST_F(GitIndexTest, ASplitIndexIsReadWithWhatItTakesFromTheSharedOne) {
  git("add -f a shop.trust z");
  git("update-index --split-index");
  ASSERT_THAT(content_of(folder / ".git" / "index"), testing::Not(HasSubstr("shop.trust")));
  expect_tracked(true, "in the shared index");
  put(path / "store.db", "other keys");
  git("add -f shop.trust");
  expect_tracked(true, "replaced");
  git("rm -q --cached -r shop.trust");
  expect_tracked(false, "deleted, and in the shared index still");
  git("add -f shop.trust");
  expect_tracked(true, "added again");
}

TEST_F(GitIndexTest, ASplitIndexOfManyEntriesIsRead) {
  for (int i = 0; i < 300; ++i) {
    put(folder / ("n" + std::to_string(i)), "n");
  }
  git("add -f .");
  git("update-index --split-index");
  expect_tracked(true, "in the shared index");
  git("rm -q --cached -r shop.trust n7 n250");
  expect_tracked(false, "deleted");
}

TEST_F(GitIndexTest, ASplitIndexWithoutItsSharedOneTellsNothing) {
  git("add a z");
  git("update-index --split-index");
  for (const auto& entry : fs::directory_iterator(folder / ".git")) {
    if (entry.path().filename().string().starts_with("sharedindex.")) fs::remove(entry.path());
  }
  EXPECT_FALSE(ask().is_tracked);
  EXPECT_THAT(ask().unknown, HasSubstr("sharedindex."));
}

TEST_F(GitIndexTest, LinkedWorkTreesAndInnerRepositoriesAreSeen) {
  git("add a");
  git("commit -q -m a");
  git("worktree add -q linked");
  path = folder / "linked" / "shop.trust";
  fs::create_directory(path);
  put(path / "store.db", "keys");
  expect_tracked(false, "in a linked work tree");
  git_in(folder / "linked", "add -f shop.trust");
  expect_tracked(true, "in a linked work tree");
}

TEST_F(GitIndexTest, AnInnerRepositoryDoesNotHideTheOuterOne) {
  fs::create_directory(folder / "inner");
  fs::rename(path, folder / "inner" / "shop.trust");
  path = folder / "inner" / "shop.trust";
  git("add -f inner/shop.trust");
  git_in(folder / "inner", "init -q");
  expect_tracked(true, "by the outer one");
}

TEST_F(GitIndexTest, AStoreThatIsARepositoryItselfIsSeen) {
  git_in(path, "init -q");
  expect_tracked(false, "nothing was added");
  git_in(path, "add -f store.db");
  expect_tracked(true, "by itself");
}

TEST_F(GitIndexTest, WhatASparseIndexLeavesOutIsNotKnown) {
  fs::create_directories(folder / "far" / "away");
  put(folder / "far" / "away" / "f", "f");
  fs::create_directory(folder / "near");
  put(folder / "near" / "n", "n");
  git("add a far near");
  git("commit -q -m all");
  git("sparse-checkout set --cone --sparse-index near");
  expect_tracked(false, "not in what is left out");
  path = folder / "far" / "shop.trust";
  EXPECT_FALSE(ask().is_tracked);
  EXPECT_EQ(ask().unknown, "its index is sparse and leaves out what is in 'far/'");
}

TEST_F(GitIndexTest, WhatCannotBeReadIsNotKnown) {
  git("add a");
  const fs::path index = folder / ".git" / "index";
  const std::string sound = content_of(index);
  for (const std::string& damaged : {std::string("DIRC"), sound.substr(0, sound.size() / 2),
                                     sound + "more", std::string("nonsense")}) {
    put(index, damaged);
    EXPECT_FALSE(ask().is_tracked);
    EXPECT_EQ(ask().unknown, "'" + index.string() + "' is in no form known here");
  }
  fs::remove_all(folder / ".git");
  put(folder / ".git", "nonsense");
  EXPECT_EQ(ask().unknown,
            "'" + (folder / ".git").string() + "' does not say where its repository is");
}

TEST_F(GitIndexTest, AStoreIsNotCreatedInDoubtAndIsUsedInDoubtSayingSo) {
  fs::remove_all(path);
  create();
  put(folder / ".git" / "index", "nonsense");
  std::vector<std::string> told;
  environment.tell = [&told](const std::string& words) { told.push_back(words); };
  const std::string doubt = "whether Git tracks '" + path.string() + "' cannot be told: '" +
                            (folder / ".git" / "index").string() + "' is in no form known here";
  TrustStore store = open();
  EXPECT_TRUE(store.lock("a test"));
  EXPECT_THAT(told, testing::ElementsAre(doubt));
  const auto other = TrustStore::create(environment, folder / "other.trust", kAlice);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, base::Code::kRefused);
  EXPECT_THAT(other.error().message, HasSubstr("cannot be told"));
  EXPECT_FALSE(fs::exists(folder / "other.trust"));
}

}  // namespace
}  // namespace meshtrust::ca
