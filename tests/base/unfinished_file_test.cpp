#include "base/unfinished_file.h"

#include "base/files.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace meshtrust::base {
namespace {

using test::content_of;
using test::put_file;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Once without a name, and once as on a filesystem where every file has one.
class UnfinishedFileTest : public ::testing::TestWithParam<bool> {
 protected:
  UnfinishedFileTest() : folder_(open(folder.path().c_str(), O_RDONLY | O_DIRECTORY)) {}
  ~UnfinishedFileTest() override { close(folder_); }

  int create(UnfinishedFile& file) {
    return GetParam() ? file.create(folder_, 0600) : file.create_named(folder_, 0600);
  }
  void fill(const UnfinishedFile& file) { ASSERT_EQ(write(file.descriptor(), "whole", 5), 5); }
  std::vector<std::string> names() { return DiskFiles().list(folder.path()).value(); }

  test::TempFolder folder;
  int folder_;
};

INSTANTIATE_TEST_SUITE_P(Base, UnfinishedFileTest, ::testing::Bool(), [](const auto& test) {
  return test.param ? "WithoutAName" : "Named";
});

TEST_P(UnfinishedFileTest, GetsItsNameWhenItIsWhole) {
  UnfinishedFile file;
  ASSERT_EQ(create(file), 0);
  fill(file);
  EXPECT_THAT(names(), SizeIs(GetParam() ? 0 : 1));
  EXPECT_EQ(file.become("key"), 0);
  EXPECT_THAT(names(), ElementsAre("key"));
  EXPECT_EQ(content_of(folder / "key"), "whole");
}

TEST_P(UnfinishedFileTest, TakesNoNameThatIsTaken) {
  put_file(folder / "key", "old");
  {
    UnfinishedFile file;
    ASSERT_EQ(create(file), 0);
    fill(file);
    EXPECT_EQ(file.become("key"), EEXIST);
  }
  EXPECT_THAT(names(), ElementsAre("key"));
  EXPECT_EQ(content_of(folder / "key"), "old");
}

TEST_P(UnfinishedFileTest, ReplacesWhenThatIsWanted) {
  put_file(folder / "key", "old");
  UnfinishedFile file;
  ASSERT_EQ(create(file), 0);
  fill(file);
  EXPECT_EQ(file.replace("key"), 0);
  EXPECT_THAT(names(), ElementsAre("key"));
  EXPECT_EQ(content_of(folder / "key"), "whole");
}

TEST_P(UnfinishedFileTest, LeavesNothingWhenItIsGivenUp) {
  {
    UnfinishedFile file;
    ASSERT_EQ(create(file), 0);
    fill(file);
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_P(UnfinishedFileTest, IsNotSweptWhileItIsBeingWritten) {
  UnfinishedFile file;
  ASSERT_EQ(create(file), 0);
  fill(file);
  sweep_unfinished(folder_);
  EXPECT_EQ(file.become("key"), 0);
  EXPECT_THAT(names(), ElementsAre("key"));
}

TEST(SweepUnfinished, RemovesWhatKilledRunsLeftAndNothingElse) {
  const test::TempFolder folder;
  for (const char* name :
       {".meshtrust-0011223344556677", ".meshtrust-probe", ".meshtrust-00112233445566778",
        ".meshtrust-001122334455667g", "ca-key.pem"}) {
    put_file(folder / name, "half a key");
  }
  std::filesystem::create_directory(folder / ".meshtrust-00112233445566aa");
  std::filesystem::create_symlink("ca-key.pem", folder / ".meshtrust-00112233445566bb");
  const int opened = open(folder.path().c_str(), O_RDONLY | O_DIRECTORY);
  sweep_unfinished(opened);
  close(opened);
  EXPECT_THAT(DiskFiles().list(folder.path()).value(),
              ElementsAre(".meshtrust-00112233445566778", ".meshtrust-001122334455667g",
                          ".meshtrust-00112233445566aa", ".meshtrust-00112233445566bb",
                          ".meshtrust-probe", "ca-key.pem"));
}

TEST(SweepUnfinished, GetsInNobodysWay) {
  const test::TempFolder folder;
  const int opened = open(folder.path().c_str(), O_RDONLY | O_DIRECTORY);
  std::atomic<bool> is_over = false;
  std::thread sweeper([&] {
    while (!is_over) {
      sweep_unfinished(opened);
    }
  });
  int failures = 0;
  for (int i = 0; i < 2000; ++i) {
    UnfinishedFile file;
    failures += file.create_named(opened, 0600) == 0 && file.replace("key") == 0 ? 0 : 1;
  }
  is_over = true;
  sweeper.join();
  close(opened);
  EXPECT_EQ(failures, 0);
  EXPECT_THAT(DiskFiles().list(folder.path()).value(), ElementsAre("key"));
}

TEST(SweepUnfinished, IsDoneByTheNextWrite) {
  const test::TempFolder folder;
  put_file(folder / ".meshtrust-0011223344556677", "half a key");
  ASSERT_TRUE(DiskFiles().write_secret(folder / "f", Secret("x"), Overwrite::kNever));
  EXPECT_THAT(DiskFiles().list(folder.path()).value(), ElementsAre("f"));
}

}  // namespace
}  // namespace meshtrust::base
